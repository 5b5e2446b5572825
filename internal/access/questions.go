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

// questionLimit bounds one question.
const questionLimit = 10 * time.Second

// client asks the questions.
type client struct {
	addr      net.Addr
	transport *kafka.Transport
}

// ask sends a question to any broker, and not as a request that kafka-go recognises.
// It would answer Metadata from its cache, which has neither the authorized operations
// nor topics one may not see; and after a CreateTopics request that succeeds it would
// wait for the topic, which a validation does not create. Rights are looked at before
// the question whether the broker is the one to answer.
func (c client) ask(ctx context.Context, m protocol.Message) (kafkawire.Answer, error) {
	return c.send(ctx, kafkawire.Request{Message: m, Limit: questionLimit})
}

func (c client) send(ctx context.Context, r kafkawire.Request) (kafkawire.Answer, error) {
	return kafkawire.Wire{Addr: c.addr, Transport: c.transport}.ToAny(ctx, r)
}

const (
	// writeBit is that of Write (AclOperation 4) in a set of operations.
	writeBit = 1 << 4
	// untold is the set a broker answers that does not tell.
	untold = math.MinInt32
)

func (c client) describe(ctx context.Context, names []string) (map[string]metadata.ResponseTopic, error) {
	res, err := c.ask(ctx, &metadata.Request{TopicNames: names, IncludeTopicAuthorizedOperations: true})
	if err != nil {
		return nil, err
	}
	found := make(map[string]metadata.ResponseTopic, len(names))
	for _, t := range res.Message.(*metadata.Response).Topics {
		if res.Version < 8 { // authorized operations came with Kafka 2.3
			t.TopicAuthorizedOperations = untold
		}
		found[t.Name] = t
	}
	return found, nil
}

// mayCreate asks for the topic without creating it. Anything but a refusal of
// the right itself, such as a policy of the cluster, is for the creation to
// meet.
func (c client) mayCreate(ctx context.Context, name string) (bool, error) {
	res, err := c.ask(ctx, &createtopics.Request{
		Topics:       []createtopics.RequestTopic{{Name: name, NumPartitions: -1, ReplicationFactor: -1}},
		TimeoutMs:    int32(questionLimit.Milliseconds()),
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

// nobody is a producer ID that no coordinator gives away: they count from 0.
const nobody = 1 << 62

func (c client) mayWriteAs(ctx context.Context, id string) (bool, error) {
	res, err := c.ask(ctx, &endtxn.Request{TransactionalID: id, ProducerID: nobody})
	if err != nil {
		return false, err
	}
	return kafka.Error(res.Message.(*endtxn.Response).ErrorCode) != kafka.TransactionalIDAuthorizationFailed, nil
}

// mayWriteTo tells for the topics that are there and may be seen.
func (c client) mayWriteTo(ctx context.Context, id string, found map[string]metadata.ResponseTopic) (map[string]bool, error) {
	may := make(map[string]bool)
	req := &addpartitionstotxn.Request{TransactionalID: id, ProducerID: nobody}
	for name, t := range found {
		if t.ErrorCode == 0 || kafka.Error(t.ErrorCode) == kafka.LeaderNotAvailable {
			may[name] = t.TopicAuthorizedOperations == untold || t.TopicAuthorizedOperations&writeBit != 0
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
			case kafka.TransactionalIDAuthorizationFailed: // says nothing of the topic
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

// mayJoin takes the first version: of later ones kafka-go reads the answer's
// fields in the wrong order, so that every error comes out as success.
func (c client) mayJoin(ctx context.Context, id string) (bool, error) {
	res, err := c.send(ctx, kafkawire.Request{Message: &heartbeat.Request{GroupID: id, MemberID: "nobody"}, Limit: questionLimit, FirstVersion: true})
	if err != nil {
		return false, err
	}
	return kafka.Error(res.Message.(*heartbeat.Response).ErrorCode) != kafka.GroupAuthorizationFailed, nil
}
