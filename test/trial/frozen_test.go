//go:build kafka

package trial

import (
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"orderwalk/simulator"
	"orderwalk/test/kafkatest"
)

// TestFrozenProcessIsFenced freezes the owner in the middle of its work, and another
// process takes over. The first resumes, commits nothing of its old work, and is a
// normal member until it is stopped. Then the other one freezes. In every second round
// the freeze is longer than session and transaction timeout; in the others it is
// shorter.
func TestFrozenProcessIsFenced(t *testing.T) {
	brokers := kafkatest.Start(t)
	rounds := number(t, "TRIAL_ROUNDS", 6)
	w := newWorld(t, brokers, func(w *fixture) simulator.Config {
		cfg := fiveShops(w, 1500*(rounds+1))
		// One source has no end yet: there is always more to read, however long a
		// round takes.
		w.sources[len(w.sources)-1].end = 0
		cfg.Shops[len(cfg.Shops)-1].Live.Until = 0
		return cfg
	})
	w.api.SetFaults(simulator.Chaos(0.2))
	// Slowly, in small pages: the last owner must have work left, and there must be
	// many transactions to freeze in.
	settings := func(worker int, more ...string) []string {
		return append([]string{"WORKER_ID=worker-" + strconv.Itoa(worker), "SESSION_TIMEOUT=6s", "TRANSACTION_TIMEOUT=5s",
			"RATE_LIMIT=20", "PAGE_SIZE=10", "LOOKBACK=8s", "SETTLE_DELAY=1s", "POLL_INTERVAL=1s"}, more...)
	}

	hit := 0
	owner := w.run(settings(0)...)
	for round := range rounds {
		owner.published(1)
		w.listedMore(owner, 200+w.dice.IntN(800))
		var more []string
		if round == rounds-1 {
			more = []string{"RATE_LIMIT=1000", "PAGE_SIZE=100"}
		}
		next := w.run(settings(round+1, more...)...)
		w.await(next, time.Duration(w.dice.Int64N(int64(2*time.Second))), func() bool { return false })
		if w.freeze(owner, next) {
			hit++
		}
		if round%2 == 0 {
			// The next process gets every lane only after the session timeout.
			before := next.metric("orderwalk_orders_published_total")
			w.await(next, 7*time.Second, func() bool { return false })
			w.eventually("the orders of the frozen one", next, func() bool { return next.metric("orderwalk_orders_published_total") > before })
		} else {
			w.await(next, time.Duration(w.dice.Int64N(int64(4*time.Second))), func() bool { return false })
		}
		owner.signal(syscall.SIGCONT)
		if round%2 == 0 {
			w.eventually("that it was lost to the group", owner, func() bool { return lostToGroup(owner.stderr.String()) })
		}
		w.await(owner, time.Duration(w.dice.Int64N(int64(3*time.Second))), func() bool { return false })
		owner.signal(syscall.SIGTERM)
		if code := owner.exit(); code != 0 {
			t.Errorf("round %d: the process that was frozen and then stopped exited with code %d\n%s", round, code, owner.tail())
		}
		owner = next
	}
	if hit < rounds/2 {
		t.Errorf("only %d processes were frozen with a transaction open", hit)
	}
	w.sources[len(w.sources)-1].end = time.Now().Unix() + 3
	w.writeShops(w.sources)
	if code := owner.exit(); code != 0 {
		t.Errorf("the last owner ended with %d\n%s", code, owner.tail())
	}
	t.Logf("%d rounds, %d frozen with transactions open; %d orders", rounds, hit, w.eachOnce())
}

// freeze stops a process while it has a transaction open, if it can catch such a
// moment, and reports whether it did.
func (w *fixture) freeze(p, other *process) bool {
	w.Helper()
	for range 30 {
		p.signal(syscall.SIGSTOP)
		// Transactions of the other process come and go; those of the frozen one stay.
		before := w.openTransactions()
		if len(before) > 0 {
			w.await(other, 100*time.Millisecond, func() bool { return false })
			for id, began := range w.openTransactions() {
				if before[id] == began {
					return true
				}
			}
		}
		p.signal(syscall.SIGCONT)
		w.await(p, time.Duration(w.dice.Int64N(int64(50*time.Millisecond))), func() bool { return false })
	}
	p.signal(syscall.SIGSTOP)
	return false
}

// lostToGroup reports whether a worker's log says that the group went on without it.
func lostToGroup(log string) bool {
	return strings.Contains(log, "no heartbeat was accepted for longer than the session timeout") ||
		strings.Contains(log, "the coordinator removed this worker from the group")
}
