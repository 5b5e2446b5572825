package group

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/describegroups"
	"github.com/segmentio/kafka-go/protocol/heartbeat"

	"orderwalk/internal/kafkawire"
)

// call sends requests to the coordinator of the group.
type call struct {
	addr      net.Addr
	transport *kafka.Transport
	group     string
}

func (c call) wire() kafkawire.Wire { return kafkawire.Wire{Addr: c.addr, Transport: c.transport} }

// heartbeat returns nil, an *Error, a code of Kafka, or why there was no
// answer within limit.
func (c call) heartbeat(ctx context.Context, limit time.Duration, generation int32, member string) error {
	// The first version: kafka-go reads the later ones' answers with their fields
	// exchanged, so that every error comes out as success.
	answer, err := c.wire().ToGroup(ctx, c.group, kafkawire.Request{Limit: limit, FirstVersion: true,
		Message: &heartbeat.Request{GroupID: c.group, GenerationID: generation, MemberID: member}})
	if err == nil {
		if code := answer.Message.(*heartbeat.Response).ErrorCode; code != 0 {
			err = kafka.Error(code)
		}
	}
	return classify("heartbeat", err)
}

// member is one of the group, as the coordinator describes it. What it told when
// it joined is there while the group is not rebalancing.
type member struct {
	id, clientID string
	metadata     []byte
}

// members lists the group. They are none while it does not exist.
func (c call) members(ctx context.Context, limit time.Duration) ([]member, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	// Not Client.DescribeGroups: it fails over metadata of other programs.
	answer, err := c.transport.RoundTrip(ctx, c.addr, &describegroups.Request{Groups: []string{c.group}})
	if err != nil {
		return nil, classify("describe the group", err)
	}
	var found []member
	for _, g := range answer.(*describegroups.Response).Groups {
		if code := kafka.Error(g.ErrorCode); code != 0 && code != kafka.GroupIdNotFound {
			return nil, classify("describe the group", code)
		}
		for _, m := range g.Members {
			found = append(found, member{m.MemberID, m.ClientID, m.MemberMetadata})
		}
	}
	return found, nil
}

// leave takes a member out of the group. One that is not in it is no error.
func (c call) leave(ctx context.Context, limit time.Duration, id string) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	client := kafka.Client{Addr: c.addr, Transport: c.transport}
	answer, err := client.LeaveGroup(ctx, &kafka.LeaveGroupRequest{
		GroupID: c.group, Members: []kafka.LeaveGroupRequestMember{{ID: id}},
	})
	if err == nil {
		err = answer.Error
	}
	if err == nil {
		err = answer.Members[0].Error
	}
	if gone(err) {
		return nil
	}
	return classify("leave the group", err)
}

// gone tells whether the coordinator does not know the member.
func gone(err error) bool {
	return errors.Is(err, kafka.UnknownMemberId) || errors.Is(err, kafka.GroupIdNotFound) ||
		errors.Is(err, kafka.FencedInstanceID)
}
