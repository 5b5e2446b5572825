//go:build kafka

package trial

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"orderwalk/simulator"
	"orderwalk/test/leaktest"
)

// patience bounds each wait of a trial; trials do not measure it.
const patience = 6 * time.Minute

const (
	createTime = "create_time"
	updateTime = "update_time"
)

// source is a line of the shops file: a shop and one of its two ranges.
type source struct {
	name, appID, kind string
	start, end        int64 // unix seconds; end 0 = none
}

// fixture is one trial's API and its names in Kafka.
type fixture struct {
	testing.TB
	seed    uint64
	dice    *rand.Rand
	brokers []string
	group   string // prefix of all names
	sources []source
	secrets map[string]string // app secrets by app ID
	refresh map[string]string // by app ID, the refresh tokens of shops of a platform
	leaks   leaktest.Search
	api     *simulator.Server
	url     string
	file    string // shops file
	guard   *guard

	mu       sync.Mutex
	requests int                  // number of requests of all kinds
	calls    []simulator.ListCall // all list calls, in order
	served   map[string]bool      // source and ID of every order that was listed
	tokens   map[string]bool      // every access token that was used
	changed  chan struct{}        // closed and renewed with each request
	lives    []*process
	faults   []string // failures of the trial
	forgiven string   // a violation that the trial itself causes
}

// seedOf returns the given seed, or one from the clock, and logs it.
func seedOf(t testing.TB) uint64 {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("TRIAL_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("TRIAL_SEED: %v", err)
		}
	}
	t.Logf("TRIAL_SEED=%d", seed)
	return seed
}

// newWorld serves the shops that build returns, given a random source, and writes the
// shops file. If the trial fails, it logs everything needed to diagnose it.
func newWorld(t testing.TB, brokers []string, build func(w *fixture) simulator.Config) *fixture {
	t.Helper()
	seed := seedOf(t)
	w := &fixture{
		TB: t, seed: seed, dice: rand.New(rand.NewPCG(seed, 0)), brokers: brokers,
		group:   fmt.Sprintf("%s-%d", strings.NewReplacer("/", "-", "_", "-").Replace(t.Name()), time.Now().UnixNano()%1e9),
		secrets: map[string]string{}, served: map[string]bool{}, tokens: map[string]bool{},
		changed: make(chan struct{}), guard: newGuard(t),
	}
	cfg := build(w)
	cfg.Seed, cfg.OnList = seed, w.listed
	for i := range cfg.Shops {
		// With characters that URLs, forms and JSON escape differently.
		cfg.Shops[i].Secret = fmt.Sprintf("s3cret/+=%%&<%x>", w.dice.Uint64())
		w.secrets[cfg.Shops[i].AppID] = cfg.Shops[i].Secret
		w.leaks.Hide("an app secret", cfg.Shops[i].Secret)
	}
	w.refresh = map[string]string{}
	for _, shop := range cfg.Shops {
		w.refresh[shop.AppID] = shop.RefreshToken
	}
	w.api = simulator.New(cfg)
	w.url = w.serve(w.leaks.Watch(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.arrived(r)
		w.api.ServeHTTP(rw, r)
	})))
	w.file = filepath.Join(t.TempDir(), "shops.json")
	w.writeShops(w.sources)
	t.Cleanup(w.epilogue)
	return w
}

// serve serves on loopback until the trial ends.
func (w *fixture) serve(handler http.Handler) (url string) {
	server := httptest.NewServer(handler)
	w.Cleanup(server.Close)
	return server.URL
}

// add adds a source.
func (w *fixture) add(appID, kind string, start, end int64) {
	w.sources = append(w.sources, source{name: appID + "-" + kind, appID: appID, kind: kind, start: start, end: end})
}

// closedShops returns shops of days ago with this many orders each, plus a tenth
// before and after the range that is read.
func closedShops(w *fixture, shops, orders int) (cfg simulator.Config) {
	now := time.Now().Unix()
	for i := range shops {
		appID := fmt.Sprintf("wxclosed%d", i)
		start := now - 86400*int64(3+i)
		length := 3600 * int64(6+12*(i%3))
		w.add(appID, createTime, start, start+length)
		cfg.Shops = append(cfg.Shops, simulator.Shop{AppID: appID, Backlog: simulator.Backlog{
			Orders: orders * 13 / 10, From: start - length/10, To: start + length + length/10, Bursts: 4, BurstSize: 120}})
	}
	return cfg
}

// writeShops writes these sources to the shops file.
func (w *fixture) writeShops(sources []source) {
	w.Helper()
	type shop struct {
		AppID     string `json:"app_id"`
		Name      string `json:"name"`
		AppSecret string `json:"app_secret,omitempty"`
		Refresh   string `json:"authorizer_refresh_token,omitempty"`
		TimeRange string `json:"time_range"`
		Start     string `json:"start_time"`
		End       string `json:"end_time,omitempty"`
	}
	var file struct {
		Shops []shop `json:"shops"`
	}
	for _, s := range sources {
		end := ""
		if s.end != 0 {
			end = strconv.FormatInt(s.end, 10)
		}
		one := shop{s.appID, s.name, w.secrets[s.appID], w.refresh[s.appID], s.kind, strconv.FormatInt(s.start, 10), end}
		if one.Refresh != "" {
			one.AppSecret = "" // a platform does not know it
		}
		file.Shops = append(file.Shops, one)
	}
	data, err := json.Marshal(file)
	if err != nil {
		w.Fatal(err)
	}
	// By rename, so that no reader sees half a file.
	next := w.file + ".next"
	if err := os.WriteFile(next, data, 0o600); err != nil {
		w.Fatal(err)
	}
	if err := os.Rename(next, w.file); err != nil {
		w.Fatal(err)
	}
}

// finish gives every source an end this far from now: workers load it from the shops
// file and finish by themselves.
func (w *fixture) finish(in time.Duration) {
	w.Helper()
	end := time.Now().Add(in).Unix()
	for i := range w.sources {
		w.sources[i].end = end
	}
	w.writeShops(w.sources)
}

func (w *fixture) orders() string  { return w.group + ".orders" }
func (w *fixture) offsets() string { return w.group + ".offsets" }

// arrived records a request of any kind.
func (w *fixture) arrived(r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.requests++
	if token := r.URL.Query().Get("access_token"); token != "" {
		w.tokens[token] = true
	}
	close(w.changed)
	w.changed = make(chan struct{})
}

// listed records a list call.
func (w *fixture) listed(c simulator.ListCall) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, c)
	kind := createTime
	if c.Update != nil {
		kind = updateTime
	}
	for _, id := range c.OrderIDs {
		w.served[c.AppID+" "+kind+" "+id] = true
	}
}

// progress returns the number of requests and of different listed orders.
func (w *fixture) progress() (requests, served int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.requests, len(w.served)
}

// journal returns every list call from the n-th on.
func (w *fixture) journal(n int) []simulator.ListCall {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.calls[n:])
}

// await waits until a condition on the requests holds, the process has ended, or the
// time is over (0 = patience), and reports whether the condition holds.
func (w *fixture) await(p *process, limit time.Duration, happened func() bool) bool {
	deadline := time.After(cmp.Or(limit, patience))
	for {
		w.mu.Lock()
		changed := w.changed
		w.mu.Unlock()
		if happened() {
			return true
		}
		select {
		case <-changed:
		case <-p.ended:
			return false
		case <-deadline:
			return false
		}
	}
}

// listedMore waits until n more different orders have been listed; the process must
// not end before.
func (w *fixture) listedMore(p *process, n int) {
	w.Helper()
	_, before := w.progress()
	if !w.await(p, 0, func() bool { _, now := w.progress(); return now >= before+n }) {
		w.Fatalf("life %d did not read %d more orders\n%s", p.number, n, p.tail())
	}
}

// truth returns every order that a source must publish, with its second: of creation,
// or of its last change. For the latter the orders must no longer change.
func (w *fixture) truth(s source) map[string]int64 {
	all := map[string]int64{}
	for _, o := range w.api.Orders(s.appID, time.Time{}) {
		at := o.Created
		if s.kind == updateTime {
			at = o.Updated
		}
		if at >= s.start-1 && at <= s.end+1 {
			all[o.ID] = at
		}
	}
	return all
}

// Errorf records the failure, so that epilogue can repeat it after the diagnostics.
func (w *fixture) Errorf(format string, args ...any) {
	w.Helper()
	w.fault(fmt.Sprintf(format, args...))
	w.TB.Errorf(format, args...)
}

// Fatalf does the same.
func (w *fixture) Fatalf(format string, args ...any) {
	w.Helper()
	w.fault(fmt.Sprintf(format, args...))
	w.TB.Fatalf(format, args...)
}

// Error does the same.
func (w *fixture) Error(args ...any) {
	w.Helper()
	w.Errorf("%s", fmt.Sprint(args...))
}

// Fatal does the same.
func (w *fixture) Fatal(args ...any) {
	w.Helper()
	w.Fatalf("%s", fmt.Sprint(args...))
}

func (w *fixture) fault(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults = append(w.faults, text[:min(len(text), 2000)])
}

// epilogue checks what must hold after every trial, and logs the diagnostics of a
// failed one.
func (w *fixture) epilogue() {
	for _, p := range w.lives {
		p.kill()
	}
	w.guard.dismiss()
	v := w.api.Stats().Violations
	delete(v, w.forgiven)
	if len(v) != 0 {
		w.Errorf("the API was asked what it must not be asked: %v", v)
	}
	for _, p := range w.lives {
		for _, sign := range []string{"DATA RACE", "panic: ", "fatal error: ", "goroutine 1 ["} {
			if strings.Contains(p.stderr.String(), sign) {
				w.Errorf("life %d: %s\n%s", p.number, sign, p.stderr.String())
			}
		}
		w.noSecret(fmt.Sprintf("standard error of life %d", p.number), p.stderr.String())
		w.noSecret(fmt.Sprintf("standard output of life %d", p.number), p.stdout.String())
	}
	if w.Failed() {
		w.Logf("failed with TRIAL_SEED=%d after %d lives, group %s", w.seed, len(w.lives), w.group)
		for _, p := range w.lives {
			if err := os.WriteFile(filepath.Join(w.ArtifactDir(), fmt.Sprintf("life-%d.log", p.number)), []byte(p.stderr.String()), 0o600); err != nil {
				w.Log(err)
			}
		}
		for _, p := range w.lives[max(0, len(w.lives)-4):] {
			w.Logf("life %d: %s\nsettings: %s\n%s", p.number, p.cmd.ProcessState, strings.Join(p.settings, " "), p.tail())
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.Logf("what is wrong, once more:\n%s", strings.Join(w.faults, "\n"))
	}
}
