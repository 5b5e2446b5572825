package connector

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
	"golang.org/x/sync/errgroup"

	"orderwalk/connector/window"
	"orderwalk/internal/txn"
	"orderwalk/offsets"
)

// UnreadError reports a shop whose start time is earlier than where its walk began. A
// start time counts only at the first start, so the orders in between are not read.
type UnreadError struct {
	Shop         string
	Start, Begin int64
}

func (e *UnreadError) Error() string {
	return fmt.Sprintf("the start time of shop %s is %d (%s), but its walk began at %d (%s), and a start time applies only at a shop's first start: earlier orders are not read",
		e.Shop, e.Start, text(e.Start), e.Begin, text(e.Begin))
}

func text(second int64) string { return time.Unix(second, 0).UTC().Format(time.RFC3339) }

// unread compares a checkpoint with the shop's start time. It returns nil if the walk
// began there or earlier, if where it began is unknown, or if nothing has been read
// yet: then the walk begins at the start time.
func unread(c *offsets.Checkpoint, shop Shop) *UnreadError {
	start := shop.Policy.Start
	if c == nil || c.Unheard || c.Begin == 0 || start == 0 || start >= c.Begin {
		return nil
	}
	return &UnreadError{Shop: shop.Name, Start: start, Begin: c.Begin}
}

// adopt sets where a walk began if an earlier version, which did not store that, began
// it: at the configured start time, if that is possible. Without one it stays unknown.
// It reports whether the checkpoint has changed.
func adopt(c *offsets.Checkpoint, p window.Policy) bool {
	first := c.Watermark
	if len(c.Windows) > 0 {
		first = min(first, c.Windows[0].Start)
	}
	if c.Begin > 0 || p.Start == 0 || p.Start > first {
		return false
	}
	c.Begin = p.Start
	return true
}

// setUnread sets the time that is not read, and reports whether that is news.
func (h *shopState) setUnread(e *UnreadError) (news bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	before := h.unread
	h.unread = e
	return e != nil && (before == nil || *before != *e)
}

// Checkpoints locates the checkpoints of a group, for Unread.
type Checkpoints struct {
	Group, Topic string // the worker group, the offsets topic
	Partitions   int    // of the topic
	Addr         net.Addr
	Transport    *kafka.Transport
	Log          *slog.Logger
}

// Unread reads the checkpoints, and returns by name the shops whose start time is
// earlier than where their walk began.
func Unread(ctx context.Context, at Checkpoints, shops []Shop) ([]*UnreadError, error) {
	of := make(map[int][]Shop)
	for _, shop := range shops {
		if shop.Policy.Start > 0 {
			number := laneOf(at.Group, shop.partition(), at.Partitions)
			of[number] = append(of[number], shop)
		}
	}
	found := make([][]*UnreadError, at.Partitions)
	reading, ctx := errgroup.WithContext(ctx)
	reading.SetLimit(4)
	for number, shops := range of {
		reading.Go(func() error {
			loader := offsets.Loader{Group: at.Group}
			reader := txn.Reader{Addr: at.Addr, Transport: at.Transport, Log: at.Log}
			if _, err := reader.ReadToEnd(ctx, at.Topic, int32(number), 0, func(r txn.Record) error {
				if !bytes.Contains(r.Key, part) {
					loader.Add(r.Key, r.Value)
				}
				return nil
			}); err != nil {
				return fmt.Errorf("read checkpoints: %w", err)
			}
			lane := loader.Load()
			for _, shop := range shops {
				known := lane.Shops[shop.partition()]
				if known == nil {
					continue
				}
				if e := unread(known.Checkpoint, shop); e != nil {
					found[number] = append(found[number], e)
				}
			}
			return nil
		})
	}
	if err := reading.Wait(); err != nil {
		return nil, err
	}
	all := slices.Concat(found...)
	slices.SortFunc(all, func(a, b *UnreadError) int { return strings.Compare(a.Shop, b.Shop) })
	return all, nil
}
