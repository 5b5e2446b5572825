package txn

import (
	"errors"
	"fmt"

	"github.com/segmentio/kafka-go"
)

var (
	// ErrFenced means that the transactional ID is this Writer's no more: a newer
	// owner holds it, the broker has ended a transaction that had been open for
	// longer than its timeout, or Kafka has forgotten the ID, so that others may
	// have held it meanwhile. Nothing of the failed commit is on the topics,
	// unless the error is ErrInDoubt as well. The caller asks whether it is
	// still the owner before it opens a Writer again.
	ErrFenced = errors.New("fenced")

	// ErrInDoubt means that the request to commit was sent and that its outcome
	// could not be learnt: the records are on the topics, all of them, or none
	// ever will be. Which of the two is known after the next Open, by reading.
	ErrInDoubt = errors.New("commit in doubt")
)

// Causes that an [Error] names beside Kafka's code.
var (
	// ErrForgotten is a producer ID that Kafka does not know any more.
	ErrForgotten = errors.New("the transactional ID is forgotten by Kafka")
	// ErrTimedOut is a transaction that the broker ended.
	ErrTimedOut = errors.New("the transaction was open for longer than its timeout")
	// ErrBeyondEnd is an offset that a partition has not come to yet.
	ErrBeyondEnd = errors.New("the offset is beyond the end of the partition")
)

// Error is what Kafka refused.
type Error struct {
	Request   string      // Kafka's name of the request, such as "Produce"
	Code      kafka.Error // what Kafka answered; 0 when it did not answer
	Topic     string      // empty when the error is about no topic
	Partition int32       // counts only with Topic
	Retriable bool        // opening the Writer again may help without an operator
	// TransactionalID is the Writer's; empty when the error is a Reader's.
	TransactionalID string
	// Err is why there was no answer, when Code is 0; otherwise one of the causes
	// above, if one is known.
	Err error
}

func (e *Error) Error() string {
	text := e.Request
	if e.Topic != "" {
		text += fmt.Sprintf(" to %s/%d", e.Topic, e.Partition)
	}
	switch {
	case e.Code != 0:
		text += ": " + reason(e.Code)
		if e.Err != nil {
			text += ": " + e.Err.Error()
		}
	case e.Err != nil:
		text += ": no answer: " + e.Err.Error()
	default:
		text += ": no answer"
	}
	return text
}

// Unwrap gives the kafka.Error and Err, as far as there are such.
func (e *Error) Unwrap() (errs []error) {
	if e.Code != 0 {
		errs = append(errs, e.Code)
	}
	if e.Err != nil {
		errs = append(errs, e.Err)
	}
	return errs
}

// Codes that kafka-go has no name, or another meaning, for.
const (
	// noAnswer stands for a request whose answer never came. It is outside the
	// 16 bits of Kafka's codes.
	noAnswer = kafka.Error(1 << 16)
	// operationNotAttempted means: look at the other partitions' codes.
	operationNotAttempted = kafka.BrokerAuthorizationFailed
	transactionAbortable  = kafka.Error(120)
)

// reason names a code, for logs and the label of a metric.
func reason(code kafka.Error) string {
	switch code {
	case noAnswer:
		return "no answer"
	case operationNotAttempted:
		return "Operation Not Attempted"
	case transactionAbortable:
		return "Transaction Abortable"
	}
	if title := code.Title(); title != "" {
		return title
	}
	return fmt.Sprintf("error %d", int(code))
}

// fetchName is Kafka's name of the one request of a Reader that an [Error] is
// about.
const fetchName = "Fetch"
