package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// fleet is many shops in the hands of some workers.
type fleet struct {
	*bench
	load
	name         string // of group and topics
	shops, lanes int
	dir          string
	settings     []string // of every worker, such as "RATE_LIMIT=2"
	workers      []*worker
}

// worker is one life of `orderwalk run`.
type worker struct {
	cmd     *exec.Cmd
	log     *tail
	addr    string // where it serves HTTP
	started time.Time
	ended   chan struct{}
}

// newFleet makes topics and a shops file, and gives the API its load, which is
// every shop's.
func (b *bench) newFleet(ctx context.Context, shops, lanes int, l load, settings ...string) (*fleet, error) {
	b.runs++
	f := &fleet{bench: b, load: l, name: fmt.Sprintf("bench-%d", b.runs), shops: shops, lanes: lanes, settings: settings}
	type entry struct {
		AppID  string `json:"app_id"`
		Secret string `json:"app_secret"`
	}
	var file struct {
		Shops []entry `json:"shops"`
	}
	for i := range shops {
		file.Shops = append(file.Shops, entry{fmt.Sprintf("wxfleet%09d", i), "bench"})
	}
	text, err := json.Marshal(file)
	if err != nil {
		return nil, err
	}
	if f.dir, err = os.MkdirTemp("", "orderwalk-bench-"); err != nil {
		return nil, err
	}
	if err := os.WriteFile(f.file(), text, 0o600); err != nil {
		return nil, err
	}
	if err := b.broker.create(ctx, f.orders(), f.offsets(), lanes); err != nil {
		return nil, err
	}
	return f, f.forget(ctx)
}

func (f *fleet) file() string    { return filepath.Join(f.dir, "shops.json") }
func (f *fleet) orders() string  { return f.name + ".orders" }
func (f *fleet) offsets() string { return f.name + ".offsets" }

// forget makes the API restart with the load and forget its calls so far.
func (f *fleet) forget(ctx context.Context) error { return f.ask(ctx, "/bench/load", f.load, nil) }

// start begins a life of a worker.
func (f *fleet) start(ctx context.Context, id string) (*worker, error) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	free.Close()
	w := &worker{cmd: exec.CommandContext(ctx, f.binary, "run"), log: &tail{}, addr: free.Addr().String(), ended: make(chan struct{})}
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "ORDERWALK_") {
			w.cmd.Env = append(w.cmd.Env, v)
		}
	}
	for _, pair := range append([]string{
		"KAFKA_BROKERS=" + f.broker.addr, "GROUP=" + f.name, "TOPIC=" + f.orders(), "OFFSETS_TOPIC=" + f.offsets(),
		"API_URL=http://" + f.api.addr, "SHOPS_FILE=" + f.file(), "WORKER_ID=" + id, "LISTEN=" + w.addr, "LOG_LEVEL=warn",
		"START_TIME=" + strconv.FormatInt(f.Start, 10),
	}, f.settings...) {
		w.cmd.Env = append(w.cmd.Env, "ORDERWALK_"+pair)
	}
	w.cmd.Stdout, w.cmd.Stderr = w.log, w.log
	w.started = time.Now()
	if err := w.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = w.cmd.Wait() // its state says how it ended
		close(w.ended)
	}()
	f.workers = append(f.workers, w)
	return w, nil
}

// stop ends a worker in good order.
func (w *worker) stop() error {
	if err := w.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	<-w.ended
	if code := w.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("a worker was stopped and exited with code %d\n%s", code, w.log.text())
	}
	return nil
}

func (w *worker) kill() {
	_ = w.cmd.Process.Kill() // fails only if it has ended
	<-w.ended
}

// calls waits until the calls that the API has seen are as wanted.
func (f *fleet) calls(ctx context.Context, wanted func(calls) bool) (calls, error) {
	for {
		var c calls
		if err := f.ask(ctx, "/bench/calls", nil, &c); err != nil || wanted(c) {
			return c, err
		}
		for _, w := range f.workers {
			select {
			case <-w.ended:
				if w.cmd.ProcessState.ExitCode() > 0 {
					return c, fmt.Errorf("a worker ended by itself: %s\n%s", w.cmd.ProcessState, w.log.text())
				}
			default:
			}
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return c, fmt.Errorf("%w; the API saw %+v", ctx.Err(), c)
		}
	}
}

// close ends all workers at once and removes what the fleet has made.
func (f *fleet) close(ctx context.Context) error {
	for _, w := range f.workers {
		w.kill()
	}
	return errors.Join(os.RemoveAll(f.dir), f.broker.remove(ctx, f.orders(), f.offsets()))
}

// owners tells by the topic who publishes a shop's orders: each owner of a lane
// writes under an epoch of its own.
type owners struct {
	client *kgo.Client
	mu     sync.Mutex
	epochs map[string]int16 // by shop: of the latest order
	moved  map[string]time.Time
	marked map[string]int16 // epochs when mark was called
	change chan struct{}
}

func (f *fleet) watch(ctx context.Context) (*owners, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(f.broker.addr), kgo.ConsumeTopics(f.orders()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(50*time.Millisecond))
	if err != nil {
		return nil, err
	}
	o := &owners{client: client, epochs: map[string]int16{}, change: make(chan struct{}, 1)}
	go func() {
		for ctx.Err() == nil {
			fetches := client.PollFetches(ctx)
			if fetches.IsClientClosed() {
				return
			}
			o.take(fetches)
		}
	}()
	return o, nil
}

func (o *owners) take(fetches kgo.Fetches) {
	now := time.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	fetches.EachRecord(func(r *kgo.Record) {
		shop := ""
		for _, h := range r.Headers {
			if h.Key == "shop" {
				shop = string(h.Value)
			}
		}
		o.epochs[shop] = r.ProducerEpoch
		if before, marked := o.marked[shop]; marked && r.ProducerEpoch != before && o.moved[shop].IsZero() {
			o.moved[shop] = now
		}
	})
	select {
	case o.change <- struct{}{}:
	default:
	}
}

// until waits for something that records bring about.
func (o *owners) until(ctx context.Context, happened func() bool) error {
	for {
		o.mu.Lock()
		yes := happened()
		o.mu.Unlock()
		if yes {
			return nil
		}
		select {
		case <-o.change:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// mark remembers under which epochs these shops are published now.
func (o *owners) mark(shops []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.marked, o.moved = map[string]int16{}, map[string]time.Time{}
	for _, shop := range shops {
		o.marked[shop] = o.epochs[shop]
	}
}

// text is the log's end.
func (t *tail) text() []byte { return bytes.TrimSpace(t.bytes) }
