package group

import (
	"errors"

	"github.com/segmentio/kafka-go"
)

// Error is a refusal that waiting does not change.
type Error struct {
	Doing string      // what was refused
	Code  kafka.Error // as Kafka put it; 0 when Kafka was not asked
	Hint  string      // what an operator can do
}

func (e *Error) Error() string {
	if e.Code == 0 {
		return e.Doing + ": " + e.Hint
	}
	return e.Doing + ": " + e.Code.Title() + "; " + e.Hint
}

func (e *Error) Unwrap() error { return e.Code }

// classify turns what is refused for good into an *Error and leaves everything
// else as it is.
func classify(doing string, err error) error {
	var code kafka.Error
	if !errors.As(err, &code) {
		return err
	}
	var hint string
	switch code {
	case kafka.GroupAuthorizationFailed:
		hint = "allow READ on the group (ORDERWALK_GROUP) to this worker's principal"
	case kafka.TopicAuthorizationFailed:
		hint = "allow READ on the offsets topic (ORDERWALK_OFFSETS_TOPIC) to this worker's principal"
	case kafka.InconsistentGroupProtocol:
		hint = "another program's consumers use this group: choose another ORDERWALK_GROUP"
	case kafka.InvalidSessionTimeout:
		hint = "ORDERWALK_SESSION_TIMEOUT must lie between the broker's group.min.session.timeout.ms and group.max.session.timeout.ms"
	case kafka.InvalidGroupId:
		hint = "ORDERWALK_GROUP is not a name that Kafka takes"
	case kafka.SASLAuthenticationFailed:
		hint = "check ORDERWALK_KAFKA_SASL_USERNAME and the password or token"
	case kafka.UnsupportedSASLMechanism:
		hint = "the broker does not take this ORDERWALK_KAFKA_SASL_MECHANISM"
	default:
		return err
	}
	return &Error{Doing: doing, Code: code, Hint: hint}
}
