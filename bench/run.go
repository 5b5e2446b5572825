package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"orderwalk/test/kafkatest"
)

// shopID is the shop of every run.
const shopID = "wxbench0000000001"

// bench is what all runs on one broker share.
type bench struct {
	broker *broker
	api    *helper
	binary string
	other  string // see suite
	runs   int    // for names that never come twice
}

// trial is one run's world.
type trial struct {
	*bench
	load
	windows         int
	shop            *shop
	orders, offsets string // topics
	group           string
}

// result is what a run is judged by. CPU is in seconds for a million orders.
type result struct {
	rate   float64 // orders/s, from the first list call to the end of the process
	cpu    float64
	broker float64
	peak   float64 // MB
}

// prepare gives the API its load and makes fresh topics.
func (b *bench) prepare(ctx context.Context, l load, windows int) (*trial, error) {
	b.runs++
	name := fmt.Sprintf("bench-%d", b.runs)
	t := &trial{
		bench: b, load: l, windows: windows, shop: newShop(l.Orders, l.Start, l.Span),
		orders: name + ".orders", offsets: name + ".offsets", group: name,
	}
	if err := t.ask(ctx, "/bench/load", l, nil); err != nil {
		return nil, err
	}
	if err := b.broker.create(ctx, t.orders, t.offsets, offsetPartitions); err != nil {
		return nil, err
	}
	debug.FreeOSMemory() // what reading the last run back has left
	return t, nil
}

// ask posts in to the API as JSON and decodes the answer into out.
func (b *bench) ask(ctx context.Context, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+b.api.addr+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || out == nil {
		return err
	}
	return json.Unmarshal(answer, out)
}

// ours is `orderwalk run` on the trial's shop.
func (t *trial) ours(ctx context.Context) *exec.Cmd { return t.orderwalk(ctx, t.binary) }

// orderwalk is `run` of a build on the trial's shop.
func (t *trial) orderwalk(ctx context.Context, binary string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, binary, "run")
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "ORDERWALK_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	for name, value := range map[string]string{
		"KAFKA_BROKERS": t.broker.addr,
		"TOPIC":         t.orders,
		"OFFSETS_TOPIC": t.offsets,
		"GROUP":         t.group,
		"APP_ID":        shopID,
		"APP_SECRET":    "bench",
		"API_URL":       "http://" + t.api.addr,
		"START_TIME":    strconv.FormatInt(t.shop.start, 10),
		"END_TIME":      strconv.FormatInt(t.shop.end(), 10),
		"CONCURRENCY":   strconv.Itoa(t.windows),
		"RATE_LIMIT":    "10000",
		"LISTEN":        "127.0.0.1:0",
		"WORKER_ID":     "bench",
		"LOG_LEVEL":     "warn",
	} {
		cmd.Env = append(cmd.Env, "ORDERWALK_"+name+"="+value)
	}
	return cmd
}

// peer is the bare client on the trial's shop.
func (t *trial) peer(ctx context.Context) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return exec.CommandContext(ctx, self, "peer",
		"-broker", t.broker.addr, "-topic", t.orders, "-url", "http://"+t.api.addr,
		"-start", strconv.FormatInt(t.shop.start, 10), "-end", strconv.FormatInt(t.shop.end(), 10),
		"-windows", strconv.Itoa(t.windows)), nil
}

// command is one of the two programs on the trial's shop.
func (t *trial) command(ctx context.Context, ours bool) (*exec.Cmd, error) {
	switch {
	case ours:
		return t.ours(ctx), nil
	case t.other != "":
		return t.orderwalk(ctx, t.other), nil
	}
	return t.peer(ctx)
}

// measure runs a program to its end, reads back what it wrote and cleans up.
func (t *trial) measure(ctx context.Context, ours bool) (result, error) {
	cmd, err := t.command(ctx, ours)
	if err != nil {
		return result{}, err
	}
	before, err := cpuOf(t.broker.pid)
	if err != nil {
		return result{}, err
	}
	u, err := measure(cmd)
	if err != nil {
		return result{}, err
	}
	after, err := cpuOf(t.broker.pid)
	if err != nil {
		return result{}, err
	}
	var c calls
	if err := t.ask(ctx, "/bench/calls", nil, &c); err != nil {
		return result{}, err
	}
	if err := t.finish(ctx); err != nil {
		return result{}, err
	}
	millions := float64(t.Orders) / 1e6
	return result{
		rate:   float64(t.Orders) / u.ended.Sub(time.Unix(0, c.First)).Seconds(),
		cpu:    u.cpu.Seconds() / millions,
		broker: (after - before).Seconds() / millions,
		peak:   float64(u.peak) / 1e6,
	}, nil
}

// finish checks that every order is in the topic once and removes the topics.
func (t *trial) finish(ctx context.Context) error {
	records, err := kafkatest.ReadCommitted(ctx, []string{t.broker.addr}, t.orders)
	if err != nil {
		return err
	}
	seen := tally{shop: t.shop}
	for _, r := range records {
		seen.add(r.Key)
	}
	if err := seen.check(); err != nil {
		return fmt.Errorf("read the run back: %w", err)
	}
	return t.broker.remove(ctx, t.orders, t.offsets)
}

// start measures from the start of a process to the first order that a
// read_committed consumer sees.
func (t *trial) start(ctx context.Context, ours bool) (time.Duration, error) {
	cmd, err := t.command(ctx, ours)
	if err != nil {
		return 0, err
	}
	consumer, err := kgo.NewClient(
		kgo.SeedBrokers(t.broker.addr), kgo.ConsumeTopics(t.orders), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(100*time.Millisecond),
	)
	if err != nil {
		return 0, err
	}
	defer consumer.Close()
	// An empty answer or two, and it waits where the first record will come.
	waiting, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	consumer.PollFetches(waiting)
	cancel()

	first := make(chan time.Time, 1)
	reading, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		for reading.Err() == nil {
			if consumer.PollFetches(reading).NumRecords() > 0 {
				break
			}
		}
		first <- time.Now()
	}()
	u, err := measure(cmd)
	if err != nil {
		return 0, err
	}
	var seen time.Time
	select {
	case seen = <-first:
	case <-time.After(10 * time.Second):
		return 0, fmt.Errorf("the program ended, and no record is to be seen")
	}
	return seen.Sub(u.started), t.finish(ctx)
}

// restart kills orderwalk −9 in the middle of its run, starts it again and
// measures from that start to its first list call.
func (t *trial) restart(ctx context.Context) (time.Duration, error) {
	killed := t.ours(ctx)
	if err := killed.Start(); err != nil {
		return 0, err
	}
	var c calls
	for c.Calls < int64(t.Orders/pageSize/2) {
		if err := t.ask(ctx, "/bench/calls", nil, &c); err != nil {
			return 0, err
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	if err := killed.Process.Kill(); err != nil {
		return 0, err
	}
	_ = killed.Wait() // it was killed
	if err := t.ask(ctx, "/bench/load", t.load, nil); err != nil {
		return 0, err // which also forgets the calls so far
	}
	u, err := measure(t.ours(ctx))
	if err != nil {
		return 0, err
	}
	if err := t.ask(ctx, "/bench/calls", nil, &c); err != nil {
		return 0, err
	}
	return time.Unix(0, c.First).Sub(u.started), t.finish(ctx)
}
