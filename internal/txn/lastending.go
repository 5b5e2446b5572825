package txn

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"

	"orderwalk/internal/kafkawire"
)

// describeTransactions is an API that kafka-go does not have. It returns the state of the
// last transaction of a transactional ID. Brokers have it since Kafka 3.0.
const describeTransactions = protocol.ApiKey(65)

// transactionRequest is a DescribeTransactions request, version 0, for one ID.
type transactionRequest struct{ transactionalID string }

type transactionAnswer struct {
	code  kafka.Error
	state string
}

func (transactionRequest) ApiKey() protocol.ApiKey { return describeTransactions }
func (transactionAnswer) ApiKey() protocol.ApiKey  { return describeTransactions }

func (m transactionRequest) write(w io.Writer, _ int16, correlation int32, clientID string) error {
	b := newRequest(describeTransactions, correlation, clientID)
	b = append(b, 2) // one ID
	b = binary.AppendUvarint(b, uint64(len(m.transactionalID)+1))
	b = append(b, m.transactionalID...)
	b = append(b, 0)
	return writeRequest(w, b)
}

var errTransaction = errors.New("invalid DescribeTransactions answer")

func parseTransaction(body []byte) (transactionAnswer, error) {
	d := decoder{b: body}
	d.int32() // correlation ID
	d.tags()
	d.int32() // throttle time
	if d.compactCount() != 1 {
		return transactionAnswer{}, errTransaction
	}
	said := transactionAnswer{code: kafka.Error(d.int16())}
	d.bytes(d.compactCount()) // the ID
	said.state = string(d.bytes(d.compactCount()))
	if d.bad {
		return transactionAnswer{}, errTransaction
	}
	return said, nil
}

// findLastAborted asks the coordinator whether the last transaction of the ID was aborted,
// or will be by opening the ID; afterwards it cannot tell. Where it does not know or may
// not say, the answer is no.
func (w *Writer) findLastAborted(ctx context.Context, until time.Time) answer {
	limit := remaining(until, coordinatorLimit)
	if a := w.findCoordinator(ctx, limit); a.code != 0 {
		return a
	}
	said, err := w.cluster.transaction(ctx, w.coordinator, w.cfg.TransactionalID)
	switch {
	case errors.Is(err, kafka.UnsupportedVersion):
		return answer{}
	case err != nil:
		a := unanswered(err)
		a.sent = false // the question changes nothing
		return a
	case said.code != 0 && react(callInit, said.code, false) == repeat:
		return answer{code: said.code}
	case said.code == 0:
		w.lastAborted = slices.Contains([]string{"Ongoing", "PrepareAbort", "PrepareEpochFence", "CompleteAbort"}, said.state)
	}
	return answer{}
}

// transaction asks a coordinator about the last transaction of an ID. It returns
// UnsupportedVersion if the broker does not have the API.
func (c cluster) transaction(ctx context.Context, node int32, id string) (transactionAnswer, error) {
	if err := c.supports(ctx, node, describeTransactions); err != nil {
		return transactionAnswer{}, err
	}
	m := transactionRequest{id}
	answer, err := c.ToBroker(ctx, node, kafkawire.Request{Message: m, Limit: coordinatorLimit, Write: m.write,
		Read: func(_ int16, body []byte) (protocol.Message, error) { return parseTransaction(body) }})
	if err != nil {
		return transactionAnswer{}, err
	}
	return answer.Message.(transactionAnswer), nil
}
