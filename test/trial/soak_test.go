//go:build kafka

package trial

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"orderwalk/simulator"
	"orderwalk/test/kafkatest"
)

// TestSoak lets three workers share many shops under random failures of the workers,
// their network, Kafka and the API. All shops are live until the failures end, so that
// there is always work in progress. Then the shops get an end, and every worker exits
// by itself, with 0.
func TestSoak(t *testing.T) {
	t.Parallel()
	// A short soak is part of every test run: there is time for one broker only.
	length, shops, backlog, brokers := 40*time.Second, 40, 300, 1
	if os.Getenv("TRIAL_SOAK") != "" {
		length, brokers = time.Duration(number(t, "TRIAL_SOAK", 0))*time.Second, 3
	}
	if length >= 5*time.Minute {
		shops, backlog = 200, 1000
	}
	s := newSoak(t, shops, backlog, brokers)
	t.Cleanup(s.epilogue)
	began := time.Now()
	for time.Since(began) < length || s.events() < len(soakEvents) { // each event at least once
		s.step()
		s.weigh()
	}
	s.calm()
	s.w.finish(10 * time.Second)
	for _, h := range s.hands {
		if h.life == nil {
			continue
		}
		if code := h.life.exit(); code != 0 {
			s.w.Errorf("%s came to the end of all shops and ended with %d\n%s", h.name, code, h.life.tail())
		}
	}
	took := time.Since(began)
	orders := s.w.eachOnce()
	if orders < shops*backlog {
		s.w.Errorf("only %d orders, more than %d were planned", orders, shops*backlog)
	}
	stats := s.w.api.Stats()
	t.Logf("what happened: %v", s.counts)
	t.Logf("faults of the API: %v", stats.Faults)
	if !t.Failed() {
		t.Logf("PASS: %d orders of %d shops in %d lanes over %d brokers, 0 lost, 0 repeated; %s, %d events, %d lives of workers, %d list calls, at most %d MiB a worker",
			orders, shops, s.lanes, brokers, took.Round(time.Second), s.events(), len(s.w.lives), len(s.w.journal(0)), s.peak>>20)
	}
}

// liveShops returns shops with a backlog of this many orders each, and new ones
// without end.
func liveShops(w *fixture, shops, backlog int) (cfg simulator.Config) {
	now := time.Now().Unix()
	for i := range shops {
		appID := fmt.Sprintf("wxsoak%03d", i)
		start := now - 86400*int64(1+i%10)
		w.add(appID, createTime, start, 0)
		cfg.Shops = append(cfg.Shops, simulator.Shop{AppID: appID,
			Backlog: simulator.Backlog{Orders: backlog, From: start, To: now - 1, Bursts: 2, BurstSize: 40},
			Live:    simulator.Live{Rate: 2, BurstEvery: 13, BurstSize: 30, Since: now}})
	}
	return cfg
}

// soak is the state of the workers and the events so far.
type soak struct {
	w       *fixture
	cluster *kafkatest.Cluster
	brokers int
	lanes   int
	hands   [4]*hand // the last one joins and leaves
	deck    []int    // shuffled events to come, each equally often
	mending sync.WaitGroup
	counts  map[string]int
	since   time.Time
	log     []string // events with their times
	peak    int64    // greatest memory of a worker, bytes

	// exclusive and startExclusive say whether the API excludes a range's ends, which
	// does not change.
	exclusive, startExclusive bool
}

// hand is a worker: a name and a network, with one process at a time.
type hand struct {
	name    string
	proxy   *kafkatest.Proxy
	brokers []string    // behind the proxy
	life    *process    // nil = not running
	wake    *time.Timer // ends the last freeze
}

func newSoak(t *testing.T, shops, backlog, brokers int) *soak {
	t.Helper()
	s := &soak{brokers: brokers, counts: map[string]int{}, since: time.Now()}
	var proxies []*kafkatest.Proxy
	for i := range s.hands {
		proxy := kafkatest.NewProxy(uint64(i))
		t.Cleanup(proxy.Close)
		proxies = append(proxies, proxy)
		s.hands[i] = &hand{name: "worker-" + strconv.Itoa(i+1), proxy: proxy}
	}
	var err error
	if s.cluster, err = kafkatest.Launch(t.Context(), kafkatest.Options{Brokers: brokers, Proxies: proxies}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.cluster.Stop)
	t.Cleanup(s.mending.Wait)
	s.w = newWorld(t, s.cluster.Brokers(), func(w *fixture) simulator.Config { return liveShops(w, shops, backlog) })
	s.lanes = []int{3, 8, 16}[s.w.dice.IntN(3)]
	s.exclusive, s.startExclusive = s.w.dice.IntN(2) == 0, s.w.dice.IntN(2) == 0
	s.mood(simulator.Chaos(0.2))
	for i, h := range s.hands {
		h.brokers = s.cluster.ProxyBrokers(i)
		if i < 3 {
			s.start(h)
		}
	}
	return s
}

// start starts a worker. Pages are small and slow, so that events find transactions
// open and windows half-read.
func (s *soak) start(h *hand) {
	h.life = s.w.run("WORKER_ID="+h.name, "KAFKA_BROKERS="+strings.Join(h.brokers, ","), "OFFSETS_PARTITIONS="+strconv.Itoa(s.lanes),
		"SESSION_TIMEOUT=6s", "TRANSACTION_TIMEOUT=5s", "LOG_LEVEL=info",
		"PAGE_SIZE=10", "RATE_LIMIT=5", "LOOKBACK=8s", "SETTLE_DELAY=3s", "POLL_INTERVAL=2s",
		"PUBLISH_EARLY="+strconv.FormatBool(s.w.dice.IntN(2) == 0))
	s.note("%s starts as life %d", h.name, h.life.number)
}

func (s *soak) note(format string, args ...any) {
	s.log = append(s.log, fmt.Sprintf("%s +%6.2f ", time.Now().UTC().Format("15:04:05.000"), time.Since(s.since).Seconds())+fmt.Sprintf(format, args...))
}

// alive fails the soak if a worker has ended by itself.
func (s *soak) alive() {
	s.w.Helper()
	for _, h := range s.hands {
		if h.life != nil && !h.life.running() {
			s.w.Fatalf("%s ended by itself with %d\n%s", h.name, h.life.exit(), h.life.tail())
		}
	}
}

// stop stops a worker as planned.
func (s *soak) stop(h *hand) {
	s.w.Helper()
	h.awake()
	s.note("stop %s", h.name)
	h.life.signal(syscall.SIGTERM)
	if code := h.life.exit(); code != 0 {
		s.w.Errorf("%s was stopped and exited with code %d\n%s", h.name, code, h.life.tail())
	}
	s.note("%s has stopped", h.name)
	h.life = nil
}

// awake ends a freeze early.
func (h *hand) awake() {
	if h.wake != nil && h.wake.Stop() {
		_ = h.life.cmd.Process.Signal(syscall.SIGCONT) // no effect on a killed process
	}
}

// calm ends all failures.
func (s *soak) calm() {
	s.mending.Wait()
	for _, h := range s.hands {
		h.awake()
		h.proxy.Unplug(0)
		h.proxy.Stall(0)
	}
	s.mood(simulator.Chaos(0.2))
	s.note("calm")
}

func (s *soak) events() (n int) {
	for _, count := range s.counts {
		n += count
	}
	return n
}

// weigh records each worker's peak memory so far. The system's figure for an ended
// process is unusable: a child begins with the peak of the process that forked it.
func (s *soak) weigh() {
	for _, h := range s.hands {
		if h.life == nil {
			continue
		}
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", h.life.cmd.Process.Pid))
		if err != nil {
			continue // it has ended, or the system is not Linux
		}
		_, rest, _ := strings.Cut(string(status), "VmHWM:")
		line, _, _ := strings.Cut(rest, "kB")
		kib, _ := strconv.ParseInt(strings.TrimSpace(line), 10, 64) // absent for a process that is ending
		s.peak = max(s.peak, kib<<10)
	}
}

// epilogue logs a failed soak: the events, the end of each worker's output, and the
// paths of the full logs.
func (s *soak) epilogue() {
	if !s.w.Failed() {
		return
	}
	dir := s.w.ArtifactDir()
	for _, p := range s.w.lives {
		name := filepath.Join(dir, fmt.Sprintf("life-%03d.log", p.number))
		if err := os.WriteFile(name, []byte(p.stderr.String()), 0o600); err != nil {
			s.w.Log(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "events.log"), []byte(strings.Join(s.log, "\n")), 0o600); err != nil {
		s.w.Log(err)
	}
	s.w.Logf("all logs are in %s, kept with -artifacts", dir)
	for _, line := range slices.Clone(s.log[max(0, len(s.log)-40):]) {
		s.w.Log(line)
	}
	for _, h := range s.hands {
		if h.life != nil {
			s.w.Logf("%s, life %d:\n%s", h.name, h.life.number, h.life.tail())
		}
	}
}
