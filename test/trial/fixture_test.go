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

// patience bounds what a trial waits for; it is never measured.
const patience = 6 * time.Minute

const (
	createTime = "create_time"
	updateTime = "update_time"
)

// source is a line of the shops file: a shop and one of its two ranges.
type source struct {
	name, appID, kind string
	start, end        int64 // unix seconds; an end of 0 is none
}

// fixture is one trial's API and the names it uses in Kafka.
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
	file    string // of the shops
	guard   *guard

	mu       sync.Mutex
	requests int                  // of any kind
	calls    []simulator.ListCall // all of them, in order
	served   map[string]bool      // source and ID of every order that was listed
	tokens   map[string]bool      // every access token that was used
	changed  chan struct{}        // closed and renewed with each request
	lives    []*process
	faults   []string // what made the trial fail
}

// seedOf is the seed given, or one of this moment; the log says which.
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

// newWorld serves the shops that build makes, given its dice, and writes the
// shops file. When the trial fails it says all that is needed to look into it.
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
		// With characters that a URL, a form and JSON write in their own ways.
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

// serve serves on loopback until the trial is over.
func (w *fixture) serve(handler http.Handler) (url string) {
	server := httptest.NewServer(handler)
	w.Cleanup(server.Close)
	return server.URL
}

// add makes a source part of the world.
func (w *fixture) add(appID, kind string, start, end int64) {
	w.sources = append(w.sources, source{name: appID + "-" + kind, appID: appID, kind: kind, start: start, end: end})
}

// closedShops are shops of days ago, with so many orders each and a tenth more
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

// writeShops makes the shops file list these sources.
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
			one.AppSecret = "" // it is not the platform's to know
		}
		file.Shops = append(file.Shops, one)
	}
	data, err := json.Marshal(file)
	if err != nil {
		w.Fatal(err)
	}
	// The way whatever writes such files should: nobody ever finds half of it.
	next := w.file + ".next"
	if err := os.WriteFile(next, data, 0o600); err != nil {
		w.Fatal(err)
	}
	if err := os.Rename(next, w.file); err != nil {
		w.Fatal(err)
	}
}

// finish gives every source an end, so far from now: whoever walks it takes that
// up from the shops file and comes to its end by itself.
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

// arrived notes a request of any kind.
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

// listed notes a list call.
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

// progress is how many requests have come, and how many different orders they
// were given.
func (w *fixture) progress() (requests, served int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.requests, len(w.served)
}

// journal is every list call from the n-th on.
func (w *fixture) journal(n int) []simulator.ListCall {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.calls[n:])
}

// await waits until the requests that came have brought about what is asked
// for, the process has ended, or the time is over (0 = patience), and reports
// whether it was the first.
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

// listedMore waits until n more different orders have been listed; the process
// must not end before.
func (w *fixture) listedMore(p *process, n int) {
	w.Helper()
	_, before := w.progress()
	if !w.await(p, 0, func() bool { _, now := w.progress(); return now >= before+n }) {
		w.Fatalf("life %d did not read %d more orders\n%s", p.number, n, p.tail())
	}
}

// truth is every order that a source must bring, with its second: of creation,
// or of its last change. The world must be at rest for the latter.
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

// Errorf keeps what is wrong, so that it can be said again after all that is
// told of a failed trial.
func (w *fixture) Errorf(format string, args ...any) {
	w.Helper()
	w.fault(fmt.Sprintf(format, args...))
	w.TB.Errorf(format, args...)
}

// Fatalf does so too.
func (w *fixture) Fatalf(format string, args ...any) {
	w.Helper()
	w.fault(fmt.Sprintf(format, args...))
	w.TB.Fatalf(format, args...)
}

// Error does so too.
func (w *fixture) Error(args ...any) {
	w.Helper()
	w.Errorf("%s", fmt.Sprint(args...))
}

// Fatal does so too.
func (w *fixture) Fatal(args ...any) {
	w.Helper()
	w.Fatalf("%s", fmt.Sprint(args...))
}

func (w *fixture) fault(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults = append(w.faults, text[:min(len(text), 2000)])
}

// epilogue is what holds after every trial, and what is told of a failed one.
func (w *fixture) epilogue() {
	for _, p := range w.lives {
		p.kill()
	}
	w.guard.dismiss()
	if v := w.api.Stats().Violations; len(v) != 0 {
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
		for _, p := range w.lives[max(0, len(w.lives)-4):] {
			w.Logf("life %d: %s\nsettings: %s\n%s", p.number, p.cmd.ProcessState, strings.Join(p.settings, " "), p.tail())
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.Logf("what is wrong, once more:\n%s", strings.Join(w.faults, "\n"))
	}
}
