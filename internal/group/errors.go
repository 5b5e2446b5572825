package group

import (
	"errors"

	"github.com/segmentio/kafka-go"
)

// Causes in the warnings of a member.
var (
	// ErrNamesake: a starting worker of the same name removed this one from the
	// group.
	ErrNamesake = errors.New("another worker of this name removed this one from the group when it started")
	// ErrOtherTopic: the other member uses another offsets topic.
	ErrOtherTopic = errors.New("it uses another offsets topic")
	// ErrOtherShops: the other member has a different list of shops.
	ErrOtherShops = errors.New("it has other shops")
)

// Error is a permanent refusal: waiting does not change it.
type Error struct {
	Doing string      // the refused operation
	Code  kafka.Error // Kafka's answer; 0 = Kafka was not asked
	Err   error       // the reason if Kafka was not asked
}

func (e *Error) Error() string {
	if e.Code == 0 {
		return e.Doing + ": " + e.Err.Error()
	}
	return e.Doing + ": " + e.Code.Title()
}

// Unwrap returns the kafka.Error, or Err if Kafka was not asked.
func (e *Error) Unwrap() error {
	if e.Code == 0 {
		return e.Err
	}
	return e.Code
}

// classify converts a permanent refusal to an *Error and returns any other error
// unchanged.
func classify(doing string, err error) error {
	var code kafka.Error
	if !errors.As(err, &code) {
		return err
	}
	switch code {
	case kafka.GroupAuthorizationFailed, kafka.TopicAuthorizationFailed,
		kafka.InconsistentGroupProtocol, kafka.InvalidSessionTimeout, kafka.InvalidGroupId,
		kafka.SASLAuthenticationFailed, kafka.UnsupportedSASLMechanism:
		return &Error{Doing: doing, Code: code}
	}
	return err
}
