package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"

	"orderwalk/internal/backoff"
	"orderwalk/internal/config"
	"orderwalk/internal/group"
	"orderwalk/internal/kafkaconn"
	"orderwalk/internal/txn"
)

// coordinatorLimit bounds the wait for a coordinator. On a fresh cluster the
// first request makes Kafka create its internal topic, which takes a second or
// two.
const coordinatorLimit = 10 * time.Second

// transactions initializes a producer as run does for each lane, and begins no
// transaction. It uses a separate transactional ID, because a lane's ID may
// belong to a running worker, which would be fenced. Kafka forgets the ID
// after a week. If Write is granted only on the lanes' IDs by name, this ID is
// refused; then only the coordinator is looked up.
func transactions(ctx context.Context, cfg *config.Config, brokers *kafkaconn.Kafka, size int) finding {
	ctx, cancel := context.WithTimeout(ctx, coordinatorLimit)
	defer cancel()
	var last error // of the last attempt
	own := cfg.Group + "-check"
	_, err := txn.Open(ctx, txn.Config{Addr: brokers.Addr, Transport: brokers.Transport,
		TransactionalID: own, TransactionTimeout: cfg.TransactionTimeout,
		OnRetry: func(_, reason string, err error) {
			last = cmp.Or(err, errors.New(strings.TrimPrefix(reason, "Group ")))
		}})
	detail := fmt.Sprintf("may write, in transactions of up to %s", cfg.TransactionTimeout)
	if errors.Is(err, kafka.TransactionalIDAuthorizationFailed) {
		detail = fmt.Sprintf("may write; the rest is not checked, since that needs Write on %s (a right on the prefix %s- includes it)", own, cfg.Group)
		err = coordinates(ctx, brokers, cfg.Group+"-0")
		last = err
	}
	var refused *txn.Error
	switch {
	case err == nil:
		return finding{OK: true, Detail: detail}
	case errors.As(err, &refused) && !refused.Retriable && ctx.Err() == nil:
		return finding{Detail: refused.Request + ": " + kafkaconn.CodeName(refused.Code), Do: []string{hintFor(refused)}}
	case last != nil && connHint(last) != "":
		return finding{Detail: kafkaconn.Worded(last).Error(), Do: []string{connHint(last)}}
	default:
		return finding{Detail: fmt.Sprintf("no broker has coordinated transactions for %s: %v", coordinatorLimit, kafkaconn.Worded(last)),
			Do: []string{internalTopic("__transaction_state", "transaction.state.log", size)}}
	}
}

// coordinates looks up the coordinator of a transactional ID until ctx ends.
func coordinates(ctx context.Context, brokers *kafkaconn.Kafka, id string) error {
	client := kafka.Client{Addr: brokers.Addr, Transport: brokers.Transport, Timeout: coordinatorLimit}
	for {
		found, err := client.FindCoordinator(ctx, &kafka.FindCoordinatorRequest{Key: id, KeyType: kafka.CoordinatorKeyTypeTransaction})
		if err == nil {
			err = found.Error
		}
		if err == nil {
			return nil
		}
		if backoff.Sleep(ctx, 250*time.Millisecond) != nil {
			return err
		}
	}
}

// membership checks whether a worker could join the group, without joining.
func membership(ctx context.Context, cfg *config.Config, brokers *kafkaconn.Kafka, size int) finding {
	ctx, cancel := context.WithTimeout(ctx, coordinatorLimit)
	defer cancel()
	err := group.Try(ctx, group.Config{Addr: brokers.Addr, Transport: brokers.Transport, GroupID: cfg.Group, SessionTimeout: cfg.SessionTimeout})
	var refused *group.Error
	switch {
	case err == nil:
		return finding{OK: true, Detail: fmt.Sprintf("may join, with a session timeout of %s", cfg.SessionTimeout)}
	case errors.As(err, &refused):
		return finding{Detail: refused.Doing + ": " + kafkaconn.CodeName(refused.Code), Do: []string{hintFor(refused)}}
	case errors.Is(err, group.ErrNoCoordinator):
		return finding{Detail: kafkaconn.Worded(err).Error(), Do: []string{internalTopic("__consumer_offsets", "offsets.topic", size)}}
	default:
		return finding{Detail: kafkaconn.Worded(err).Error(), Do: []string{hintFor(brokers.Failed(err))}}
	}
}

// internalTopic returns what to do if Kafka has no coordinators. It needs an
// internal topic whose partitions have leaders.
func internalTopic(topic, settings string, size int) string {
	if size > 0 && size < 3 {
		return fmt.Sprintf("Kafka keeps this in its topic %s, which has 3 replicas by default, and %s: set %s.replication.factor%s to %d in the brokers' configuration, or add brokers",
			topic, count(size, "broker")+" cannot hold that many", settings, minISR(settings), size)
	}
	return fmt.Sprintf("Kafka keeps this in its topic %s: see the brokers' log for why it cannot be created (%s.replication.factor), or has partitions without a leader or too few replicas in sync", topic, settings)
}

// minISR returns the broker setting that must be lowered together with the
// replication factor; empty for a topic without one.
func minISR(settings string) string {
	if settings == "transaction.state.log" {
		return " and " + settings + ".min.isr"
	}
	return ""
}

// largestBatch returns a topic's max.message.bytes, if this client may read
// it; that requires DescribeConfigs, which run does not need.
func largestBatch(ctx context.Context, brokers *kafkaconn.Kafka, topic string) (bytes int, known bool) {
	client := kafka.Client{Addr: brokers.Addr, Transport: brokers.Transport, Timeout: checkLimit}
	res, err := client.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{Resources: []kafka.DescribeConfigRequestResource{{
		ResourceType: kafka.ResourceTypeTopic, ResourceName: topic, ConfigNames: []string{"max.message.bytes"},
	}}})
	if err != nil {
		return 0, false
	}
	for _, r := range res.Resources {
		for _, c := range r.ConfigEntries {
			if n, err := strconv.Atoi(c.ConfigValue); err == nil && r.Error == nil && c.ConfigName == "max.message.bytes" {
				return n, true
			}
		}
	}
	return 0, false
}
