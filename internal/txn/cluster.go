package txn

import (
	"context"
	"errors"
	"io"
	"net"
	"sort"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/metadata"
)

// cluster sends requests to brokers chosen here rather than by kafka-go's
// transport, which would ask for the coordinator before every single
// transactional request and then ignore an error in the answer.
type cluster struct {
	addr      net.Addr
	transport *kafka.Transport
}

// message is a request with the broker it goes to. kafka-go routes a
// BrokerMessage to the broker it names, and lets a RawExchanger write and read
// for itself on the connection; that is all of its public API this needs.
type message struct {
	protocol.Message
	node     int32
	clientID string
	version  int16 // agreed with the broker
}

func (m *message) Broker(protocol.Cluster) (protocol.Broker, error) {
	return protocol.Broker{ID: m.node}, nil
}

func (m *message) Required(versions map[protocol.ApiKey]int16) bool {
	m.version = versions[m.ApiKey()]
	return true
}

func (m *message) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	return protocol.RoundTrip(rw, m.version, correlation, m.clientID, m.Message)
}

// correlation can be the same for all requests: kafka-go has one in flight per
// connection, and closes a connection on which an answer is overdue.
const correlation = 1

// exchange sends a request to a broker and waits up to limit for its answer.
// The connection dies with the limit, so an answer that comes later meets
// nobody. When ctx ends earlier the request is left to itself until the limit.
func (c cluster) exchange(ctx context.Context, node int32, limit time.Duration, m protocol.Message) (protocol.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return c.transport.RoundTrip(ctx, c.addr, &message{Message: m, node: node, clientID: c.transport.ClientID})
}

// ask is exchange for requests that any broker answers.
func (c cluster) ask(ctx context.Context, limit time.Duration, m protocol.Message) (protocol.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return c.transport.RoundTrip(ctx, c.addr, m)
}

// leaders tells which broker leads a partition, as far as the transport knows.
type leaders map[string]metadata.ResponseTopic

// leaders looks the topics up in the transport's cache; no request is sent
// unless it is the transport's first. topics.Refresh renews the cache.
func (c cluster) leaders(ctx context.Context, names []string) (leaders, error) {
	m, err := c.ask(ctx, coordinatorLimit, &metadata.Request{TopicNames: names})
	if err != nil {
		return nil, err
	}
	l := make(leaders, len(names))
	for _, t := range m.(*metadata.Response).Topics {
		l[t.Name] = t
	}
	return l, nil
}

// of returns the leader, or the code that says why there is none.
func (l leaders) of(topic string, partition int32) (int32, kafka.Error) {
	t := l[topic]
	i := sort.Search(len(t.Partitions), func(i int) bool { return t.Partitions[i].PartitionIndex >= partition })
	switch {
	case i < len(t.Partitions) && t.Partitions[i].PartitionIndex == partition:
		if node := t.Partitions[i].LeaderID; node >= 0 {
			return node, 0
		}
		return -1, kafka.LeaderNotAvailable
	case t.ErrorCode != 0:
		return -1, kafka.Error(t.ErrorCode)
	}
	return -1, kafka.UnknownTopicOrPartition
}

// codeOf is the code of a failed exchange: noAnswer, unless the transport says
// that it had no connection to send the request on.
func codeOf(err error) kafka.Error {
	for _, code := range []kafka.Error{
		kafka.SASLAuthenticationFailed, kafka.UnsupportedSASLMechanism, kafka.IllegalSASLState,
		kafka.BrokerNotAvailable,
	} {
		if errors.Is(err, code) {
			return code
		}
	}
	return noAnswer
}
