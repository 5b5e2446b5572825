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

// heartbeat returns nil, an *Error, a kafka.Error, or the reason why no answer came
// within limit.
func (c call) heartbeat(ctx context.Context, limit time.Duration, generation int32, member string) error {
	// The first version: kafka-go swaps two fields of the later versions' answers, so
	// that every error looks like success.
	answer, err := c.wire().ToGroup(ctx, c.group, kafkawire.Request{Limit: limit, FirstVersion: true,
		Message: &heartbeat.Request{GroupID: c.group, GenerationID: generation, MemberID: member}})
	if err == nil {
		if code := answer.Message.(*heartbeat.Response).ErrorCode; code != 0 {
			err = kafka.Error(code)
		}
	}
	return classify("heartbeat", err)
}

// member is a member of the group as the coordinator describes it. Its metadata and its
// assignment are empty while the group rebalances.
type member struct {
	id, clientID         string
	metadata, assignment []byte
}

// members lists the group. A missing group has no members.
func (c call) members(ctx context.Context, limit time.Duration) ([]member, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	// Not Client.DescribeGroups: it fails on metadata of other programs.
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
			found = append(found, member{m.MemberID, m.ClientID, m.MemberMetadata, m.MemberAssignment})
		}
	}
	return found, nil
}

// leave removes a member from the group. A member that is not in it is no error.
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

// gone reports whether the coordinator does not know the member.
func gone(err error) bool {
	return errors.Is(err, kafka.UnknownMemberId) || errors.Is(err, kafka.GroupIdNotFound) ||
		errors.Is(err, kafka.FencedInstanceID)
}
