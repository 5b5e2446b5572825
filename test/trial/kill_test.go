//go:build kafka

package trial

import (
	"os"
	"strconv"
	"testing"
	"time"

	"orderwalk/simulator"
	"orderwalk/test/kafkatest"
)

// number returns a count from the environment.
func number(t testing.TB, variable string, otherwise int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s: %q is no count", variable, text)
	}
	return n
}

// TestKillMinusNine kills the program repeatedly while it reads the orders of five
// shops from an API with every fault, each time with other settings. One shop is live,
// one is read by both times. Then the program runs to its end. Nothing is lost or
// published twice.
func TestKillMinusNine(t *testing.T) {
	brokers := kafkatest.Start(t)
	kills := number(t, "TRIAL_KILLS", 50)
	w := newWorld(t, brokers, func(w *fixture) simulator.Config { return fiveShops(w, 200*kills) })
	orders := liveSeconds * 27
	for _, s := range w.sources {
		orders += len(w.truth(s))
	}

	// Whether an API includes a range's first and last second does not change.
	exclusive, startExclusive := w.dice.IntN(2) == 0, w.dice.IntN(2) == 0
	var report killReport
	firstRequest := time.Second // time from the start of a process to its first request, as seen so far
	for done := 0; done < kills; {
		mood, faults, mayEnd := w.mood()
		faults.EndExclusive, faults.StartExclusive = exclusive, startExclusive
		w.api.SetFaults(faults)
		requests, served := w.progress()
		started := time.Now()
		p := w.run(w.anySettings()...)
		switch {
		case w.dice.IntN(4) == 0:
			// During the start: connecting to Kafka, fencing, reading its checkpoints.
			report.starting++
			w.await(p, time.Duration(w.dice.Int64N(int64(firstRequest)*6/5)), func() bool { return false })
		case w.await(p, 0, func() bool { now, _ := w.progress(); return now > requests }):
			firstRequest = (3*firstRequest + time.Since(started)) / 4
			// In the middle of its work, after its share; or at a random moment if the
			// API lets it do nothing.
			share := max(0, orders-served) / (kills - done + kills/2)
			share = share/4 + w.dice.IntN(share*3/2+1)
			w.await(p, 3*time.Second, func() bool { _, now := w.progress(); return now >= served+share })
			if share > 200 { // otherwise the rest is read too soon
				w.await(p, time.Duration(w.dice.Int64N(int64(30*time.Millisecond))), func() bool { return false })
			}
		}
		if !p.kill() {
			if code := p.cmd.ProcessState.ExitCode(); code != 1 || !mayEnd {
				t.Fatalf("life %d (%s) ended by itself with %d\n%s", p.number, mood, code, p.tail())
			}
			report.gaveUp++
			continue
		}
		done++
		if _, now := w.progress(); now > served {
			report.advanced++
			if len(w.openTransactions()) > 0 {
				report.open++
			}
		}
	}
	_, served := w.progress()
	t.Logf("%d kills: %d while starting, %d with transactions open, %d lives got further, %d gave up by themselves; %d of about %d orders listed by then",
		kills, report.starting, report.open, report.advanced, report.gaveUp, served, orders)
	if report.open == 0 || report.advanced < kills/3 {
		t.Errorf("the kills did not hit what they were to hit")
	}

	faults := simulator.AllFaults()
	faults.EndExclusive, faults.StartExclusive = exclusive, startExclusive
	w.api.SetFaults(faults)
	p := w.run("PAGE_SIZE=100", "LOOKBACK=8s", "SETTLE_DELAY=1s")
	if code := p.exit(); code != 0 {
		t.Fatalf("the last life ended with %d\n%s", code, p.tail())
	}
	found := w.eachOnce()
	if found < 5*200*kills {
		t.Errorf("only %d orders, %d were planned", found, 5*200*kills)
	}
	t.Logf("%d orders, %d list calls, faults met: %v", found, len(w.journal(0)), w.api.Stats().Faults)
}

// killReport counts the kills by stage.
type killReport struct{ starting, open, advanced, gaveUp int }

// liveSeconds is the duration of the live shop.
const liveSeconds = 45

// fiveShops returns five shops with this many orders each: three are closed, one has
// changes and is read by both times, one is live.
func fiveShops(w *fixture, orders int) simulator.Config {
	now := time.Now().Unix()
	cfg := closedShops(w, 3, orders)
	start := now - 10*86400
	w.add("wxchanging", createTime, start, start+86400)
	w.add("wxchanging", updateTime, start, start+2*86400)
	w.add("wxlive", createTime, now-86400, now+liveSeconds)
	cfg.Shops = append(cfg.Shops,
		simulator.Shop{AppID: "wxchanging", Backlog: simulator.Backlog{
			Orders: orders, From: start, To: start + 86400, Bursts: 4, BurstSize: 120, Changes: 2, ChangeWithin: time.Hour}},
		simulator.Shop{AppID: "wxlive",
			Backlog: simulator.Backlog{Orders: orders, From: now - 86400, To: now - 1, Bursts: 2, BurstSize: 120},
			Live:    simulator.Live{Rate: 20, BurstEvery: 7, BurstSize: 50, Since: now, Until: now + liveSeconds + 10}})
	return cfg
}

// anySettings returns settings that an operator may change between starts.
func (w *fixture) anySettings() []string {
	pick := func(name string, values ...string) string { return name + "=" + values[w.dice.IntN(len(values))] }
	return []string{
		pick("PAGE_SIZE", "7", "20", "37", "64", "100"),
		pick("CONCURRENCY", "1", "3", "8", "16"),
		pick("MAX_WINDOW", "30m", "4h", "168h"),
		pick("COMPRESSION", "none", "gzip", "snappy", "lz4", "zstd"),
		pick("TRANSACTION_TIMEOUT", "5s", "30s"),
		"LOOKBACK=8s", "SETTLE_DELAY=1s", "POLL_INTERVAL=1s",
	}
}

// mood returns the API's faults during one process, and whether the process may
// rightly exit under them.
func (w *fixture) mood() (name string, f simulator.Faults, mayEnd bool) {
	f = simulator.Chaos(0.2 + 0.8*w.dice.Float64())
	switch w.dice.IntN(20) {
	case 0, 1:
		f.SingleUseKey = true
		return "single_use_key", f, false
	case 2, 3:
		f.KeyTTL = time.Duration(200+w.dice.IntN(1000)) * time.Millisecond
		return "key_ttl", f, false
	case 4:
		f.Random606006Rate = 0.9
		return "random_606006_rate", f, false
	case 5:
		f.PerMinuteLimit = 30
		return "per_minute_limit", f, false
	case 6:
		f.MaxOrdersPerRequest = 300
		return "max_orders_per_request", f, false
	case 7:
		f.ResetRate = 1
		return "reset_rate", f, false
	case 8:
		f.IDsAsNumber, f.RepeatIDAcrossPages, f.Order = false, false, "desc"
		f.KeyOnLastPage, f.OrderIDList, f.MaxSpanExact = "absent", "absent", "allow"
		return "other forms", f, false
	case 9:
		f.PerDayLimit = 1
		return "per_day_limit", f, false
	case 10:
		f.HTTP403 = true
		return "http_403", f, true
	case 11:
		f.TokenError = 40125
		return "token_error", f, true
	}
	return "chaos", f, false
}
