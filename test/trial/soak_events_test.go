//go:build kafka

package trial

import (
	"syscall"
	"time"

	"orderwalk/simulator"
)

// throw holds the random draws for one event: which worker, which broker, how long,
// which of several ways. All are drawn for every event, so that events follow from the
// seed alone.
type throw struct {
	hand   *hand
	broker int
	long   time.Duration // 1 to 9 s
	way    int           // 0 to 11
	level  float64       // 0 to 1
}

// soakEvents lists all events.
var soakEvents = []struct {
	name string
	do   func(s *soak, t throw)
}{
	{"kill −9 and start", (*soak).kill},
	{"freeze", (*soak).freeze},
	{"cut from Kafka", (*soak).cut},
	{"stop and start", func(s *soak, t throw) { s.stop(t.hand); s.start(t.hand) }},
	{"a fourth comes or goes", (*soak).fourth},
	{"shops are added or removed", (*soak).change},
	{"rolling restart after the API has refused everything", (*soak).rolling},
	{"a broker is restarted", (*soak).broker},
	{"the API misbehaves in another way", func(s *soak, t throw) { s.mood(soakMood(t)) }},
}

// step waits and then triggers an event.
func (s *soak) step() {
	s.w.Helper()
	dice := s.w.dice
	if len(s.deck) == 0 {
		s.deck = dice.Perm(len(soakEvents))
	}
	event := soakEvents[s.deck[0]]
	s.deck = s.deck[1:]
	pause := time.Duration(dice.Int64N(int64(3 * time.Second)))
	t := throw{hand: s.hands[dice.IntN(3)], broker: dice.IntN(s.brokers), way: dice.IntN(12), level: dice.Float64(),
		long: time.Second + time.Duration(dice.Int64N(int64(8*time.Second)))}
	time.Sleep(pause)
	s.alive()
	s.counts[event.name]++
	event.do(s, t)
}

func (s *soak) kill(t throw) {
	h := t.hand
	s.note("kill %s", h.name)
	if !h.life.kill() {
		s.w.Fatalf("%s ended by itself with %d\n%s", h.name, h.life.exit(), h.life.tail())
	}
	s.start(h)
}

func (s *soak) freeze(t throw) {
	t.hand.awake()
	s.note("freeze %s for %s", t.hand.name, t.long)
	life := t.hand.life
	life.signal(syscall.SIGSTOP)
	// It may have ended before it is resumed.
	t.hand.wake = time.AfterFunc(t.long, func() { _ = life.cmd.Process.Signal(syscall.SIGCONT) })
}

// cut disconnects a worker from Kafka: either its connections are refused, or all
// traffic is held and arrives when the connection is back. The worker has reached
// Kafka before; one that does not at its start exits.
func (s *soak) cut(t throw) {
	t.hand.awake()
	s.w.eventually("its first assignment", t.hand.life, t.hand.life.ready)
	if t.way%2 == 0 {
		s.note("unplug %s for %s", t.hand.name, t.long)
		t.hand.proxy.Unplug(t.long)
	} else {
		s.note("hold up what %s sends and gets for %s", t.hand.name, t.long)
		t.hand.proxy.Stall(t.long)
	}
}

func (s *soak) fourth(throw) {
	if fourth := s.hands[3]; fourth.life == nil {
		s.start(fourth)
	} else {
		s.stop(fourth)
	}
}

// change removes some of the shops from the file, or none.
func (s *soak) change(t throw) {
	listed := len(s.w.sources) - t.way%4
	s.note("the shops file has %d shops", listed)
	s.w.writeShops(s.w.sources[:listed])
}

// rolling restarts every worker, each after the previous one has its lanes. Before
// that the API refuses in a way that stops a worker's shops permanently, or for hours:
// the restarted worker has no memory of it.
func (s *soak) rolling(t throw) {
	refusal := []string{"per_day_limit=1", "token_error=40125", "unauthorised", "http_403", "require_https", "whitelist=61004", "unknown_errcode=987654"}[t.way%7]
	change, err := simulator.ParseFault(refusal)
	if err != nil {
		s.w.Fatal(err)
	}
	mood := s.w.api.Faults()
	var refusing simulator.Faults
	change(&refusing)
	s.note("the API refuses everything: %s", refusal)
	s.mood(refusing)
	time.Sleep(t.long / 5)
	s.mood(mood)
	for _, h := range s.hands {
		if h.life == nil {
			continue
		}
		s.stop(h)
		s.start(h)
		life := h.life
		s.w.eventually("its first assignment", life, life.ready)
	}
}

// broker stops or kills a broker and restarts it later, one at a time: the next when
// all replicas are in sync. If it is the only one, no other event happens meanwhile,
// and every worker has reached it before: one that does not reach Kafka at its start
// exits.
func (s *soak) broker(t throw) {
	s.mending.Wait()
	end, how := s.cluster.KillBroker, "kill"
	if t.way%2 == 0 {
		end, how = s.cluster.StopBroker, "stop"
	}
	for _, h := range s.hands {
		if s.brokers == 1 && h.life != nil {
			h.awake()
			s.w.eventually("its first assignment", h.life, h.life.ready)
		}
	}
	s.note("%s broker %d for %s", how, t.broker, t.long/2)
	mend := func() {
		end(t.broker)
		if s.brokers > 1 {
			s.w.missed(t.broker)
		}
		time.Sleep(t.long / 2)
		if err := s.cluster.StartBroker(t.broker); err != nil {
			s.w.Error(err)
		}
		s.w.whole()
	}
	if s.brokers > 1 {
		s.mending.Go(mend)
		return
	}
	mend()
	s.note("broker %d is back", t.broker)
}

// mood changes the API's faults.
func (s *soak) mood(f simulator.Faults) {
	f.EndExclusive, f.StartExclusive = s.exclusive, s.startExclusive
	s.w.api.SetFaults(f)
}

// soakMood returns faults that lose no data and stop nothing permanently. Together
// with rolling and kill −9 that covers every switch except offset_keys, which loses
// data, clock_skew, which moves the orders, and null_range and both_ranges, which
// orderwalk never requests.
func soakMood(t throw) simulator.Faults {
	f := simulator.Chaos(0.2 + 0.8*t.level)
	switch t.way {
	case 0:
		f.SingleUseKey = true
	case 1:
		f.KeyTTL = time.Duration(200+1000*t.level) * time.Millisecond
	case 2:
		f.Random606006Rate = 0.9
	case 3:
		f.PerMinuteLimit = 30
	case 4:
		f.MaxOrdersPerRequest = 300
	case 5:
		f.ResetRate, f.TimeoutRate = 0.5, 0.5
	case 6:
		f.IDsAsNumber, f.RepeatIDAcrossPages, f.Order = false, false, "desc"
		f.KeyOnLastPage, f.OrderIDList, f.MaxSpanExact = "absent", "absent", "allow"
	case 7:
		f.DateAbsent, f.TokenTTL = true, 20*time.Second
	case 8:
		f.HTTP5xxRate, f.HTML200Rate, f.Empty200Rate, f.TruncatedJSONRate = 0.25, 0.25, 0.25, 0.25
	case 9:
		f.SystemBusyRate, f.Random40001Rate, f.SlowRate = 0.3, 0.3, 0.3
	}
	return f
}
