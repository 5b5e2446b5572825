//go:build kafka

package trial

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"orderwalk/internal/kafkatest"
	"orderwalk/simulator"
)

// TestSoak has three workers share many shops while one after the other is
// killed, frozen, stopped and started again under its own name, a fourth comes
// and goes, and shops are taken out of the file and put back. All shops are
// live until after the last of that, so that there is always something to lose.
// Then the workers may end by themselves, and each does, with 0.
func TestSoak(t *testing.T) {
	brokers := kafkatest.Start(t)
	shops, backlog, length := 40, 300, 40*time.Second
	if os.Getenv("TRIAL_SOAK") != "" {
		shops, backlog, length = 200, 2500, time.Duration(number(t, "TRIAL_SOAK", 0))*time.Second
	}
	w := newWorld(t, brokers, func(w *world) simulator.Config {
		return liveShops(w, shops, backlog, length+20*time.Second)
	})
	w.api.SetFaults(simulator.Chaos(0.2))
	s := newSoak(w)
	t.Cleanup(s.epilogue)

	for deadline := time.Now().Add(length); time.Now().Before(deadline); {
		s.step()
	}
	if err := s.change(0); err != nil {
		t.Fatal(err)
	}
	s.calm()
	for _, h := range s.hands {
		if h.life == nil {
			continue
		}
		if code := h.life.exit(); code != 0 {
			t.Errorf("%s came to the end of all shops and ended with %d\n%s", h.name, code, h.life.tail())
		}
	}
	found := w.eachOnce()
	if found < shops*backlog {
		t.Errorf("only %d orders, more than %d were planned", found, shops*backlog)
	}
	for _, event := range soakEvents {
		if s.counts[event] == 0 {
			t.Errorf("not once: %s", event)
		}
	}
	t.Logf("%d shops in %d lanes, %s: %v; %d lives, %d orders, %d list calls, faults met: %v",
		shops, s.lanes, length, s.counts, len(w.lives), found, len(w.journal(0)), w.api.Stats().Faults)
}

// liveShops is a world of shops that have a backlog of so many orders each, and
// get new ones until their ranges end, so long from now.
func liveShops(w *world, shops, backlog int, length time.Duration) (cfg simulator.Config) {
	now := time.Now().Unix()
	end := now + int64(length/time.Second)
	for i := range shops {
		appID := fmt.Sprintf("wxsoak%03d", i)
		start := now - 86400*int64(1+i%10)
		w.add(appID, createTime, start, end)
		cfg.Shops = append(cfg.Shops, simulator.Shop{AppID: appID,
			Backlog: simulator.Backlog{Orders: backlog, From: start, To: now - 1, Bursts: 2, BurstSize: 40},
			Live:    simulator.Live{Rate: 2, BurstEvery: 13, BurstSize: 30, Since: now, Until: end + 10}})
	}
	return cfg
}

// What happens to workers.
const (
	soakKill   = "kill −9 and start"
	soakFreeze = "freeze"
	soakStop   = "stop and start"
	soakFourth = "a fourth comes or goes"
	soakShops  = "shops are added or removed"
)

var soakEvents = []string{soakKill, soakFreeze, soakStop, soakFourth, soakShops}

// soak is the workers and what has happened to them so far.
type soak struct {
	w      *world
	lanes  int
	whole  []json.RawMessage // the shops file with all its shops
	hands  [4]*hand          // the last is the fourth, who comes and goes
	deck   []string          // events to come: each comes up as often as any other
	counts map[string]int
	since  time.Time
	log    []string // what was done, and when
}

// hand is a worker: a name, with one life at a time.
type hand struct {
	name string
	life *process    // nil when it is away
	wake *time.Timer // ends the last freeze
}

func newSoak(w *world) *soak {
	w.Helper()
	s := &soak{w: w, lanes: []int{3, 8, 16}[w.dice.IntN(3)], counts: map[string]int{}, since: time.Now()}
	data, err := os.ReadFile(w.file)
	if err != nil {
		w.Fatal(err)
	}
	var file struct{ Shops []json.RawMessage }
	if err := json.Unmarshal(data, &file); err != nil {
		w.Fatal(err)
	}
	s.whole = file.Shops
	for i := range s.hands {
		s.hands[i] = &hand{name: "worker-" + strconv.Itoa(i+1)}
	}
	for _, h := range s.hands[:3] {
		s.start(h)
	}
	return s
}

// start begins a life of a worker. Pages are small and come slowly, so that
// what happens finds transactions open and windows half-read.
func (s *soak) start(h *hand) {
	h.life = s.w.run("WORKER_ID="+h.name, "OFFSETS_PARTITIONS="+strconv.Itoa(s.lanes),
		"SESSION_TIMEOUT=6s", "TRANSACTION_TIMEOUT=5s", "LOG_LEVEL=info",
		"PAGE_SIZE=10", "RATE_LIMIT=5", "LOOKBACK=8s", "SETTLE_DELAY=1s", "POLL_INTERVAL=2s")
	s.note("%s starts as life %d", h.name, h.life.number)
}

func (s *soak) note(format string, args ...any) {
	s.log = append(s.log, fmt.Sprintf("%s +%6.2f ", time.Now().UTC().Format("15:04:05.000"), time.Since(s.since).Seconds())+fmt.Sprintf(format, args...))
}

// step lets a while pass, then something happen. All dice are thrown first and
// each time, so that what happens follows from the seed alone.
func (s *soak) step() {
	s.w.Helper()
	dice := s.w.dice
	if len(s.deck) == 0 {
		for _, i := range dice.Perm(len(soakEvents)) {
			s.deck = append(s.deck, soakEvents[i])
		}
	}
	event := s.deck[0]
	s.deck = s.deck[1:]
	h := s.hands[dice.IntN(3)]
	pause := time.Duration(dice.Int64N(int64(3 * time.Second)))
	asleep := time.Second + time.Duration(dice.Int64N(int64(8*time.Second)))
	without := dice.IntN(4)

	time.Sleep(pause)
	for _, h := range s.hands {
		if h.life != nil && !h.life.running() {
			s.w.Fatalf("%s ended by itself with %d\n%s", h.name, h.life.exit(), h.life.tail())
		}
	}
	s.counts[event]++
	switch event {
	case soakKill:
		s.note("kill %s", h.name)
		if !h.life.kill() {
			s.w.Fatalf("%s ended by itself with %d\n%s", h.name, h.life.exit(), h.life.tail())
		}
		s.start(h)
	case soakFreeze:
		h.awake()
		s.note("freeze %s for %s", h.name, asleep)
		life := h.life
		life.signal(syscall.SIGSTOP)
		// It may be gone by then: then there is nobody to wake.
		h.wake = time.AfterFunc(asleep, func() { _ = life.cmd.Process.Signal(syscall.SIGCONT) })
	case soakStop:
		s.stop(h)
		s.start(h)
	case soakFourth:
		if fourth := s.hands[3]; fourth.life == nil {
			s.start(fourth)
		} else {
			s.stop(fourth)
		}
	case soakShops:
		if err := s.change(without); err != nil {
			s.w.Fatal(err)
		}
	}
}

// stop is a planned one.
func (s *soak) stop(h *hand) {
	s.w.Helper()
	h.awake()
	s.note("stop %s", h.name)
	h.life.signal(syscall.SIGTERM)
	if code := h.life.exit(); code != 0 {
		s.w.Errorf("%s was told to stop and ended with %d\n%s", h.name, code, h.life.tail())
	}
	s.note("%s has stopped", h.name)
	h.life = nil
}

// awake ends a freeze before its time.
func (h *hand) awake() {
	if h.wake != nil && h.wake.Stop() {
		_ = h.life.cmd.Process.Signal(syscall.SIGCONT) // to one that is killed meanwhile it means nothing
	}
}

// calm wakes all who sleep.
func (s *soak) calm() {
	for _, h := range s.hands {
		h.awake()
	}
	s.note("calm")
}

// change writes the shops file without the last few of all shops, the way
// whatever writes such files should: no worker ever finds half of it.
func (s *soak) change(without int) error {
	s.note("the shops file has %d shops", len(s.whole)-without)
	data, err := json.Marshal(map[string]any{"shops": s.whole[:len(s.whole)-without]})
	if err != nil {
		return err
	}
	next := filepath.Join(filepath.Dir(s.w.file), "next.json")
	if err := os.WriteFile(next, data, 0o600); err != nil {
		return err
	}
	return os.Rename(next, s.w.file)
}

// epilogue tells of a soak that failed: what was done, the end of what each
// worker said, and where all of it is.
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
	s.w.Logf("all logs are in %s, kept with -artifacts", dir)
	for _, line := range s.log[max(0, len(s.log)-40):] {
		s.w.Log(line)
	}
	for _, h := range s.hands {
		if h.life != nil {
			s.w.Logf("%s, life %d:\n%s", h.name, h.life.number, h.life.tail())
		}
	}
}
