package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"orderwalk/internal/txn"
)

// Config says where a group's ledger is.
type Config struct {
	Group string // as in the keys of the checkpoints
	Topic string // the offsets topic
	// Worker names the transactional ID of this worker's notices; it must be
	// that of no other worker alive.
	Worker             string
	Addr               net.Addr
	Transport          *kafka.Transport
	TransactionTimeout time.Duration
	Keys               Keys // nil if there is nothing to seal
	// Component is the platform's app ID; empty = none.
	Component string
	// Order hears of orders to look for, those of the past too: a shop, what has
	// happened, in the vendor's words, and when. So it does, without an event, when
	// a shop has lost its tokens, which is found out by looking. It must not block.
	// Nil = of no concern.
	Order func(shop, event string, at time.Time)
	Log   *slog.Logger
}

// Ledger is one worker's access to the ledger. Its methods may be called by
// several goroutines.
type Ledger struct {
	cfg  Config
	book *book

	found     chan struct{} // closed when the partition is known
	partition int32

	posting chan posting
}

// posting is a notice on its way.
type posting struct {
	record record
	done   chan error
}

// New makes a ledger; nothing is read before Follow.
func New(cfg Config) *Ledger {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Ledger{cfg: cfg, book: newBook(cfg.Group, cfg.Keys, cfg.Log, cfg.Order), found: make(chan struct{}), posting: make(chan posting)}
}

// Follow reads the ledger's partition and posts notices, until ctx ends.
func (l *Ledger) Follow(ctx context.Context, partition int) {
	l.find(partition)
	var group sync.WaitGroup
	defer group.Wait()
	group.Go(func() { l.post(ctx) })
	group.Go(func() {
		tick := time.NewTicker(lookEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				l.book.again()
			}
		}
	})
	for {
		err := l.reader().Follow(ctx, l.cfg.Topic, l.partition, l.book.position(), l.book.add)
		if ctx.Err() != nil {
			return
		}
		l.cfg.Log.Warn("cannot follow the ledger, trying again", "topic", l.cfg.Topic, "partition", l.partition, "reason", err)
		select {
		case <-ctx.Done():
		case <-time.After(5 * time.Second):
		}
	}
}

// find is told where the ledger is, once. Who leads may begin before that.
func (l *Ledger) find(partition int) {
	l.partition = int32(partition)
	close(l.found)
}

func (l *Ledger) reader() *txn.Reader {
	return &txn.Reader{Addr: l.cfg.Addr, Transport: l.cfg.Transport, Log: l.cfg.Log, Wanted: func(key []byte) bool {
		_, ours := parseName(l.cfg.Group, key)
		return ours
	}}
}

// catchUp reads all that is committed by now.
func (l *Ledger) catchUp(ctx context.Context) error {
	select {
	case <-l.found:
	case <-ctx.Done():
		return ctx.Err()
	}
	_, err := l.reader().ReadToEnd(ctx, l.cfg.Topic, l.partition, l.book.position(), l.book.add)
	return err
}

func (l *Ledger) open(ctx context.Context, id string) (*txn.Writer, error) {
	select {
	case <-l.found:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return txn.Open(ctx, txn.Config{
		Addr: l.cfg.Addr, Transport: l.cfg.Transport, TransactionalID: l.cfg.Group + "-" + id,
		AnchorTopic: l.cfg.Topic, AnchorPartition: l.partition,
		TransactionTimeout: l.cfg.TransactionTimeout, Log: l.cfg.Log,
	})
}

// write commits records in one transaction.
func (l *Ledger) write(ctx context.Context, w *txn.Writer, records ...record) error {
	tx := w.Begin()
	now := time.Now()
	for _, r := range records {
		key, val, err := r.encode(l.cfg.Group, l.cfg.Keys)
		if err != nil {
			return err
		}
		if err := tx.Append(l.cfg.Topic, l.partition, now, key, val, nil); err != nil {
			return fmt.Errorf("encode %s: %w", key, err)
		}
	}
	return w.Commit(ctx, tx)
}

// mostNotices are committed together.
const mostNotices = 500

// post commits notices, all that have come meanwhile at once. What it cannot
// commit fails: whoever gave it tries again, or the vendor does.
func (l *Ledger) post(ctx context.Context) {
	var w *txn.Writer
	for {
		var batch []posting
		select {
		case <-ctx.Done():
			return
		case p := <-l.posting:
			batch = append(batch, p)
		}
	more:
		for len(batch) < mostNotices {
			select {
			case p := <-l.posting:
				batch = append(batch, p)
			default:
				break more
			}
		}
		records := make([]record, len(batch))
		for i, p := range batch {
			records[i] = p.record
		}
		var err error
		for range 2 {
			if w == nil {
				w, err = l.open(ctx, "post-"+l.cfg.Worker)
			}
			if err == nil {
				err = l.write(ctx, w, records...)
			}
			if err == nil {
				break
			}
			w = nil // what stands is found out by the next epoch
			if !errors.Is(err, txn.ErrFenced) || errors.Is(err, txn.ErrInDoubt) {
				break
			}
			// Nothing is committed, and the ID is this worker's alone: Kafka forgets
			// one that has posted nothing for a week.
			err = nil
		}
		for _, p := range batch {
			p.done <- err
		}
	}
}

// latest reads what is committed by now, this worker's last notice included:
// whether a ticket or a change came late is decided by what came before it.
func (l *Ledger) latest(ctx context.Context) error {
	select {
	case <-l.found:
		return l.catchUp(ctx)
	default:
		return errNotYet
	}
}

var errNotYet = errors.New("not ready yet: Kafka has not been reached")

// notice commits a notice before it returns nil.
func (l *Ledger) notice(ctx context.Context, r record) error {
	select {
	case <-l.found:
	default:
		return errNotYet
	}
	p := posting{record: r, done: make(chan error, 1)}
	select {
	case l.posting <- p:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-p.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Order posts that something has happened to an order of a shop.
func (l *Ledger) Order(ctx context.Context, shop, event string, at time.Time) error {
	return l.notice(ctx, record{name: name{Shop: shop, Kind: kindOrder}, value: value{At: at.Unix(), Event: event}})
}

// Ticket posts a verify ticket of that time; of the zero time if somebody has
// given it who says that it is the latest, whatever the clocks say.
func (l *Ledger) Ticket(ctx context.Context, ticket string, at time.Time) error {
	if err := l.latest(ctx); err != nil {
		return err
	}
	s, _ := l.book.snapshot()
	switch {
	case at.IsZero():
		at = time.Unix(max(time.Now().Unix(), s.ticket.at), 0)
	case at.Unix() < s.ticket.at:
		return nil // one that came late
	}
	return l.notice(ctx, record{name: name{Component: l.cfg.Component, Kind: kindTicket},
		value: value{At: at.Unix(), Given: s.ticket.given}, text: []byte(ticket)})
}

// Authorization posts that a shop's authorisation has changed; code, which is
// good until expires, is empty if it was taken back.
func (l *Ledger) Authorization(ctx context.Context, shop, change, code string, expires, at time.Time) error {
	if err := l.latest(ctx); err != nil {
		return err
	}
	if t, _ := l.book.tenant(shop); at.Unix() < t.changedAt {
		return nil // one that came late must not undo what came since
	}
	r := record{name: l.of(shop, kindAuthorized), value: value{At: at.Unix(), Change: change}}
	if code != "" {
		r.text = []byte(code)
	}
	if !expires.IsZero() {
		r.value.Expires = expires.Unix()
	}
	return l.notice(ctx, r)
}

func (l *Ledger) of(shop string, k kind) name {
	return name{Component: l.cfg.Component, Shop: shop, Kind: k}
}
