package group

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"

	"orderwalk/internal/backoff"
)

// tryPause is between two questions for a coordinator.
const tryPause = 250 * time.Millisecond

// ErrNoCoordinator says that no broker coordinates the group.
var ErrNoCoordinator = errors.New("no broker coordinates the group")

// Try finds out, until ctx ends, whether a worker of this configuration could be
// a member of the group, without becoming one: the coordinator is asked by a
// member it cannot know, and refuses a session timeout, a name or a protocol
// before it refuses the member. What waiting does not change is an *Error.
func Try(ctx context.Context, cfg Config) error {
	client := kafka.Client{Addr: cfg.Addr, Transport: cfg.Transport, Timeout: 5 * time.Second}
	var last error // of a try that ctx did not end
	for {
		err := try(ctx, &client, cfg)
		var refused *Error
		switch {
		case err == nil || errors.As(err, &refused):
			return err
		case ctx.Err() != nil && last != nil:
			return last
		}
		last = err
		if backoff.Sleep(ctx, tryPause) != nil {
			return last
		}
	}
}

func try(ctx context.Context, client *kafka.Client, cfg Config) error {
	// kafka-go asks too, before it sends what is for a coordinator, and ignores a
	// refusal.
	found, err := client.FindCoordinator(ctx, &kafka.FindCoordinatorRequest{Key: cfg.GroupID, KeyType: kafka.CoordinatorKeyTypeConsumer})
	if err == nil {
		err = found.Error
	}
	if err != nil {
		return noCoordinator(classify("find the group's coordinator", err))
	}
	joined, err := client.JoinGroup(ctx, &kafka.JoinGroupRequest{
		GroupID: cfg.GroupID, MemberID: "nobody", ProtocolType: "consumer",
		SessionTimeout: cfg.SessionTimeout, RebalanceTimeout: cfg.SessionTimeout,
		Protocols: []kafka.GroupProtocol{{Name: balancer{}.ProtocolName()}},
	})
	if err == nil {
		err = joined.Error
	}
	if gone(err) {
		return nil
	}
	if err == nil { // no coordinator takes in a member that it does not know
		return fmt.Errorf("join the group: as a member that nobody knows, %q", joined.MemberID)
	}
	return noCoordinator(classify("join the group", err))
}

// noCoordinator marks the answers of brokers that coordinate nothing, or not yet.
func noCoordinator(err error) error {
	for _, code := range []kafka.Error{kafka.GroupCoordinatorNotAvailable, kafka.NotCoordinatorForGroup, kafka.GroupLoadInProgress} {
		if errors.Is(err, code) {
			return fmt.Errorf("%w: %w", ErrNoCoordinator, err)
		}
	}
	return err
}
