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

// Error is what Kafka refused, and what an operator can do about it.
type Error struct {
	Request   string      // Kafka's name of the request, such as "Produce"
	Code      kafka.Error // what Kafka answered; 0 when it did not answer
	Topic     string      // empty when the error is about no topic
	Partition int32       // counts only with Topic
	Hint      string      // what to do; may be empty
	Retriable bool        // opening the Writer again may help without an operator
	Err       error       // why there was no answer, when Code is 0
}

func (e *Error) Error() string {
	text := e.Request
	if e.Topic != "" {
		text += fmt.Sprintf(" to %s/%d", e.Topic, e.Partition)
	}
	switch {
	case e.Code != 0:
		text += ": " + reason(e.Code)
	case e.Err != nil:
		text += ": no answer: " + e.Err.Error()
	default:
		text += ": no answer"
	}
	if e.Hint != "" {
		text += "; " + e.Hint
	}
	return text
}

// Unwrap gives the kafka.Error, or why there was no answer.
func (e *Error) Unwrap() error {
	if e.Code != 0 {
		return e.Code
	}
	return e.Err
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

// forgottenHint is of a Writer whose producer ID Kafka does not know.
const forgottenHint = "Kafka has forgotten the transactional ID, as it does when the ID is not used for transactional.id.expiration.ms (7 days by default); was the process stopped, or idle, for so long?"

// fetchName is Kafka's name of the one request of a Reader that an [Error] is
// about.
const fetchName = "Fetch"

// hint says what an operator can do about a code. Rights are named as Kafka's
// ACLs name them; Read and Write include Describe.
func hint(request string, code kafka.Error, txnID string) string {
	switch code {
	case kafka.TransactionalIDAuthorizationFailed:
		return fmt.Sprintf("grant Write on transactional ID %q, or on its prefix, to this client", txnID)
	case kafka.TopicAuthorizationFailed:
		if request == fetchName {
			return "grant Read on the topic to this client"
		}
		return "grant Write on the topic to this client"
	case kafka.ClusterAuthorizationFailed:
		return "grant IdempotentWrite on the cluster to this client"
	case kafka.InvalidTransactionTimeout:
		return "set ORDERWALK_TRANSACTION_TIMEOUT to at most the brokers' transaction.max.timeout.ms (15m by default)"
	case kafka.MessageSizeTooLarge, kafka.RecordListTooLarge:
		return "raise max.message.bytes of the topic to the 1 MiB that Kafka has by default, or more"
	case kafka.UnknownTopicOrPartition:
		return "create the topic again, with as many partitions as it had"
	case kafka.SASLAuthenticationFailed:
		return "check user name, password and mechanism (ORDERWALK_KAFKA_SASL_*)"
	case kafka.UnsupportedSASLMechanism, kafka.IllegalSASLState:
		return "set ORDERWALK_KAFKA_SASL_MECHANISM to one the brokers offer"
	case kafka.UnsupportedCompressionType, kafka.UnsupportedForMessageFormat:
		return "set ORDERWALK_COMPRESSION to one the topic takes"
	case kafka.InvalidTimestamp:
		return "compare this machine's clock with the brokers'"
	case kafka.PolicyViolation, kafka.InvalidRecord:
		return "the topic's rules refuse the records; see the brokers' log"
	case kafka.OutOfOrderSequenceNumber, kafka.InvalidMessage, kafka.InvalidTransactionState:
		return "this happened again and again: report it, with the brokers' log"
	}
	return ""
}
