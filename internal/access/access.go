package access

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/createtopics"
	"github.com/segmentio/kafka-go/protocol/endtxn"
	"github.com/segmentio/kafka-go/protocol/heartbeat"
	"github.com/segmentio/kafka-go/protocol/metadata"
)

// questionLimit bounds one question.
const questionLimit = 10 * time.Second

// Needs are the resources an orderwalk works with.
type Needs struct {
	Orders           []string // topics that records are written to
	Offsets          string   // topic of the checkpoints, written and read
	TransactionalIDs []string // of the lanes
	Group            string   // of the workers
}

// Right is an operation on a resource, in Kafka's words.
type Right struct {
	Operation string // "Read", "Write", "Create"
	Resource  string // "topic", "transactional ID", "group"
	Name      string
}

// String is such as: Write on topic "wechat.orders".
func (r Right) String() string { return fmt.Sprintf("%s on %s %q", r.Operation, r.Resource, r.Name) }

// Command grants the right to the principal with Kafka's own tool; connecting
// as an administrator is left to the reader.
func (r Right) Command(principal string) string {
	option := map[string]string{"topic": "topic", "transactional ID": "transactional-id", "group": "group"}[r.Resource]
	return fmt.Sprintf("kafka-acls.sh --add --allow-principal %s --operation %s --%s %s", quote(principal), r.Operation, option, quote(r.Name))
}

// quote is for a shell.
func quote(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-:") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// Report is what was found.
type Report struct {
	// Partitions has every topic that is there and may be seen.
	Partitions map[string]int
	// Absent are topics that are not there.
	Absent []string
	// Missing are the rights to be granted, in the order of Needs.
	Missing []Right
}

// Look asks Kafka about all that is needed. An error means that it could not be
// asked; rights that are missing are no error.
func Look(ctx context.Context, addr net.Addr, transport *kafka.Transport, n Needs) (Report, error) {
	c := client{addr, transport}
	r := Report{Partitions: map[string]int{}}
	topics := n.Orders
	if n.Offsets != "" {
		topics = append(append([]string{}, n.Orders...), n.Offsets)
	}
	found, err := c.describe(ctx, topics)
	if err != nil {
		return r, fmt.Errorf("ask for topics: %w", err)
	}
	for _, name := range topics {
		wanted := []operation{opWrite}
		if name == n.Offsets {
			wanted = []operation{opRead, opWrite}
		}
		if err := c.lookAtTopic(ctx, &r, found[name], name, wanted); err != nil {
			return r, err
		}
	}
	for _, id := range n.TransactionalIDs {
		may, err := c.mayWriteAs(ctx, id)
		if err != nil {
			return r, fmt.Errorf("ask for transactional ID %q: %w", id, err)
		}
		if !may {
			r.Missing = append(r.Missing, Right{"Write", "transactional ID", id})
		}
	}
	if n.Group != "" {
		may, err := c.mayJoin(ctx, n.Group)
		if err != nil {
			return r, fmt.Errorf("ask for group %q: %w", n.Group, err)
		}
		if !may {
			r.Missing = append(r.Missing, Right{"Read", "group", n.Group})
		}
	}
	return r, nil
}

// lookAtTopic adds one topic to the report.
func (c client) lookAtTopic(ctx context.Context, r *Report, t metadata.ResponseTopic, name string, wanted []operation) error {
	missing := func(ops ...operation) {
		for _, op := range ops {
			r.Missing = append(r.Missing, Right{op.String(), "topic", name})
		}
	}
	switch code := kafka.Error(t.ErrorCode); code {
	case kafka.TopicAuthorizationFailed:
		// Whether it is there Kafka keeps to itself. Any of the wanted rights
		// includes Describe.
		missing(wanted...)
		return nil
	case kafka.UnknownTopicOrPartition:
		r.Absent = append(r.Absent, name)
		may, err := c.mayCreate(ctx, name)
		if err != nil {
			return fmt.Errorf("ask for creation of topic %q: %w", name, err)
		}
		if !may {
			missing(opCreate)
		}
		return nil
	case 0, kafka.LeaderNotAvailable:
		r.Partitions[name] = len(t.Partitions)
		for _, op := range wanted {
			if !op.in(t.TopicAuthorizedOperations) {
				missing(op)
			}
		}
		return nil
	default:
		return fmt.Errorf("ask for topic %q: %w", name, code)
	}
}

// operation is Kafka's number of an operation (AclOperation).
type operation int

const (
	opRead   operation = 3
	opWrite  operation = 4
	opCreate operation = 5
)

func (o operation) String() string {
	return map[operation]string{opRead: "Read", opWrite: "Write", opCreate: "Create"}[o]
}

// untold is what a broker answers that was not asked or does not tell.
const untold = -1 << 31

// in tells whether the set has the operation; a set that was not told does.
func (o operation) in(set int32) bool { return set == untold || set&(1<<o) != 0 }

// client asks the questions.
type client struct {
	addr      net.Addr
	transport *kafka.Transport
}

func (c client) ask(ctx context.Context, m protocol.Message) (bareAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, questionLimit)
	defer cancel()
	res, err := c.transport.RoundTrip(ctx, c.addr, &bare{Message: m, clientID: c.transport.ClientID})
	if err != nil {
		return bareAnswer{}, err
	}
	return res.(bareAnswer), nil
}

func (c client) describe(ctx context.Context, names []string) (map[string]metadata.ResponseTopic, error) {
	res, err := c.ask(ctx, &metadata.Request{TopicNames: names, IncludeTopicAuthorizedOperations: true})
	if err != nil {
		return nil, err
	}
	found := make(map[string]metadata.ResponseTopic, len(names))
	for _, t := range res.Message.(*metadata.Response).Topics {
		if res.version < 8 { // authorized operations came with Kafka 2.3
			t.TopicAuthorizedOperations = untold
		}
		found[t.Name] = t
	}
	return found, nil
}

// mayCreate asks for the topic without creating it. Anything but a refusal of
// the right itself, such as a policy of the cluster, is for the creation to
// meet.
func (c client) mayCreate(ctx context.Context, topic string) (bool, error) {
	res, err := c.ask(ctx, &createtopics.Request{
		Topics:       []createtopics.RequestTopic{{Name: topic, NumPartitions: -1, ReplicationFactor: -1}},
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
	ctx, cancel := context.WithTimeout(ctx, questionLimit)
	defer cancel()
	res, err := c.transport.RoundTrip(ctx, c.addr, &endtxn.Request{TransactionalID: id, ProducerID: nobody})
	if err != nil {
		return false, err
	}
	return kafka.Error(res.(*endtxn.Response).ErrorCode) != kafka.TransactionalIDAuthorizationFailed, nil
}

func (c client) mayJoin(ctx context.Context, group string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, questionLimit)
	defer cancel()
	res, err := c.transport.RoundTrip(ctx, c.addr, &heartbeat.Request{GroupID: group, MemberID: "access-check"})
	if err != nil {
		return false, err
	}
	return kafka.Error(res.(*heartbeat.Response).ErrorCode) != kafka.GroupAuthorizationFailed, nil
}

// Refused tells whether Kafka refused something for want of a right.
func Refused(err error) bool {
	for _, code := range []kafka.Error{
		kafka.TopicAuthorizationFailed, kafka.GroupAuthorizationFailed,
		kafka.ClusterAuthorizationFailed, kafka.TransactionalIDAuthorizationFailed,
	} {
		if errors.Is(err, code) {
			return true
		}
	}
	return false
}
