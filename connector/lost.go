package connector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"

	"orderwalk/connector/window"
	"orderwalk/internal/backoff"
	"orderwalk/internal/record"
	"orderwalk/internal/topics"
	"orderwalk/internal/txn"
	"orderwalk/offsets"
)

// lostTail is how many records at the end of each partition of an orders topic are
// searched.
const lostTail = 1000

// errFound ends a reading early.
var errFound = errors.New("found")

// LostError reports that the offsets topic is missing although this group has published
// orders of these shops. Its checkpoints were deleted with it. To create it again would
// begin at START_TIME and publish everything again.
type LostError struct {
	Topic, Orders string
	Partition     offsets.Partition
	Partitions    int // that Topic gets when it is created
}

func (e *LostError) Error() string {
	return fmt.Sprintf("find checkpoints: topic %s does not exist, but topic %s holds orders of %s; nothing was started over",
		e.Topic, e.Orders, e.Partition)
}

// refuseLost refuses to create an offsets topic that has existed before. At a first
// start the orders topics are empty or missing.
func (c *Connector) refuseLost(ctx context.Context) error {
	c.mu.Lock()
	names := c.usedTopics()
	shops := make(map[offsets.Partition]Shop, len(c.cfg.Shops))
	for _, shop := range c.cfg.Shops {
		shops[shop.partition()] = shop
	}
	c.mu.Unlock()
	there, err := topics.There(ctx, c.cfg.Addr, c.cfg.Transport, append(names, c.cfg.OffsetsTopic)...)
	if err != nil || there[c.cfg.OffsetsTopic] > 0 {
		return err
	}
topics:
	for _, name := range names {
		for partition := range there[name] {
			found, err := c.published(ctx, name, int32(partition), shops)
			switch {
			case errors.Is(err, kafka.TopicAuthorizationFailed):
				c.cfg.Log.Warn("the offsets topic is missing and will be created; without Read on the orders topic orderwalk cannot tell whether it was deleted: if it was, orders are published again",
					"offsets_topic", c.cfg.OffsetsTopic, "topic", name)
				continue topics
			case err != nil:
				return err
			case found == nil:
				continue
			}
			switch before, err := c.hadLanes(ctx); {
			case err != nil:
				return err
			case before && c.waitForTopic(ctx):
				return nil
			case !before:
				c.cfg.Log.Warn("the offsets topic is missing and will be created; this group has published nothing yet, but another has: orders both read will be published again",
					"offsets_topic", c.cfg.OffsetsTopic, "topic", name, "found", found.String())
				return nil
			default:
				return &LostError{Topic: c.cfg.OffsetsTopic, Orders: name, Partition: *found, Partitions: c.cfg.OffsetsPartitions}
			}
		}
	}
	return nil
}

// waitForTopic waits up to two seconds for the offsets topic: another worker may just
// have created it, and brokers learn of it one after another.
func (c *Connector) waitForTopic(ctx context.Context) bool {
	for range 10 {
		if backoff.Sleep(ctx, 200*time.Millisecond) != nil {
			return false
		}
		there, err := topics.There(ctx, c.cfg.Addr, c.cfg.Transport, c.cfg.OffsetsTopic)
		if err == nil && there[c.cfg.OffsetsTopic] > 0 {
			return true
		}
	}
	return false
}

// hadLanes reports whether the group has opened lanes before. Kafka remembers
// transactional IDs for a week, and gives a new one epoch 0.
func (c *Connector) hadLanes(ctx context.Context) (bool, error) {
	for lane := range c.cfg.OffsetsPartitions {
		writer, err := txn.Open(ctx, txn.Config{
			Addr: c.cfg.Addr, Transport: c.cfg.Transport, TransactionalID: c.cfg.transactionalID(lane),
			TransactionTimeout: c.cfg.TransactionTimeout, Log: c.cfg.Log,
		})
		if err != nil {
			return false, fmt.Errorf("check whether the group has opened lanes before: %w", err)
		}
		if writer.Epoch() > 0 {
			return true, nil
		}
	}
	return false, nil
}

// published searches the end of a partition for an order that one of the shops would
// publish again, or whose loss would leave a gap.
func (c *Connector) published(ctx context.Context, topic string, partition int32, shops map[offsets.Partition]Shop) (found *offsets.Partition, err error) {
	who := "search for orders"
	defer c.outage.over(who)
	reader := txn.Reader{Addr: c.cfg.Addr, Transport: c.cfg.Transport, Log: c.cfg.Log, OnRetry: c.outage.of(who)}
	encoder, err := c.cfg.Format.Open(ctx, topic)
	if err != nil {
		return nil, err
	}
	first, err := reader.First(ctx, topic, partition)
	if err != nil {
		return nil, err
	}
	last, err := reader.Last(ctx, topic, partition)
	if err != nil || last <= first {
		return nil, err
	}
	_, err = reader.ReadToEnd(ctx, topic, partition, max(first, last-lostTail), func(r txn.Record) error {
		var p offsets.Partition
		for _, h := range r.Headers {
			switch h.Key {
			case record.HeaderShop:
				p.Shop = string(h.Value)
			case record.HeaderRange:
				p.Range = string(h.Value)
			}
		}
		if shop, ours := shops[p]; ours && wouldRead(shop.Policy, encoder, r.Value) {
			found = &p
			return errFound
		}
		return nil
	})
	if errors.Is(err, errFound) {
		err = nil
	}
	return found, err
}

// wouldRead reports whether a walk from the beginning would reach the window of a
// published order. A shop without a start time would begin now and skip what came
// since, so it counts as true. So does a value of another format.
func wouldRead(p window.Policy, encoder record.Encoder, value []byte) bool {
	order, err := encoder.Decode(value)
	if p.Start == 0 || err != nil {
		return true
	}
	return order.End > p.Start && (p.End == 0 || order.Start < p.LastEnd())
}

// DeletedError is an offsets topic that was deleted while a lane was written to it.
// To create it, as one would another topic, publishes all orders again.
type DeletedError struct{ Err error }

func (e *DeletedError) Error() string {
	return e.Err.Error() + "; the topic was deleted, and its checkpoints with it"
}
func (e *DeletedError) Unwrap() error { return e.Err }

// explainDeleted returns the error of an offsets topic that was deleted under a lane. Any other
// refusal is err.
func (l *lane) explainDeleted(refusal *txn.Error, err error) error {
	if refusal.Code != kafka.UnknownTopicOrPartition || refusal.Topic != l.cfg.OffsetsTopic {
		return err
	}
	return &DeletedError{refusal}
}
