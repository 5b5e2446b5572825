package group

import (
	"errors"

	"github.com/segmentio/kafka-go"
)

// Causes of what a member warns of.
var (
	// ErrNamesake is a worker that another one of the same name has removed from the
	// group when it started.
	ErrNamesake = errors.New("another worker of this name removed this one from the group when it started")
	// ErrOtherTopic is a member that uses another offsets topic.
	ErrOtherTopic = errors.New("it uses another offsets topic")
	// ErrOtherShops is a member that has another list of shops.
	ErrOtherShops = errors.New("it has other shops")
)

// Error is a refusal that waiting does not change.
type Error struct {
	Doing string      // what was refused
	Code  kafka.Error // as Kafka put it; 0 when Kafka was not asked
	Err   error       // why Kafka was not asked, when Code is 0
}

func (e *Error) Error() string {
	if e.Code == 0 {
		return e.Doing + ": " + e.Err.Error()
	}
	return e.Doing + ": " + e.Code.Title()
}

// Unwrap gives the kafka.Error, or why Kafka was not asked.
func (e *Error) Unwrap() error {
	if e.Code == 0 {
		return e.Err
	}
	return e.Code
}

// classify turns what is refused for good into an *Error and leaves everything
// else as it is.
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
