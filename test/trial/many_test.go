//go:build kafka

package trial

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"orderwalk/simulator"
	"orderwalk/test/kafkatest"
)

// manyShops returns TRIAL_SHOPS live shops.
func manyShops(t *testing.T) func(w *fixture) simulator.Config {
	return func(w *fixture) (cfg simulator.Config) {
		now := time.Now().Unix()
		for i := range number(t, "TRIAL_SHOPS", 300) {
			appID := fmt.Sprintf("wxmany%05d", i)
			w.add(appID, createTime, now-30, 0)
			cfg.Shops = append(cfg.Shops, simulator.Shop{AppID: appID, Live: simulator.Live{Rate: 0.02, Since: now - 30}})
		}
		return cfg
	}
}

// manySettings are for workers that have many shops and little to read.
func manySettings(more ...string) []string {
	return append([]string{"OFFSETS_PARTITIONS=16", "SETTLE_DELAY=1s", "POLL_INTERVAL=5s", "LOOKBACK=0", "RATE_LIMIT=50", "SESSION_TIMEOUT=30s"}, more...)
}

// report is what a worker reports about a shop.
type report struct {
	Name, State, Target string
	Watermark           int64
}

func (w *fixture) reports(p *process) (shops []report) {
	w.Helper()
	if err := json.Unmarshal([]byte(p.get("/shops")), &shops); err != nil {
		w.Fatal(err)
	}
	return shops
}

// allIn waits until a worker shows every shop in one of the states.
func (w *fixture) allIn(p *process, states ...string) {
	w.Helper()
	w.eventually(fmt.Sprintf("every shop %v", states), p, func() bool {
		shops := w.reports(p)
		return len(shops) == len(w.sources) && !slices.ContainsFunc(shops, func(s report) bool { return !slices.Contains(states, s.State) })
	})
}

// goesOn waits until every shop, but those named, is read and committed beyond now.
func (w *fixture) goesOn(p *process, but ...string) {
	w.Helper()
	now := time.Now().Unix()
	w.eventually("every other shop goes on", p, func() bool {
		shops := w.reports(p)
		return len(shops) == len(w.sources) && !slices.ContainsFunc(shops, func(s report) bool {
			return s.Watermark <= now && !slices.Contains(but, s.Name)
		})
	})
}

// put makes a call that changes something.
func (w *fixture) put(p *process, path, body string) {
	w.Helper()
	req, err := http.NewRequest(http.MethodPut, p.listen()+path, strings.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	w.eventually("PUT "+path, p, func() bool {
		answer, err := http.DefaultClient.Do(req)
		if err != nil {
			w.Fatal(err)
		}
		defer answer.Body.Close()
		text, _ := io.ReadAll(answer.Body)
		if answer.StatusCode/100 != 2 && answer.StatusCode != http.StatusConflict {
			w.Fatalf("PUT %s: %s: %s", path, answer.Status, text)
		}
		req.Body = io.NopCloser(strings.NewReader(body))
		return answer.StatusCode/100 == 2
	})
}

// called lists the app IDs of the list calls since the n-th.
func (w *fixture) called(n int) map[string]int {
	ids := map[string]int{}
	for _, c := range w.journal(n) {
		ids[c.AppID]++
	}
	return ids
}

// opened counts the openings of lanes.
func opened(workers []*process) (n int) {
	for _, p := range workers {
		n += strings.Count(p.stderr.String(), `"msg":"lane opened"`)
	}
	return n
}

// TestManyShopsAreSteered: of very many shops on three workers all are paused, resumed,
// stopped, resumed and restarted, and one after the other alone. What happens to one shop
// disturbs no other, and no lane is opened again for a pause. A worker that starts walks
// none of the paused shops. In the end no order is lost or repeated.
func TestManyShopsAreSteered(t *testing.T) {
	w := newWorld(t, kafkatest.Start(t), manyShops(t))
	var workers []*process
	for i := range 3 {
		workers = append(workers, w.run(manySettings(fmt.Sprintf("WORKER_ID=worker-%d", i))...))
	}
	worker := func() *process { return workers[w.dice.IntN(len(workers))] }
	for _, p := range workers {
		w.eventually("ready", p, p.ready)
	}
	w.allIn(workers[0], "live", "backfill")
	w.goesOn(workers[0])

	lanes := opened(workers)
	for range 5 {
		shop := w.sources[w.dice.IntN(len(w.sources))]
		w.put(worker(), "/connectors/"+shop.name+"/pause", "")
		for _, p := range workers { // any worker knows
			w.eventually("paused", p, func() bool {
				return strings.Contains(p.get("/connectors/"+shop.name+"/status"), `"connector":{"state":"PAUSED"`)
			})
		}
		mark := len(w.journal(0))
		w.goesOn(worker(), shop.name)
		if n := w.called(mark)[shop.appID]; n > 0 {
			t.Errorf("%s is paused and was called %d times", shop.name, n)
		}
		w.put(worker(), "/connectors/"+shop.name+"/resume", "")
	}
	w.goesOn(worker())
	if n := opened(workers); n != lanes {
		t.Errorf("%d lanes were opened for pauses of single shops", n-lanes)
	}

	for _, target := range []struct{ target, state string }{{"PAUSED", "paused"}, {"STOPPED", "stopped"}} {
		w.put(worker(), "/shops/target", fmt.Sprintf(`{"target":%q,"all":true}`, target.target))
		for _, p := range workers {
			w.allIn(p, target.state)
		}
		mark := len(w.journal(0))
		late := w.run(manySettings("WORKER_ID=late")...)
		w.eventually("ready", late, late.ready)
		w.allIn(late, target.state)
		if n := w.called(mark); len(n) > 0 {
			t.Errorf("%s shops were called: %v", target.state, n)
		}
		late.signal(syscall.SIGTERM)
		if code := late.exit(); code != 0 {
			t.Errorf("the worker that was late ended with %d\n%s", code, late.tail())
		}
		w.put(worker(), "/shops/target", `{"target":"RUNNING","all":true}`)
		w.goesOn(worker())
	}
	w.finish(3 * time.Second)
	for _, p := range workers {
		if code := p.exit(); code != 0 {
			t.Errorf("life %d ended with %d\n%s", p.number, code, p.tail())
		}
	}
	t.Logf("%d orders", w.eachOnce())
}

// said is a line of a worker's log.
type said struct {
	Time  time.Time
	Level string
	Msg   string
	text  string
}

// lines returns the log's lines above DEBUG, from the n-th on.
func (p *process) lines(n int) (lines []said) {
	p.w.Helper()
	for text := range strings.Lines(p.stderr.String()) {
		one := said{text: strings.TrimSpace(text)}
		if !strings.HasSuffix(text, "\n") {
			break
		}
		if err := json.Unmarshal([]byte(text), &one); err != nil {
			p.w.Fatalf("%v: %s", err, text)
		}
		if one.Level != "DEBUG" {
			lines = append(lines, one)
		}
	}
	return lines[min(n, len(lines)):]
}

// TestManyShopsFailTogether: what befalls very many shops at once for TRIAL_OUTAGE seconds
// is one line in the log when it begins, one a minute while it lasts, and one when it is
// over; all of them go on.
func TestManyShopsFailTogether(t *testing.T) {
	cluster, err := kafkatest.Launch(t.Context(), kafkatest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Stop)
	w := newWorld(t, cluster.Brokers(), manyShops(t))
	var down atomic.Bool
	url := w.serve(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if down.Load() {
			panic(http.ErrAbortHandler)
		}
		w.arrived(r)
		w.api.ServeHTTP(rw, r)
	}))
	// The lines of the group say what became of the lanes, once each.
	group := []string{"lane starts again from what is committed", "lanes assigned", "the coordinator removed this worker from the group; joining again",
		"no heartbeat was accepted for longer than the session timeout; other workers may have taken over"}
	outage := time.Duration(number(t, "TRIAL_OUTAGE", 20)) * time.Second
	p := w.run(manySettings("API_URL="+url, "LOG_LEVEL=info")...)
	w.allIn(p, "live", "backfill")
	w.goesOn(p)
	broker := func(s syscall.Signal) {
		if err := syscall.Kill(cluster.PID(0), s); err != nil {
			t.Fatal(err)
		}
	}
	for _, trouble := range []struct {
		name                string
		begin, end          func()
		begins, lasts, ends string
		more                []string // further lines that tell of the same
	}{
		{"the API is down", func() { down.Store(true) }, func() { down.Store(false) },
			"call failed; retrying", "calls still fail; retrying", "calls succeed again", nil},
		{"tokens are refused", func() { w.api.SetFaults(simulator.Faults{Random40001Rate: 1}) }, func() { w.api.SetFaults(simulator.Faults{}) },
			"call failed; retrying", "calls still fail; retrying", "calls succeed again", nil},
		{"the broker is frozen", func() { broker(syscall.SIGSTOP) }, func() { broker(syscall.SIGCONT) },
			waitsForKafka, "still waiting for Kafka", kafkaIsBack, group},
		{"the broker is killed", func() { cluster.KillBroker(0) }, func() {
			if err := cluster.StartBroker(0); err != nil {
				t.Fatal(err)
			}
		}, waitsForKafka, "still waiting for Kafka", kafkaIsBack, group},
	} {
		before := len(p.lines(0))
		trouble.begin()
		began := time.Now()
		w.eventually(trouble.name+": a line", p, func() bool { return len(p.lines(before)) > 0 })
		w.await(p, outage-time.Since(began), func() bool { return false })
		trouble.end()
		w.eventually(trouble.name+": a line at the end", p, func() bool {
			return slices.ContainsFunc(p.lines(before), func(l said) bool { return l.Msg == trouble.ends })
		})
		w.goesOn(p)
		w.allIn(p, "live", "backfill")
		w.incident(p.lines(before), trouble.name, trouble.begins, trouble.lasts, trouble.ends, trouble.more...)
	}

	before := len(p.lines(0))
	w.api.SetFaults(simulator.Faults{PerDayLimit: 1})
	w.allIn(p, "exhausted")
	w.await(p, outage, func() bool { return false })
	w.incident(p.lines(before), "the quota is used up", "daily quota used up; pausing until it resets", "calls still pause until the daily quota resets", "")
	p.signal(syscall.SIGTERM)
	if code := p.exit(); code != 0 {
		t.Errorf("the worker ended with %d\n%s", code, p.tail())
	}
}

// incident checks the lines about what has befallen all shops. ends is empty if it still
// lasts.
func (w *fixture) incident(lines []said, name, begins, lasts, ends string, more ...string) {
	w.Helper()
	n := map[string]int{}
	var rest []string
	var latest time.Time
	for _, l := range lines {
		n[l.Msg]++
		switch {
		case l.Msg == begins || l.Msg == lasts:
			if l.Time.Sub(latest) < time.Minute {
				w.Errorf("%s: %s comes %v after the line before", name, l.text, l.Time.Sub(latest))
			}
			latest = l.Time
		case l.Msg != ends && !slices.Contains(more, l.Msg):
			rest = append(rest, l.text)
		}
	}
	if n[begins] != 1 || ends != "" && n[ends] != 1 || n[lasts] > 3 || len(rest) > 0 || len(lines) > 12 {
		w.Errorf("%s: %d lines: %v; further lines: %s", name, len(lines), n, strings.Join(rest, "\n"))
	}
	w.Logf("%s: %v", name, n)
}
