package group

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"

	"orderwalk/internal/backoff"
)

// tryPause is the time between two lookups of the coordinator.
const tryPause = 250 * time.Millisecond

// ErrNoCoordinator means that no broker coordinates the group.
var ErrNoCoordinator = errors.New("no broker coordinates the group")

// Try finds out, until ctx ends, whether a worker with this configuration could join
// the group, without joining it. It joins under an unknown member ID: the coordinator
// refuses a session timeout, a group name or a protocol before it refuses the member. A
// refusal that a retry does not change is an *Error.
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
	// kafka-go looks the coordinator up too before it sends a group request, but
	// ignores a refusal.
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
	if err == nil { // no coordinator accepts an unknown member ID
		return fmt.Errorf("join the group: the coordinator accepted an unknown member ID as %q", joined.MemberID)
	}
	return noCoordinator(classify("join the group", err))
}

// noCoordinator wraps errors of brokers that do not coordinate the group, or not yet.
func noCoordinator(err error) error {
	for _, code := range []kafka.Error{kafka.GroupCoordinatorNotAvailable, kafka.NotCoordinatorForGroup, kafka.GroupLoadInProgress} {
		if errors.Is(err, code) {
			return fmt.Errorf("%w: %w", ErrNoCoordinator, err)
		}
	}
	return err
}
