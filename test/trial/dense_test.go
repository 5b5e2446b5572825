//go:build kafka

package trial

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"orderwalk/simulator"
	"orderwalk/test/kafkatest"
)

// TestQuietMonthsThenABusyDay reads a shop without orders for five months, so that
// windows have grown to a week, and then with 250,000 orders a day (for TRIAL_DAYS
// days), with the memory of the chart's default. The program is killed repeatedly,
// stays within that memory, and publishes every order once.
func TestQuietMonthsThenABusyDay(t *testing.T) {
	const day, aDay, mostKB = 86400, 250_000, 200 << 10
	days := number(t, "TRIAL_DAYS", 1)
	w := newWorld(t, kafkatest.Start(t), func(w *fixture) (cfg simulator.Config) {
		end := time.Now().Unix() - day
		from := end - int64(days)*day
		w.add("wxdense", createTime, from-150*day, end)
		cfg.Shops = []simulator.Shop{{AppID: "wxdense", Backlog: simulator.Backlog{Orders: days * aDay, From: from, To: end, Bursts: 5, BurstSize: 300}}}
		return cfg
	})
	t.Setenv("GOMEMLIMIT", "217MiB")
	const kills = 6
	most := 0
	for life := range kills + 1 {
		p := w.run("LOG_LEVEL=info")
		_, served := w.progress()
		if life < kills {
			w.await(p, 0, func() bool { _, now := w.progress(); return now >= served+days*aDay/(kills+1) })
			most = max(most, peakKB(t, p.cmd.Process.Pid))
			p.kill()
			continue
		}
		w.await(p, 0, func() bool { _, now := w.progress(); return now >= days*aDay*99/100 })
		most = max(most, peakKB(t, p.cmd.Process.Pid))
		if code := p.exit(); code != 0 {
			t.Fatalf("the last life ended with %d\n%s", code, p.tail())
		}
	}
	if n := w.eachOnce(); n != days*aDay {
		t.Errorf("%d orders, %d were planned", n, days*aDay)
	}
	t.Logf("up to %d kB resident, %d list calls for %d pages", most, len(w.journal(0)), days*aDay/100)
	if most > mostKB {
		t.Errorf("up to %d kB were resident, want at most %d", most, mostKB)
	}
}

// peakKB returns a process's peak resident memory so far, from Linux.
func peakKB(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kb, err := strconv.Atoi(strings.Fields(rest + " -")[0])
	if err != nil {
		t.Fatalf("%s: %v", status, err)
	}
	return kb
}
