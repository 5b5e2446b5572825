package txn

import (
	"errors"
	"fmt"

	"github.com/segmentio/kafka-go"
)

var (
	// ErrFenced means that this Writer has lost its transactional ID: a newer owner
	// holds it, the broker has ended a transaction that was open for longer than
	// its timeout, or Kafka has removed the ID, so that another owner may have held
	// it meanwhile. No record of the failed commit is on the topics, unless the
	// error is ErrInDoubt too. The caller must check that it is still the owner
	// before it opens a Writer again.
	ErrFenced = errors.New("fenced")

	// ErrInDoubt means that the commit request was sent but its outcome is unknown:
	// either all records are on the topics, or none will ever be. Reading after the
	// next Open shows which.
	ErrInDoubt = errors.New("commit in doubt")
)

// Causes in [Error.Err], beside Kafka's code.
var (
	// ErrForgotten: Kafka no longer knows the producer ID.
	ErrForgotten = errors.New("the transactional ID was removed by Kafka")
	// ErrTimedOut: the broker ended the transaction.
	ErrTimedOut = errors.New("the transaction was open for longer than its timeout")
	// ErrBeyondEnd: the partition has not reached the offset yet.
	ErrBeyondEnd = errors.New("the offset is beyond the end of the partition")
)

// Error is a request that Kafka refused or did not answer.
type Error struct {
	Request   string      // Kafka's name of the request, such as "Produce"
	Code      kafka.Error // Kafka's answer; 0 = no answer
	Topic     string      // empty if the error concerns no topic
	Partition int32       // valid only with Topic
	Retriable bool        // opening the Writer again may succeed without an operator
	// TransactionalID is the Writer's; empty for the error of a Reader.
	TransactionalID string
	// Err is the reason for the missing answer if Code is 0; otherwise one of the
	// causes above, if known.
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

// Unwrap returns the kafka.Error and Err, those that are set.
func (e *Error) Unwrap() (errs []error) {
	if e.Code != 0 {
		errs = append(errs, e.Code)
	}
	if e.Err != nil {
		errs = append(errs, e.Err)
	}
	return errs
}

// Codes for which kafka-go has no name or another meaning.
const (
	// noAnswer marks a request without an answer. It is outside the 16 bits of
	// Kafka's codes.
	noAnswer = kafka.Error(1 << 16)
	// operationNotAttempted means that another partition's code has the reason.
	operationNotAttempted = kafka.BrokerAuthorizationFailed
	transactionAbortable  = kafka.Error(120)
)

// reason returns the name of a code, for logs and the label of a metric.
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

// fetchName is Kafka's name of the only request of a Reader that an [Error] can
// report.
const fetchName = "Fetch"
