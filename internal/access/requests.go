package access

import (
	"context"
	"math"
	"net"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/addpartitionstotxn"
	"github.com/segmentio/kafka-go/protocol/createtopics"
	"github.com/segmentio/kafka-go/protocol/endtxn"
	"github.com/segmentio/kafka-go/protocol/fetch"
	"github.com/segmentio/kafka-go/protocol/heartbeat"
	"github.com/segmentio/kafka-go/protocol/metadata"

	"orderwalk/internal/kafkawire"
)

// requestLimit bounds one request.
const requestLimit = 10 * time.Second

// client sends the requests.
type client struct {
	addr      net.Addr
	transport *kafka.Transport
}

// ask sends a request to any broker, in a form that kafka-go does not recognise. Otherwise
// kafka-go would answer Metadata from its cache, which has neither the authorized
// operations nor hidden topics; and after a successful CreateTopics it would wait for the
// topic, which a validation does not create. Brokers check rights before they check
// whether they are the right broker for a request.
func (c client) ask(ctx context.Context, m protocol.Message) (kafkawire.Answer, error) {
	return c.send(ctx, kafkawire.Request{Message: m, Limit: requestLimit})
}

func (c client) send(ctx context.Context, r kafkawire.Request) (kafkawire.Answer, error) {
	return kafkawire.Wire{Addr: c.addr, Transport: c.transport}.ToAny(ctx, r)
}

const (
	// writeBit is the bit of Write (AclOperation 4) in a set of operations.
	writeBit = 1 << 4
	// unknownOperations is the set from a broker that does not report operations.
	unknownOperations = math.MinInt32
)

func (c client) describe(ctx context.Context, names []string) (map[string]metadata.ResponseTopic, error) {
	res, err := c.ask(ctx, &metadata.Request{TopicNames: names, IncludeTopicAuthorizedOperations: true})
	if err != nil {
		return nil, err
	}
	found := make(map[string]metadata.ResponseTopic, len(names))
	for _, t := range res.Message.(*metadata.Response).Topics {
		if res.Version < 8 { // authorized operations came with Kafka 2.3
			t.TopicAuthorizedOperations = unknownOperations
		}
		found[t.Name] = t
	}
	return found, nil
}

// mayCreate validates the creation of the topic. Any refusal but that of the right
// itself, such as by a policy of the cluster, is left to the actual creation.
func (c client) mayCreate(ctx context.Context, name string) (bool, error) {
	res, err := c.ask(ctx, &createtopics.Request{
		Topics:       []createtopics.RequestTopic{{Name: name, NumPartitions: -1, ReplicationFactor: -1}},
		TimeoutMs:    int32(requestLimit.Milliseconds()),
		ValidateOnly: true,
	})
	if err != nil {
		return false, err
	}
	for _, t := range res.Message.(*createtopics.Response).Topics {
		switch kafka.Error(t.ErrorCode) {
		case kafka.TopicAuthorizationFailed, kafka.ClusterAuthorizationFailed:
			return false, nil
		}
	}
	return true, nil
}

// unassignedID is a producer ID that no coordinator assigns: they start at 0.
const unassignedID = 1 << 62

func (c client) mayWriteAs(ctx context.Context, id string) (bool, error) {
	res, err := c.ask(ctx, &endtxn.Request{TransactionalID: id, ProducerID: unassignedID})
	if err != nil {
		return false, err
	}
	return kafka.Error(res.Message.(*endtxn.Response).ErrorCode) != kafka.TransactionalIDAuthorizationFailed, nil
}

// mayWriteTo checks the topics that exist and may be seen.
func (c client) mayWriteTo(ctx context.Context, id string, found map[string]metadata.ResponseTopic) (map[string]bool, error) {
	may := make(map[string]bool)
	req := &addpartitionstotxn.Request{TransactionalID: id, ProducerID: unassignedID}
	for name, t := range found {
		if t.ErrorCode == 0 || kafka.Error(t.ErrorCode) == kafka.LeaderNotAvailable {
			may[name] = t.TopicAuthorizedOperations == unknownOperations || t.TopicAuthorizedOperations&writeBit != 0
			req.Topics = append(req.Topics, addpartitionstotxn.RequestTopic{Name: name, Partitions: []int32{0}})
		}
	}
	if len(may) == 0 {
		return may, nil
	}
	res, err := c.ask(ctx, req)
	if err != nil {
		return nil, err
	}
	for _, t := range res.Message.(*addpartitionstotxn.Response).Results {
		for _, p := range t.Results {
			switch kafka.Error(p.ErrorCode) {
			case kafka.TopicAuthorizationFailed:
				may[t.Name] = false
			case kafka.TransactionalIDAuthorizationFailed: // independent of the topic
			default:
				may[t.Name] = true
			}
		}
	}
	return may, nil
}

func (c client) mayRead(ctx context.Context, name string) (bool, error) {
	res, err := c.ask(ctx, &fetch.Request{
		ReplicaID: -1, MinBytes: 0, MaxBytes: 1, SessionEpoch: -1, // no session
		Topics: []fetch.RequestTopic{{Topic: name, Partitions: []fetch.RequestPartition{{
			CurrentLeaderEpoch: -1, LogStartOffset: -1, PartitionMaxBytes: 1, FetchOffset: math.MaxInt64,
		}}}},
	})
	if err != nil {
		return false, err
	}
	for _, t := range res.Message.(*fetch.Response).Topics {
		for _, p := range t.Partitions {
			if kafka.Error(p.ErrorCode) == kafka.TopicAuthorizationFailed {
				return false, nil
			}
		}
	}
	return true, nil
}

// mayJoin sends the API's first version: kafka-go swaps two fields of the later versions'
// answers, so that every error looks like success.
func (c client) mayJoin(ctx context.Context, id string) (bool, error) {
	res, err := c.send(ctx, kafkawire.Request{Message: &heartbeat.Request{GroupID: id, MemberID: "nobody"}, Limit: requestLimit, FirstVersion: true})
	if err != nil {
		return false, err
	}
	return kafka.Error(res.Message.(*heartbeat.Response).ErrorCode) != kafka.GroupAuthorizationFailed, nil
}
