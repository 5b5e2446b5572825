package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// What one worker with very many shops is held to, while operators look at it. Memory is
// in MiB, times are in seconds.
var (
	scaleMemoryTarget = atMost(256, 200)
	scaleReloadTarget = atMost(1, 0.5)
)

const (
	// scrapeEvery and statusEvery are how often the worker is read all the while.
	scrapeEvery, statusEvery = 15 * time.Second, 5 * time.Second
	// watchedTime is how long a worker is watched once every shop has been asked.
	watchedTime = time.Minute
	// pollCycle is the default interval of polls. All shops are polled within a part of it,
	// so what comes beside the polls is the difference of whole cycles.
	pollCycle = 10 * time.Second
	// reloads is how often the shops file changes.
	reloads = 3
)

// scaling is what one worker with very many shops took.
type scaling struct {
	asked, live, reload, reloadCPU          float64 // seconds
	peak, steady, heap, stacks              float64 // MiB
	goroutines, calls, watched, idle, moved float64
	status, scrape                          float64 // seconds
	statusSize, scrapeSize, offsets         float64 // bytes
}

// scale has one worker walk very many shops while /metrics and the status of all shops
// are read, then leaves it alone, and changes the shops file.
func (s *suite) scale(ctx context.Context, b *bench, name string) error {
	var rounds []scaling
	for round := range s.rounds {
		s.progress(name, round)
		ctx, cancel := context.WithTimeout(ctx, 2*runTimeout)
		defer cancel()
		one, err := b.scale(ctx, s.shops, s.lanes, s.settings)
		if err != nil {
			return err
		}
		rounds = append(rounds, one)
	}
	line := func(what, format string, t target, number func(scaling) float64) row {
		var of series
		for _, one := range rounds {
			of.ours = append(of.ours, number(one))
		}
		return row{what, format, of, t, false}
	}
	title := fmt.Sprintf("%s: %d shops in %d lanes, one worker", name, s.shops, s.lanes)
	if s.settings != nil {
		title += ", " + strings.Join(s.settings, " ")
	}
	s.report.table(title,
		line("seconds until every shop was asked once", "%.2f", askedTarget, func(s scaling) float64 { return s.asked }),
		line("seconds until every shop is live", "%.2f", target{}, func(s scaling) float64 { return s.live }),
		line(fmt.Sprintf("peak memory until then and %v more, read all the while, MiB", watchedTime), "%.0f", scaleMemoryTarget, func(s scaling) float64 { return s.peak }),
		line("memory after that, MiB", "%.0f", target{}, func(s scaling) float64 { return s.steady }),
		line("heap with its garbage, KiB a shop", "%.1f", target{}, func(one scaling) float64 { return one.heap * 1024 / float64(s.shops) }),
		line("stacks, KiB a shop", "%.1f", target{}, func(one scaling) float64 { return one.stacks * 1024 / float64(s.shops) }),
		line("goroutines a shop", "%.2f", target{}, func(one scaling) float64 { return one.goroutines / float64(s.shops) }),
		line("CPU while read, per cent of a core", "%.2f", target{}, func(s scaling) float64 { return s.watched }),
		line("CPU while left alone, per cent of a core", "%.2f", idleTarget, func(s scaling) float64 { return s.idle }),
		line("list calls a second then", "%.0f", target{}, func(s scaling) float64 { return s.calls }),
		line("offsets topic, bytes a second", "%.0f", target{}, func(s scaling) float64 { return s.offsets }),
		line("GET /connectors?expand=status: seconds", "%.2f", listTarget, func(s scaling) float64 { return s.status }),
		line("GET /connectors?expand=status: bytes", "%.0f", target{}, func(s scaling) float64 { return s.statusSize }),
		line("GET /metrics: seconds", "%.2f", scrapeTarget, func(s scaling) float64 { return s.scrape }),
		line("GET /metrics: bytes", "%.0f", target{}, func(s scaling) float64 { return s.scrapeSize }),
		line("shops file with one changed entry: seconds until that is shown", "%.2f", target{}, func(s scaling) float64 { return s.reload }),
		line("shops file with one changed entry: CPU seconds of it", "%.2f", scaleReloadTarget, func(s scaling) float64 { return s.reloadCPU }),
		line("shops that began again with it", "%.0f", target{}, func(s scaling) float64 { return s.moved }),
	)
	return nil
}

func (b *bench) scale(ctx context.Context, shops, lanes int, settings []string) (out scaling, err error) {
	f, err := b.newFleet(ctx, shops, lanes, load{Start: time.Now().Unix() - 60, Span: 1}, settings...)
	if err != nil {
		return out, err
	}
	defer func() {
		if gone := f.close(context.WithoutCancel(ctx)); err == nil {
			err = gone
		}
	}()
	w, err := f.start(ctx, "scale")
	if err != nil {
		return out, err
	}
	pid := w.cmd.Process.Pid
	reading, stopReading := context.WithCancel(ctx)
	read := make(chan readings, 1)
	go func() { read <- w.readOften(reading) }()
	defer stopReading()

	c, err := f.calls(ctx, func(c calls) bool { return c.Shops == int64(f.shops) })
	if err != nil {
		return out, err
	}
	out.asked = time.Unix(0, c.Newest).Sub(w.started).Seconds()
	if err := f.counted(ctx, w); err != nil {
		return out, err
	}
	out.live = time.Since(w.started).Seconds()
	if out.watched, _, err = f.busy(ctx, watchedTime, w); err != nil {
		return out, err
	}
	stopReading()
	seen := <-read
	if seen.err != nil {
		return out, seen.err
	}
	out.status, out.scrape = median(seen.status), median(seen.scrape)
	out.statusSize, out.scrapeSize = float64(seen.statusSize), float64(seen.scrapeSize)
	out.peak, out.steady = mib(highWater(pid)), mib(memoryOf(pid, "VmRSS:"))

	before, err := b.broker.size(ctx, f.offsets())
	if err != nil {
		return out, err
	}
	if out.idle, out.calls, err = f.busy(ctx, watchedTime, w); err != nil {
		return out, err
	}
	after, err := b.broker.size(ctx, f.offsets())
	if err != nil {
		return out, err
	}
	out.offsets = float64(after-before) / watchedTime.Seconds()
	if err := w.runtime(ctx, &out); err != nil {
		return out, err
	}
	return out, f.reload(ctx, w, &out)
}

// readings is what the reads of a worker took.
type readings struct {
	status, scrape         []float64 // seconds
	statusSize, scrapeSize int
	err                    error
}

// readOften reads what operators and Prometheus read, until ctx ends.
func (w *worker) readOften(ctx context.Context) (r readings) {
	status, scrape := time.NewTicker(statusEvery), time.NewTicker(scrapeEvery)
	defer status.Stop()
	defer scrape.Stop()
	for {
		path, took, size := "/connectors?expand=status", &r.status, &r.statusSize
		select {
		case <-ctx.Done():
			return r
		case <-status.C:
		case <-scrape.C:
			path, took, size = "/metrics", &r.scrape, &r.scrapeSize
		}
		began := time.Now()
		body, _, err := w.get(ctx, path)
		if ctx.Err() != nil {
			return r
		}
		if err != nil {
			r.err = errors.Join(r.err, err)
			return r
		}
		*took, *size = append(*took, time.Since(began).Seconds()), len(body)
	}
}

// counted waits until every shop is live, by the worker's totals.
func (f *fleet) counted(ctx context.Context, w *worker) error {
	for {
		found, err := w.numbers(ctx, `orderwalk_shops{state="live"}`)
		if err != nil {
			return err
		}
		if int(found[0]) == f.shops {
			return nil
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return fmt.Errorf("wait until every shop is live: %w; %v are", ctx.Err(), found[0])
		}
	}
}

// numbers reads the samples with these names from the metrics.
func (w *worker) numbers(ctx context.Context, names ...string) ([]float64, error) {
	text, _, err := w.get(ctx, "/metrics")
	if err != nil {
		return nil, err
	}
	found := make([]float64, len(names))
	for line := range bytes.Lines(text) {
		for i, name := range names {
			if rest, ok := bytes.CutPrefix(line, []byte(name+" ")); ok {
				if found[i], err = strconv.ParseFloat(string(bytes.TrimSpace(rest)), 64); err != nil {
					return nil, err
				}
			}
		}
	}
	return found, nil
}

// busy measures the CPU of workers, in per cent of a core, and their list calls a second.
func (f *fleet) busy(ctx context.Context, during time.Duration, workers ...*worker) (percent, perSecond float64, err error) {
	var used [2]time.Duration
	var seen [2]calls
	for i := range used {
		if i > 0 {
			select {
			case <-time.After(during):
			case <-ctx.Done():
				return 0, 0, ctx.Err()
			}
		}
		for _, w := range workers {
			cpu, err := cpuOf(w.cmd.Process.Pid)
			if err != nil {
				return 0, 0, err
			}
			used[i] += cpu
		}
		if err := f.ask(ctx, "/bench/calls", nil, &seen[i]); err != nil {
			return 0, 0, err
		}
	}
	return 100 * (used[1] - used[0]).Seconds() / during.Seconds(), float64(seen[1].Calls-seen[0].Calls) / during.Seconds(), nil
}

// runtime reads what Go's runtime says of the worker.
func (w *worker) runtime(ctx context.Context, out *scaling) error {
	found, err := w.numbers(ctx, "go_goroutines", "go_memstats_heap_alloc_bytes", "go_memstats_stack_inuse_bytes")
	if err != nil {
		return err
	}
	out.goroutines, out.heap, out.stacks = found[0], found[1]/(1<<20), found[2]/(1<<20)
	return nil
}

// reload renames one shop after the other in the shops file.
func (f *fleet) reload(ctx context.Context, w *worker, out *scaling) error {
	text, err := os.ReadFile(f.file())
	if err != nil {
		return err
	}
	pid := w.cmd.Process.Pid
	var took, used, moved []float64
	for i := range reloads {
		usual, _, err := f.busy(ctx, pollCycle, w)
		if err != nil {
			return err
		}
		since, err := w.since(ctx)
		if err != nil {
			return err
		}
		old := fmt.Sprintf(`"wxfleet%09d"`, i)
		text = bytes.Replace(text, []byte(`{"app_id":`+old), fmt.Appendf(nil, `{"name":"renamed-%d","app_id":%s`, i, old), 1)
		before, err := cpuOf(pid)
		if err != nil {
			return err
		}
		began := time.Now()
		if err := os.WriteFile(f.file(), text, 0o600); err != nil {
			return err
		}
		for {
			if _, _, err := w.get(ctx, fmt.Sprintf("/connectors/renamed-%d/status", i)); err == nil {
				break
			}
			select {
			case <-time.After(20 * time.Millisecond):
			case <-ctx.Done():
				return fmt.Errorf("wait for the changed shops file: %w", ctx.Err())
			}
		}
		took = append(took, time.Since(began).Seconds())
		select {
		case <-time.After(pollCycle - time.Since(began)):
		case <-ctx.Done():
			return ctx.Err()
		}
		after, err := cpuOf(pid)
		if err != nil {
			return err
		}
		used = append(used, max(0, (after-before).Seconds()-usual/100*time.Since(began).Seconds()))
		now, err := w.since(ctx)
		if err != nil {
			return err
		}
		n := 0
		for name, at := range now {
			if since[name] != at {
				n++
			}
		}
		moved = append(moved, float64(n))
	}
	out.reload, out.reloadCPU, out.moved = median(took), median(used), median(moved)
	return nil
}

// since returns when each shop got its state.
func (w *worker) since(ctx context.Context) (map[string]int64, error) {
	body, _, err := w.get(ctx, "/shops")
	if err != nil {
		return nil, err
	}
	var shops []struct {
		Name  string
		Since int64
	}
	if err := json.Unmarshal(body, &shops); err != nil {
		return nil, err
	}
	at := make(map[string]int64, len(shops))
	for _, s := range shops {
		at[s.Name] = s.Since
	}
	return at, nil
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }
