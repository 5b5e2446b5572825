package txn

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// walker publishes pages of orders as a lane does: it opens, reads the checkpoint and
// continues from there. After a failure it starts again unless a newer walker has
// taken over.
type walker struct {
	open    func(context.Context) (*Writer, error)
	reader  *Reader
	orders  string // topic of 6 partitions
	offsets string // topic of the checkpoint
	last    int
	number  int32
	newest  *atomic.Int32 // the walker that owns the work
	opened  int           // how often
}

func (k *walker) run(ctx context.Context) error {
	for k.newest.Load() == k.number {
		writer, err := k.open(ctx)
		if errors.Is(err, ErrFenced) {
			continue // a newer walker opened too, and this one had something to finish
		}
		if err != nil {
			return err
		}
		k.opened++
		if k.newest.Load() != k.number { // fenced the new owner by coming late
			return nil
		}
		at, err := k.checkpoint(ctx)
		if err != nil {
			return err
		}
		for at < k.last && err == nil {
			page := min(50, k.last-at)
			if err = k.publish(ctx, writer, at+1, at+page); err == nil {
				at += page
			}
		}
		var refused *Error
		switch {
		case err == nil:
			return nil
		case errors.Is(err, ErrFenced), errors.Is(err, ErrInDoubt):
		case errors.As(err, &refused) && refused.Retriable:
		default:
			return err
		}
	}
	return nil
}

// publish commits a page and the checkpoint that covers it.
func (k *walker) publish(ctx context.Context, writer *Writer, first, last int) error {
	tx := writer.Begin()
	for i := first; i <= last; i++ {
		id := strconv.Itoa(i)
		if err := tx.Append(k.orders, int32(i%6), time.Now(), []byte(id), []byte("order "+id), nil); err != nil {
			return err
		}
	}
	if err := tx.Append(k.offsets, 0, time.Now(), []byte("checkpoint"), []byte(strconv.Itoa(last)), nil); err != nil {
		return err
	}
	return writer.Commit(ctx, tx)
}

func (k *walker) checkpoint(ctx context.Context) (at int, err error) {
	_, err = k.reader.ReadToEnd(ctx, k.offsets, 0, 0, func(r Record) error {
		at, err = strconv.Atoi(string(r.Value))
		return err
	})
	return at, err
}

// Requests and answers are lost, swallowed and delayed, leaders and the coordinator
// move, confirmed commits are left open, owners take over from each other: every order is
// published once.
func TestChaos(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *fixture) {
				const last, owners = 2000, 3
				dice := rand.New(rand.NewPCG(seed, 2))
				trouble, leftOpen := 0, 0
				w.disturb(func(key kmsg.Key, _ int) fate {
					w.mu.Lock()
					defer w.mu.Unlock()
					if key == kmsg.ApiVersions || dice.IntN(12) != 0 {
						return fate{}
					}
					trouble++
					delay := time.Duration(dice.IntN(25_000)) * time.Millisecond
					return []fate{{do: lose}, {do: swallow}, {do: cut}, {late, delay}}[dice.IntN(4)]
				})
				open := rand.New(rand.NewPCG(seed, 4))
				produced := false // a transaction that is open for good ends with the next marker, not with a new epoch
				w.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
					w.KeepControl()
					w.mu.Lock()
					defer w.mu.Unlock()
					produced = true
					return nil, nil, false
				})
				w.ControlKey(int16(kmsg.EndTxn), func(r kmsg.Request) (kmsg.Response, error, bool) {
					w.KeepControl()
					w.mu.Lock()
					defer w.mu.Unlock()
					had := produced
					produced = false
					if !had || !r.(*kmsg.EndTxnRequest).Commit || open.IntN(10) != 0 || w.disturbed.quiet.Load() {
						return nil, nil, false
					}
					leftOpen++
					return r.ResponseKind(), nil, true
				})
				moving, stop := context.WithCancel(t.Context())
				moved := make(chan struct{})
				go func() {
					defer close(moved)
					own := rand.New(rand.NewPCG(seed, 3))
					for moving.Err() == nil {
						time.Sleep(time.Duration(own.IntN(10_000)) * time.Millisecond)
						w.MoveTopicPartition(orders, int32(own.IntN(6)), int32(own.IntN(3)))
						if own.IntN(2) == 0 {
							w.RehashCoordinators()
						}
					}
				}()

				var newest atomic.Int32
				failed := make(chan error, owners)
				walkers := make([]*walker, owners+1)
				for i := range walkers {
					transport := w.newTransport()
					transport.Dial = w.transport.Dial
					// An unanswered metadata request costs the transport this long.
					transport.MetadataTTL = 6 * time.Second
					defer transport.CloseIdleConnections()
					cfg := w.config()
					cfg.Transport = transport
					walkers[i] = &walker{
						open:   func(ctx context.Context) (*Writer, error) { return Open(ctx, cfg) },
						reader: &Reader{Addr: w.addr, Transport: transport},
						orders: orders, offsets: offsets,
						last: last, number: int32(i), newest: &newest,
					}
				}
				for i, k := range walkers[:owners] {
					newest.Store(int32(i))
					go func() { failed <- k.run(t.Context()) }()
					time.Sleep(30 * time.Second)
				}
				for range owners {
					if err := <-failed; err != nil {
						t.Errorf("a walker gave up: %v", err)
					}
				}
				stop()
				<-moved
				w.disturbed.quiet.Store(true)
				newest.Store(owners) // nothing follows the last commit, if it was left open
				if err := walkers[owners].run(t.Context()); err != nil {
					t.Error(err)
				}
				w.expect(last)
				if trouble < 5 {
					t.Errorf("only %d requests were disturbed", trouble)
				}
				t.Logf("%d confirmed commits were left open", leftOpen)
			})
		})
	}
}
