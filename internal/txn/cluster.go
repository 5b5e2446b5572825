package txn

import (
	"context"
	"errors"
	"net"
	"sort"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/metadata"

	"orderwalk/internal/kafkawire"
)

// cluster sends requests to brokers that this package chooses. kafka-go's transport
// would look up the coordinator before every transactional request and ignore an
// error in the answer.
type cluster struct{ kafkawire.Wire }

func clusterAt(addr net.Addr, transport *kafka.Transport) cluster {
	return cluster{kafkawire.Wire{Addr: addr, Transport: transport}}
}

// exchange sends a request to a broker and waits up to limit for its answer.
func (c cluster) exchange(ctx context.Context, node int32, limit time.Duration, m protocol.Message) (protocol.Message, error) {
	answer, err := c.ToBroker(ctx, node, kafkawire.Request{Message: m, Limit: limit})
	return answer.Message, err
}

// ask is exchange for requests that any broker answers.
func (c cluster) ask(ctx context.Context, limit time.Duration, m protocol.Message) (protocol.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return c.Transport.RoundTrip(ctx, c.Addr, m)
}

// leaders holds the topics' metadata as far as the transport knows it.
type leaders map[string]metadata.ResponseTopic

// leaders looks the topics up in the transport's cache; no request is sent
// unless it is the transport's first. Refresh renews the cache.
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

// of returns the leader, or the code that explains why there is none.
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

// codeOf returns the code of a failed exchange: noAnswer, unless the transport reports
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
