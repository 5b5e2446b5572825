//go:build kafka

package trial

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"orderwalk/internal/kafkatest"
	"orderwalk/simulator"
)

// TestFrozenProcessIsFenced freezes the owner in the middle of its work, starts
// another, and wakes the first: it commits nothing more, says that it was
// fenced, and ends with 1. Then it is the other's turn to freeze. In every
// second round the first sleeps for longer than its session and its transaction
// last; in the others it wakes while its successor is still taking over.
func TestFrozenProcessIsFenced(t *testing.T) {
	brokers := kafkatest.Start(t)
	rounds := number(t, "TRIAL_ROUNDS", 6)
	w := newWorld(t, brokers, func(w *world) simulator.Config {
		return fiveShops(w, 1500*(rounds+1))
	})
	w.api.SetFaults(simulator.Chaos(0.2))
	// Slowly, in small pages: there must be work left for the last owner, and
	// many transactions to freeze in.
	settings := []string{"SESSION_TIMEOUT=5s", "TRANSACTION_TIMEOUT=5s", "RATE_LIMIT=20", "PAGE_SIZE=10", "LOOKBACK=8s", "SETTLE_DELAY=1s", "POLL_INTERVAL=1s"}

	hit := 0
	owner := w.run(settings...)
	for round := range rounds {
		owner.published(1)
		w.listedMore(owner, 200+w.dice.IntN(800))
		owner.signal(syscall.SIGSTOP)
		if w.openTransactions() > 0 {
			hit++
		}
		if round == rounds-1 {
			settings = append(settings, "RATE_LIMIT=1000", "PAGE_SIZE=100")
		}
		next := w.run(settings...)
		if round%2 == 0 {
			next.published(1)
			w.await(next, 6*time.Second, func() bool { return false })
		} else {
			w.await(next, time.Duration(w.dice.Int64N(int64(time.Second))), func() bool { return false })
		}
		owner.signal(syscall.SIGCONT)
		if code := owner.exit(); code != 1 {
			t.Errorf("round %d: the frozen process ended with %d", round, code)
		}
		if !strings.Contains(owner.stderr.String(), "fenced by a newer owner") {
			t.Errorf("round %d: the frozen process did not say that it was fenced\n%s", round, owner.tail())
		}
		owner = next
	}
	if hit == 0 {
		t.Errorf("no process was frozen with a transaction open")
	}
	if code := owner.exit(); code != 0 {
		t.Errorf("the last owner ended with %d\n%s", code, owner.tail())
	}
	t.Logf("%d rounds, %d frozen with transactions open; %d orders, each once", rounds, hit, w.eachOnce())
}
