package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// What steering many shops is held to, in seconds and MiB. A fleet's numbers are
// those of the largest of its workers.
var (
	allTarget    = atMost(5, 2)
	oneTarget    = atMost(1, 0.3)
	listTarget   = atMost(1, 0.5)
	scrapeTarget = atMost(0.5, 0.25)
	growthTarget = atMost(10, 5)
)

const (
	// steeredLanes is the default of ORDERWALK_OFFSETS_PARTITIONS.
	steeredLanes = 16
	// pausedOnes is how many shops are paused and resumed one after the other.
	pausedOnes = 20
	// reads is how often each large answer is read.
	reads = 5
)

// steering is what one round of one fleet took.
type steering struct {
	pause, paused, quiet, resume, asked, one, worst        float64 // seconds
	list, first, scrape                                    float64
	listGrowth, scrapeGrowth, walking, resting, afterwards float64 // MiB
	start                                                  float64
}

// steer pauses and resumes very many shops, all and one by one, and reads what their
// workers answer about them: three workers, beside one.
func (s *suite) steer(ctx context.Context, b *bench, name string) error {
	of := func(number func(steering) float64, rounds [2][]steering) (out series) {
		for i := range rounds[0] {
			out.add(number(rounds[1][i]), number(rounds[0][i]))
		}
		return out
	}
	var rounds [2][]steering
	for round := range s.rounds {
		for i, workers := range []int{1, 3} {
			s.progress(fmt.Sprintf("%s, workers: %d", name, workers), round)
			ctx, cancel := context.WithTimeout(ctx, runTimeout)
			defer cancel()
			one, err := b.steer(ctx, workers)
			if err != nil {
				return err
			}
			rounds[i] = append(rounds[i], one)
		}
	}
	out := s.report
	out.beside = "one worker"
	line := func(what, format string, t target, number func(steering) float64) row {
		return row{what, format, of(number, rounds), t, false}
	}
	out.table(fmt.Sprintf("%s: %d shops in %d lanes, three workers", name, manyShops, steeredLanes),
		line("pause of all: seconds until it is answered", "%.2f", allTarget, func(s steering) float64 { return s.pause }),
		line("pause of all: until the last list call", "%.2f", allTarget, func(s steering) float64 { return s.quiet }),
		line("pause of all: until every shop is shown as paused", "%.2f", allTarget, func(s steering) float64 { return s.paused }),
		line("resume of all: until it is answered", "%.2f", allTarget, func(s steering) float64 { return s.resume }),
		line("resume of all: until every shop was asked", "%.2f", allTarget, func(s steering) float64 { return s.asked }),
		line("pause of one: until it is shown as paused, median", "%.3f", oneTarget, func(s steering) float64 { return s.one }),
		line("pause of one: the slowest", "%.3f", oneTarget, func(s steering) float64 { return s.worst }),
		line("GET /connectors?expand: seconds", "%.2f", listTarget, func(s steering) float64 { return s.list }),
		line("GET /connectors?expand: until the first byte", "%.2f", listTarget, func(s steering) float64 { return s.first }),
		line("GET /connectors?expand: more memory, MiB", "%.1f", growthTarget, func(s steering) float64 { return s.listGrowth }),
		line("GET /metrics: seconds", "%.2f", scrapeTarget, func(s steering) float64 { return s.scrape }),
		line("GET /metrics: more memory, MiB", "%.1f", growthTarget, func(s steering) float64 { return s.scrapeGrowth }),
		line("memory while all are walked, MiB", "%.0f", target{}, func(s steering) float64 { return s.walking }),
		line("memory while all are paused, MiB", "%.0f", target{}, func(s steering) float64 { return s.resting }),
		line("start with all paused: seconds until all are shown so", "%.2f", allTarget, func(s steering) float64 { return s.start }),
		line("start with all paused: memory then, MiB", "%.0f", memoryTarget, func(s steering) float64 { return s.afterwards }),
	)
	return nil
}

func (b *bench) steer(ctx context.Context, workers int) (out steering, err error) {
	f, err := b.newFleet(ctx, manyShops, steeredLanes, load{Start: time.Now().Unix() - 60, Span: 1})
	if err != nil {
		return out, err
	}
	defer func() {
		if gone := f.close(context.WithoutCancel(ctx)); err == nil {
			err = gone
		}
	}()
	for i := range workers {
		if _, err := f.start(ctx, fmt.Sprint("steered-", i)); err != nil {
			return out, err
		}
	}
	if err := f.walked(ctx); err != nil {
		return out, err
	}
	out.walking = f.memory()
	if err := f.read(ctx, &out); err != nil {
		return out, err
	}
	if err := f.ones(ctx, &out); err != nil {
		return out, err
	}

	began := time.Now()
	if err := f.all(ctx, "PAUSED"); err != nil {
		return out, err
	}
	out.pause = time.Since(began).Seconds()
	if err := f.shown(ctx, "paused"); err != nil {
		return out, err
	}
	out.paused = time.Since(began).Seconds()
	time.Sleep(pollInterval) // longer than the longest wait between two polls
	c, err := f.calls(ctx, func(calls) bool { return true })
	if err != nil {
		return out, err
	}
	out.quiet = time.Unix(0, c.Last).Sub(began).Seconds()
	out.resting = f.memory()

	for _, w := range f.workers {
		if err := w.stop(); err != nil {
			return out, err
		}
	}
	f.workers = nil
	began = time.Now()
	for i := range workers {
		if _, err := f.start(ctx, fmt.Sprint("steered-", i)); err != nil {
			return out, err
		}
	}
	if err := f.shown(ctx, "paused"); err != nil {
		return out, err
	}
	out.start, out.afterwards = time.Since(began).Seconds(), f.memory()

	if err := f.forget(ctx); err != nil {
		return out, err
	}
	began = time.Now()
	if err := f.all(ctx, "RUNNING"); err != nil {
		return out, err
	}
	out.resume = time.Since(began).Seconds()
	if c, err = f.calls(ctx, func(c calls) bool { return c.Shops == int64(f.shops) }); err != nil {
		return out, err
	}
	out.asked = time.Unix(0, c.Newest).Sub(began).Seconds()
	return out, nil
}

// walked waits until every shop is polled, whichever worker has it in the end.
func (f *fleet) walked(ctx context.Context) error {
	if err := f.shown(ctx, "live"); err != nil {
		return err
	}
	time.Sleep(pollInterval) // for what the start leaves behind
	return nil
}

// get reads an answer of a worker.
func (w *worker) get(ctx context.Context, path string) (body []byte, first time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.addr+path, nil)
	if err != nil {
		return nil, 0, err
	}
	began := time.Now()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, 0, err
	}
	defer resp.Body.Close()
	var one [1]byte
	if _, err := io.ReadFull(resp.Body, one[:]); err != nil {
		return nil, 0, err
	}
	first = time.Since(began)
	rest, err := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s: %s", path, resp.Status, rest)
	}
	return append(one[:], rest...), first, err
}

// shown waits until a worker shows every shop in a state. It asks the last of them,
// which may still be starting.
func (f *fleet) shown(ctx context.Context, state string) error {
	counts := make(map[string]int)
	for {
		var shops []struct{ State string }
		body, _, err := f.workers[len(f.workers)-1].get(ctx, "/shops")
		if err == nil && json.Unmarshal(body, &shops) == nil {
			clear(counts)
			for _, s := range shops {
				counts[s.State]++
			}
			if counts[state] == f.shops {
				return nil
			}
		}
		select {
		case <-time.After(300 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("wait until every shop is %s: %w; they are %v (%w)", state, ctx.Err(), counts, err)
		}
	}
}

// all wants all shops in a state.
func (f *fleet) all(ctx context.Context, target string) error {
	return f.workers[0].put(ctx, "/shops/target", fmt.Sprintf(`{"target":%q,"all":true}`, target))
}

func (w *worker) put(ctx context.Context, path, body string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, "http://"+w.addr+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("PUT %s: %s: %w", path, resp.Status, err)
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("PUT %s: %s: %s", path, resp.Status, text)
	}
	return nil
}

// ones pauses single shops through one worker after the other, and resumes them.
func (f *fleet) ones(ctx context.Context, out *steering) error {
	var took []float64
	for i := range pausedOnes {
		path := fmt.Sprintf("/connectors/wxfleet%09d", i*f.shops/pausedOnes)
		w := f.workers[i%len(f.workers)]
		began := time.Now()
		if err := w.put(ctx, path+"/pause", ""); err != nil {
			return err
		}
		for {
			body, _, err := w.get(ctx, path+"/status")
			if err != nil {
				return err
			}
			if bytes.Contains(body, []byte(`"connector":{"state":"PAUSED"`)) {
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
		took = append(took, time.Since(began).Seconds())
		if err := w.put(ctx, path+"/resume", ""); err != nil {
			return err
		}
	}
	_, out.worst = bounds(took)
	out.one = median(took)
	return nil
}

// read reads the large answers of every worker, several times. What counts is the
// slowest worker's median.
func (f *fleet) read(ctx context.Context, out *steering) error {
	for _, w := range f.workers {
		pid := w.cmd.Process.Pid
		for path, into := range map[string][3]*float64{
			"/connectors?expand=status&expand=info": {&out.list, &out.first, &out.listGrowth},
			"/metrics":                              {&out.scrape, new(float64), &out.scrapeGrowth},
		} {
			var took, firsts, growth []float64
			for range reads {
				before, err := fromHere(pid)
				if err != nil {
					return err
				}
				began := time.Now()
				_, first, err := w.get(ctx, path)
				if err != nil {
					return err
				}
				took, firsts = append(took, time.Since(began).Seconds()), append(firsts, first.Seconds())
				growth = append(growth, float64(highWater(pid)-before)/(1<<20))
			}
			*into[0], *into[1], *into[2] = max(*into[0], median(took)), max(*into[1], median(firsts)), max(*into[2], median(growth))
		}
	}
	return nil
}

// memory is the largest worker's resident memory, in MiB.
func (f *fleet) memory() (largest float64) {
	for _, w := range f.workers {
		largest = max(largest, float64(memoryOf(w.cmd.Process.Pid, "VmRSS:"))/(1<<20))
	}
	return largest
}

// fromHere lets the peak of a process's resident memory begin at what it is now, which it
// returns.
func fromHere(pid int) (int64, error) {
	if err := os.WriteFile("/proc/"+strconv.Itoa(pid)+"/clear_refs", []byte("5"), 0o200); err != nil {
		return 0, err
	}
	return memoryOf(pid, "VmRSS:"), nil
}
