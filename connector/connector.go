package connector

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"

	"orderwalk/connector/window"
	"orderwalk/internal/budget"
	"orderwalk/internal/group"
	"orderwalk/internal/incident"
	"orderwalk/internal/record"
	"orderwalk/internal/topics"
	"orderwalk/internal/wechat"
	"orderwalk/offsets"
)

// Config holds what a connector needs. It has no defaults; the environment's apply
// (internal/config).
type Config struct {
	// Group is the worker group: prefix of transactional IDs, and first element of keys
	// in the offsets topic.
	Group string
	// WorkerID names this process in the group and in logs.
	WorkerID string
	// URL is where this process serves HTTP for the other workers; may be empty.
	URL string
	// OffsetsTopic holds the checkpoints; its partitions are the lanes.
	OffsetsTopic string
	// TopicPartitions, OffsetsPartitions and ReplicationFactor apply only to topics
	// that this process creates; ReplicationFactor 0 = the broker's default.
	TopicPartitions, OffsetsPartitions, ReplicationFactor int
	// SessionTimeout is how long after its last heartbeat a worker loses its lanes.
	SessionTimeout time.Duration
	// Heartbeat is the interval of heartbeats; 0 = see group.Config.
	Heartbeat time.Duration
	// TransactionTimeout is how long the broker lets a transaction stay open.
	TransactionTimeout time.Duration
	// Compression applies to every batch; 0 = none.
	Compression kafka.Compression
	// Format is how order records are encoded.
	Format record.Format

	// QuotaLiveShare is the share of the day's list calls, 0 to 1, that a backfill
	// leaves to the live walk.
	QuotaLiveShare float64

	Addr      net.Addr         // bootstrap brokers
	Transport *kafka.Transport // shared by all lanes
	Dialer    *kafka.Dialer    // for the group
	Host      *wechat.Host     // shared by all shops' clients
	Sidecar   *Sidecar         // nil = none
	Shops     []Shop           // see SetShops
	Metrics   *Metrics
	Log       *slog.Logger
	// Incidents joins the log lines about what many shops have at the same time. The
	// clients of the shops should report to it, too. Defaults to one over Log.
	Incidents *incident.Log
	// Hint returns what an operator can do about an error, for shops' reasons; empty
	// if it does not know. May be nil.
	Hint func(error) string
}

// explain is an error's text with its hint.
func (c *Config) explain(err error) string {
	text := err.Error()
	if c.Hint != nil {
		if hint := c.Hint(err); hint != "" {
			text += "; " + hint
		}
	}
	return text
}

// Shop is one source partition: an app ID with one kind of time range.
type Shop struct {
	Name   string // as shown; unique
	AppID  string
	Topic  string // where its orders go
	Policy window.Policy
	Client *wechat.Client // shared by the shops of an app ID
	// OneRefresher reports that a new token ends the previous one, so that one worker
	// must walk all shops of the app ID.
	OneRefresher bool
	// Created reports that the shop was created over HTTP, or that shops come and go with
	// their authorisations: the connector does not end then.
	Created bool
}

func (s Shop) partition() offsets.Partition {
	return offsets.Partition{Shop: s.AppID, Range: string(s.Policy.Range)}
}

// Connector walks the shops of the lanes assigned to this worker, and publishes their
// orders.
type Connector struct {
	cfg      Config
	registry *registry
	outage   *outage
	clocks   *clocks
	extra    chan struct{} // see extraWindows.tokens
	turns    *turns
	demand   demand // for extra windows
	readings readings
	ids      *idBudget

	mu          sync.Mutex
	shops       map[int][]Shop    // by lane; nil until the lanes are known
	sharedOn    *[]int            // lanes of the latest share of these shops; nil = none yet
	wanted      map[string]Wanted // by name; see Steer
	partitions  map[string]int    // of each topic; the offsets topic's are the lanes; replaced, never changed
	refused     map[string]error  // orders topics that could not be used at the latest check, and why
	set         *laneSet          // nil until Run
	member      *group.Member     // nil until Run
	checkpoints *checkpointReader
	tombstones  time.Duration // delete.retention.ms of the offsets topic; 0 = unknown yet
	ready       error
	changed     chan struct{} // poked when a shop or a lane may have ended
}

// maxExtraWindows is how many windows a process reads at once beyond each shop's first.
// Each window being read holds a call and its answer in memory. With thousands of shops
// the first windows alone keep the process busy. See yield.go.
const maxExtraWindows = 512

// New returns a connector whose shops are registered. Run starts it.
func New(cfg Config, reg prometheus.Registerer) *Connector {
	cfg.Incidents = cmp.Or(cfg.Incidents, incident.New(cfg.Log))
	c := &Connector{cfg: cfg, registry: newRegistry(cfg.Metrics, budget.New(cfg.QuotaLiveShare, cfg.Log, cfg.Incidents)), changed: make(chan struct{}, 1), extra: make(chan struct{}, maxExtraWindows), turns: newTurns(fewTurns), ids: newIDBudget()}
	c.stage(fmt.Sprintf("starting: waiting for Kafka at %v to answer", cfg.Addr))
	c.registry.explain = c.cfg.explain
	c.registry.register(cfg.Shops, c.poke)
	c.outage = newOutage(cfg.Metrics, cfg.Incidents)
	c.clocks = newClocks(cfg.Host, cfg.Log)
	c.registry.clocks = c.clocks
	reg.MustRegister(newTotals(c), c.outage, c.clocks)
	return c
}

// Status returns the status of every shop, by name.
func (c *Connector) Status() []ShopStatus { return c.registry.snapshot() }

// StatusOf returns the status of one shop by its name.
func (c *Connector) StatusOf(name string) (s ShopStatus, known bool) { return c.registry.one(name) }

// Run joins the group and walks shops until ctx ends (nil), or until every shop has
// ended, here or at another worker. It then returns nil if all of them are done, or an
// error that lists the others with their reasons.
func (c *Connector) Run(ctx context.Context) error {
	defer c.cfg.Incidents.Flush()
	// The slow steps before the first lane opens run concurrently.
	failed := make(chan error, 1)
	there, known := make(chan struct{}), make(chan struct{})
	member := group.New(group.Config{
		Brokers: strings.Split(c.cfg.Addr.String(), ","), Dialer: c.cfg.Dialer, Addr: c.cfg.Addr, Transport: c.cfg.Transport,
		GroupID: c.cfg.Group, Topic: c.cfg.OffsetsTopic, Worker: c.cfg.WorkerID, URL: c.cfg.URL, Until: there,
		SessionTimeout: c.cfg.SessionTimeout, Heartbeat: c.cfg.Heartbeat, Load: c.load, Together: c.together, Log: c.cfg.Log,
		OnEvent: c.cfg.Metrics.groupEvent, OnOutage: c.outage.membership,
	})
	c.mu.Lock()
	c.member = member
	c.mu.Unlock()
	lanes, stop := context.WithCancel(context.WithoutCancel(ctx))
	var asking sync.WaitGroup
	asking.Go(func() { c.registry.quotas.Run(lanes) })
	defer asking.Wait()
	set := &laneSet{log: c.cfg.Log, current: member.Current, rest: member.Rest, open: c.open, changed: c.poke, ctx: lanes, stop: stop, lanes: make(map[int]*runningLane),
		failed: func(err error) {
			select {
			case failed <- err:
			default:
			}
		}}
	// Leave the group after the lanes have drained, so that others get them then.
	joined, leave := context.WithCancel(context.WithoutCancel(ctx))
	left := make(chan error, 1)
	var sidecar *sidecars // set before the first assignment
	go func() {
		left <- member.Run(joined, func(a group.Assignment) {
			select {
			case <-known:
			case <-joined.Done():
				return
			}
			if n := len(a.Lanes); n > 0 && a.Lanes[n-1] >= c.lanes() {
				set.failed(&GrownError{Topic: c.cfg.OffsetsTopic, Had: c.lanes()})
				return
			}
			set.assign(a)
			if sidecar != nil {
				sidecar.assign(lanes, a)
			}
			c.mu.Lock()
			c.ready = nil
			c.mu.Unlock()
		}, set.lost)
	}()
	err := c.prepare(ctx, set, there)
	if err == nil {
		if c.cfg.Sidecar != nil && c.lanes() > 0 { // not if ctx ended before the topics were known
			sidecar = &sidecars{Sidecar: c.cfg.Sidecar, lanes: set, lane: c.sidecarLane()}
			sidecar.group.Go(func() { sidecar.Follow(lanes, sidecar.lane) })
			defer sidecar.group.Wait()
		}
		close(known)
		asking.Go(func() { c.recount(lanes) })
		err = c.wait(ctx, set, failed, left)
	}
	c.stage("stopping")
	set.drain()
	leave()
	if gone := <-left; err == nil && ctx.Err() == nil && gone != nil {
		err = gone
	}
	return err
}

// prepare ensures the topics, and reads what the first lane to open will ask. It closes
// there once the topics exist, before it has checked their configuration.
func (c *Connector) prepare(ctx context.Context, set *laneSet, there chan<- struct{}) error {
	c.stage("starting: checking the topics")
	err := c.refuseLost(ctx)
	if err == nil {
		err = c.topics(ctx)
	}
	if err == nil {
		c.stage("starting: waiting for the group " + c.cfg.Group + " to assign lanes")
		c.mu.Lock()
		c.set = set
		c.checkpoints = newCheckpointReader(&c.cfg, c.partitions[c.cfg.OffsetsTopic], c.cfg.Log, c.outage)
		c.mu.Unlock()
		close(there)
		var looking sync.WaitGroup
		looking.Go(func() { c.checkpoints.prepare(ctx) })
		looking.Go(func() {
			kept := topics.Tombstones(ctx, c.cfg.Addr, c.cfg.Transport, c.cfg.OffsetsTopic)
			c.mu.Lock()
			c.tombstones = kept
			c.mu.Unlock()
		})
		var unprepared error
		if c.cfg.Sidecar != nil && c.cfg.Sidecar.Prepare != nil {
			looking.Go(func() { unprepared = c.cfg.Sidecar.Prepare(ctx, c.sidecarLane()) })
		}
		err = topics.Check(ctx, c.cfg.Addr, c.cfg.Transport, c.offsetsTopic())
		looking.Wait()
		err = cmp.Or(err, unprepared)
	}
	if ctx.Err() != nil {
		return nil // wait returns at once
	}
	return err
}

// wait returns when the run must end: nil, or the reason.
func (c *Connector) wait(ctx context.Context, set *laneSet, failed, left chan error) error {
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-failed:
			return err
		case err := <-left:
			left <- err
			return err
		case <-tick.C:
			c.clocks.check()
		case <-c.changed:
		}
		if ended, err := c.result(ctx, set); ended {
			return err
		}
	}
}
