package connector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"

	"orderwalk/internal/topics"
	"orderwalk/internal/wechat"
	"orderwalk/offsets"
)

// Config is all a connector needs. There are no defaults here; they are the
// environment's.
type Config struct {
	// Group names the connector: prefix of its transactional IDs and first
	// element of its keys in the offsets topic.
	Group string
	// WorkerID names this process in claims and logs.
	WorkerID string
	// OffsetsTopic holds the checkpoints; its partitions are the lanes.
	OffsetsTopic string
	// TopicPartitions, OffsetsPartitions and ReplicationFactor are used only
	// for topics that have to be created; a ReplicationFactor of 0 is the
	// broker's default.
	TopicPartitions, OffsetsPartitions, ReplicationFactor int
	// TransactionTimeout is when the broker aborts a transaction left open.
	TransactionTimeout time.Duration
	// Compression of every batch; 0 = none.
	Compression kafka.Compression

	Addr      net.Addr         // bootstrap brokers
	Transport *kafka.Transport // shared by all lanes
	Host      *wechat.Host     // shared by all shops' clients
	Shops     []Shop
	Metrics   *Metrics
	Log       *slog.Logger
}

// Shop is one source: an app ID with one kind of range.
type Shop struct {
	Name   string // as shown; unique
	AppID  string
	Topic  string // where its orders go
	Policy Policy
	Client *wechat.Client // one for each app ID
}

func (s Shop) partition() offsets.Partition {
	return offsets.Partition{Shop: s.AppID, Range: string(s.Policy.Range)}
}

// Connector walks shops and publishes their orders.
type Connector struct {
	cfg   Config
	board *board

	mu    sync.Mutex
	ready error // nil once every lane has been handed to a loop
	stop  context.CancelCauseFunc
}

// New makes a connector and its status board; nothing runs yet.
func New(cfg Config, reg prometheus.Registerer) *Connector {
	c := &Connector{cfg: cfg, board: newBoard(), ready: errors.New("starting")}
	for _, shop := range cfg.Shops {
		c.board.sheets = append(c.board.sheets, &sheet{
			counters: cfg.Metrics.of(shop.Name), lateness: cfg.Metrics.lateness, onChange: c.settle,
			s: ShopStatus{Name: shop.Name, AppID: shop.AppID, Range: string(shop.Policy.Range), State: StateStarting},
		})
	}
	reg.MustRegister(c.board)
	return c
}

// Status is every shop's line, by name.
func (c *Connector) Status() []ShopStatus { return c.board.snapshot() }

// Ready is nil once Kafka has been reached and the lanes are being walked.
func (c *Connector) Ready() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ready
}

// errWaiting ends a bounded run of which nothing is left but shops that wait
// for somebody.
var errWaiting = errors.New("only shops that wait are left")

// Run walks until ctx ends (nil) or until every shop has ended: nil when all of
// them are done, otherwise an error that names those that are not, and why. It
// returns [ErrFenced] when a newer owner has taken every lane over.
func (c *Connector) Run(ctx context.Context) error {
	lanes, err := c.lanes(ctx)
	if err != nil {
		return err
	}
	running, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	c.mu.Lock()
	c.ready, c.stop = nil, stop
	c.mu.Unlock()

	var group sync.WaitGroup
	for _, l := range lanes {
		group.Go(func() {
			err := l.run(running)
			switch {
			case errors.Is(err, ErrFenced):
				l.log.Error("lane lost: a newer owner has it, this process commits nothing more to it", "reason", err)
				for i := range l.shops {
					if !l.sheets[i].snapshot().State.ended() {
						l.sheets[i].set(StateFenced, err)
					}
				}
			case err != nil:
				stop(err)
			}
		})
	}
	group.Wait()
	c.mu.Lock()
	c.ready = errors.New("stopped")
	c.mu.Unlock()
	if ctx.Err() != nil {
		return nil
	}
	if cause := context.Cause(running); cause != nil && !errors.Is(cause, errWaiting) {
		return cause
	}
	return c.verdict()
}

// lanes checks the topics and deals the shops out over the lanes: a shop is
// where Java's default partitioner would put its checkpoint's key.
func (c *Connector) lanes(ctx context.Context) ([]*lane, error) {
	specs := []topics.Spec{{
		Name: c.cfg.OffsetsTopic, Partitions: c.cfg.OffsetsPartitions, ReplicationFactor: c.cfg.ReplicationFactor, Compacted: true,
		// A lane is read from its beginning: let the cleaner keep it short.
		Config: map[string]string{"segment.bytes": "16777216", "segment.ms": "3600000", "min.cleanable.dirty.ratio": "0.1", "delete.retention.ms": "3600000"},
	}}
	named := map[string]bool{c.cfg.OffsetsTopic: true}
	for _, shop := range c.cfg.Shops {
		if !named[shop.Topic] {
			named[shop.Topic] = true
			specs = append(specs, topics.Spec{Name: shop.Topic, Partitions: c.cfg.TopicPartitions, ReplicationFactor: c.cfg.ReplicationFactor})
		}
	}
	partitions, err := topics.Ensure(ctx, c.cfg.Addr, c.cfg.Transport, specs...)
	if err != nil {
		return nil, err
	}
	byNumber := make(map[int]*lane)
	var lanes []*lane
	for i, shop := range c.cfg.Shops {
		key := offsets.Key{Kind: offsets.KindShop, Partition: shop.partition()}.Bytes(c.cfg.Group)
		number := int(partitionOf(key, partitions[c.cfg.OffsetsTopic]))
		l := byNumber[number]
		if l == nil {
			l = &lane{number: number, cfg: &c.cfg, partitions: partitions, log: c.cfg.Log.With("lane", number), ended: make(map[offsets.Partition]bool)}
			byNumber[number] = l
			lanes = append(lanes, l)
		}
		l.shops = append(l.shops, shop)
		l.sheets = append(l.sheets, c.board.sheets[i])
		c.board.sheets[i].placed(number)
	}
	return lanes, nil
}

// settle ends a bounded run when all that is left are shops that wait for
// somebody at the vendor's side: the others are done, and nobody may come.
func (c *Connector) settle() {
	waiting := 0
	for i, h := range c.board.sheets {
		switch s := h.snapshot(); {
		case c.cfg.Shops[i].Policy.End == 0:
			return
		case s.State == StateWaiting:
			waiting++
		case !s.State.ended():
			return
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if waiting > 0 && c.stop != nil {
		c.stop(errWaiting)
	}
}

// verdict names the shops whose range is not published.
func (c *Connector) verdict() error {
	var open []string
	fenced := true
	for _, s := range c.board.snapshot() {
		if s.State != StateDone {
			open = append(open, fmt.Sprintf("shop %s: %s: %s", s.Name, s.State, s.Reason))
			fenced = fenced && s.State == StateFenced
		}
	}
	switch {
	case len(open) == 0:
		return nil
	case fenced:
		return fmt.Errorf("%d of %d shops lost: %w\n%s", len(open), len(c.cfg.Shops), ErrFenced, strings.Join(open, "\n"))
	default:
		return fmt.Errorf("%d of %d shops are not done:\n%s", len(open), len(c.cfg.Shops), strings.Join(open, "\n"))
	}
}
