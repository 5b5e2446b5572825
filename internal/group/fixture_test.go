package group

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"orderwalk/test/logtest"
)

const (
	groupID = "shops"
	topic   = "offsets"
	session = 10 * time.Second
)

// fixture is a Kafka of three brokers inside a synctest bubble; a goroutine that
// outlives its test fails the test.
type fixture struct {
	*kfake.Cluster
	t     *testing.T
	ctx   context.Context // ends with the test, for transports
	net   *kfake.VirtualNetwork
	lanes int
	all   []*worker
}

func inBubble(t *testing.T, lanes int, test func(t *testing.T, w *fixture)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		network := new(kfake.VirtualNetwork)
		opts := []kfake.Opt{kfake.NumBrokers(3), kfake.Ports(9092, 9093, 9094), kfake.ListenFn(network.Listen)}
		if lanes > 0 {
			opts = append(opts, kfake.SeedTopics(int32(lanes), topic))
		}
		cluster, err := kfake.NewCluster(opts...)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		w := &fixture{Cluster: cluster, t: t, ctx: ctx, net: network, lanes: lanes}
		defer func() {
			for _, k := range w.all {
				k.wire.set(wireUp)
				k.stop()
				k.transport.CloseIdleConnections()
			}
			cancel()
			cluster.Close()
			time.Sleep(time.Minute)
			synctest.Wait()
		}()
		test(t, w)
	})
}

// worker runs a Member and records its calls.
type worker struct {
	*Member
	w         *fixture
	name      string
	wire      *wire
	transport *kafka.Transport
	log       logtest.Buffer
	cancel    context.CancelFunc
	done      chan struct{}

	mu     sync.Mutex
	told   []Assignment
	at     time.Time // of the last call
	losses int
	lostAt time.Time
	events map[string]int
	outage error // of the last OnOutage call
	err    error
}

func (w *fixture) worker(name string, change ...func(*Config)) *worker {
	n := &wire{dial: w.net.DialContext, conns: map[*wiredConn]bool{}}
	brokers := []string{"localhost:9092", "localhost:9093", "localhost:9094"}
	k := &worker{
		w: w, name: name, wire: n, done: make(chan struct{}), events: map[string]int{},
		transport: &kafka.Transport{Dial: n.Dial, MetadataTTL: time.Hour, Context: w.ctx, ClientID: name},
	}
	cfg := Config{
		Brokers: brokers, Dialer: &kafka.Dialer{DialFunc: n.Dial}, Addr: kafka.TCP(brokers...), Transport: k.transport,
		GroupID: groupID, Topic: topic, Worker: name, SessionTimeout: session,
		Log: slog.New(slog.NewTextHandler(&k.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		OnEvent: func(event string) {
			if !slices.Contains(Events(), event) {
				w.t.Errorf("event %q is not one of Events", event)
			}
			k.mu.Lock()
			defer k.mu.Unlock()
			k.events[event]++
		},
		OnOutage: func(err error) {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.outage = err
		},
	}
	for _, c := range change {
		c(&cfg)
	}
	k.Member = New(cfg)
	return k
}

func (w *fixture) start(name string, change ...func(*Config)) *worker {
	k := w.worker(name, change...)
	k.start()
	return k
}

func (k *worker) start() {
	k.w.all = append(k.w.all, k)
	ctx, cancel := context.WithCancel(k.w.ctx)
	k.cancel = cancel
	go func() {
		defer close(k.done)
		err := k.Run(ctx, func(a Assignment) {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.told, k.at = append(k.told, a), time.Now()
		}, func() {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.losses++
			k.lostAt = time.Now()
		})
		k.mu.Lock()
		defer k.mu.Unlock()
		k.err = err
	}()
}

// stop ends Run and waits for it.
func (k *worker) stop() {
	k.cancel()
	<-k.done
}

// ends waits for Run to return.
func (k *worker) ends() *worker {
	k.w.t.Helper()
	select {
	case <-k.done:
	case <-time.After(time.Minute):
		k.w.t.Fatalf("Run goes on\n%s", k.log.String())
	}
	return k
}

// die simulates a kill: the connections break and the member does not leave.
func (k *worker) die() {
	k.wire.set(wireDown)
	k.cancel()
}

func (k *worker) has() []int { return k.last().Lanes }

func (k *worker) last() Assignment {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.told) == 0 {
		return Assignment{}
	}
	return k.told[len(k.told)-1]
}

func (k *worker) tellings() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.told)
}

func (k *worker) count(event string) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.events[event]
}

func (k *worker) inOutage() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.outage
}

func (k *worker) timesLost() (int, time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.losses, k.lostAt
}

// within waits, in virtual time, until the workers hold every lane once.
func (w *fixture) within(limit time.Duration, workers ...*worker) {
	w.t.Helper()
	w.eventually(limit, func() string { return divided(w.lanes, workers) })
}

// eventually waits until complaint returns nothing.
func (w *fixture) eventually(limit time.Duration, complaint func() string) {
	w.t.Helper()
	began := time.Now()
	for {
		synctest.Wait()
		c := complaint()
		if c == "" {
			return
		}
		if time.Since(began) > limit {
			w.t.Fatalf("not within %v: %s\n%s", limit, c, w.logs())
		}
		time.Sleep(time.Millisecond)
	}
}

func (w *fixture) logs() string {
	var all strings.Builder
	for _, k := range w.all {
		fmt.Fprintf(&all, "%s:\n%s", k.name, k.log.String())
	}
	return all.String()
}

// divided returns a complaint unless the workers hold every lane once, in one
// generation, as many each as any other or one more, and know how many they are.
func divided(lanes int, workers []*worker) string {
	var all []int
	least, most := lanes, 0
	for _, k := range workers {
		a := k.last()
		if a.Generation != workers[0].last().Generation || a.Members != len(workers) {
			return fmt.Sprintf("%s is in generation %d of %d members, %s in %d", k.name, a.Generation, a.Members, workers[0].name, workers[0].last().Generation)
		}
		all = append(all, a.Lanes...)
		least, most = min(least, len(a.Lanes)), max(most, len(a.Lanes))
	}
	slices.Sort(all)
	if !slices.Equal(all, upTo(lanes)) || most-least > 1 {
		return fmt.Sprintf("the lanes held are %v, %d to %d each", all, least, most)
	}
	return ""
}

// stays fails if a worker is called within a while.
func (w *fixture) stays(d time.Duration, workers ...*worker) {
	w.t.Helper()
	synctest.Wait()
	before := make([]int, len(workers))
	for i, k := range workers {
		before[i] = k.tellings()
	}
	time.Sleep(d)
	synctest.Wait()
	for i, k := range workers {
		if k.tellings() != before[i] {
			w.t.Errorf("%s was assigned lanes %d times in %v without a change\n%s", k.name, k.tellings()-before[i], d, w.logs())
		}
	}
}

// inGroup lists the client IDs of the group's members.
func (w *fixture) inGroup() []string {
	var names []string
	if info := w.GroupInfo(groupID); info != nil {
		for _, m := range info.Members {
			names = append(names, m.ClientID)
		}
	}
	slices.Sort(names)
	return names
}

func keys(k ...kmsg.Key) []kmsg.Key { return k }
