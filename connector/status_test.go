package connector

import (
	"context"
	"testing"
	"time"

	"orderwalk/connector/window"
	"orderwalk/internal/record"
	"orderwalk/offsets"
	"orderwalk/simulator"
)

// A shop that resumes shows its watermark before it has read anything, which may be
// long if the API does not answer.
func TestAShopThatGoesOnSaysWhereItIs(t *testing.T) {
	inBubble(t, func(a *testbed) {
		sh, p := backlog("wx1", 3000)
		p.PageSize, p.Concurrency, p.MaxWindow = 10, 1, 10*time.Minute
		a.simulate(simulator.Config{Seed: 51, Shops: []simulator.Shop{sh}, Latency: 50 * time.Millisecond})
		run := a.start(shop{appID: "wx1", policy: p})
		a.until("it is on its way", func() bool { return run.Status()[0].Watermark > p.Start+3600 })
		was := run.Status()[0]
		if err := run.stop(); err != nil {
			a.Fatal(err)
		}
		a.api.SetFaults(simulator.Faults{HTTP5xxRate: 1})
		run = a.start(shop{appID: "wx1", policy: p})
		time.Sleep(20 * time.Second)
		now := run.Status()[0]
		if now.Watermark < was.Watermark || now.Lag(time.Now()) < time.Hour || now.Progress() < 0 {
			a.Errorf("%+v, lag %v, progress %v; it was at %d", now, now.Lag(time.Now()), now.Progress(), was.Watermark)
		}
		run.kill()
	})
}

// A backfill that continues after a restart shows the share of its range that has been
// read, not the share of what was left.
func TestABackfillThatGoesOnKeepsItsProgress(t *testing.T) {
	inBubble(t, func(a *testbed) {
		sh, p := backlog("wx1", 3000)
		p.PageSize, p.Concurrency, p.MaxWindow = 10, 1, 10*time.Minute
		a.simulate(simulator.Config{Seed: 51, Shops: []simulator.Shop{sh}, Latency: 50 * time.Millisecond})
		run := a.start(shop{appID: "wx1", policy: p})
		a.until("half is read", func() bool { return run.Status()[0].Progress() > 0.5 })
		if err := run.stop(); err != nil {
			a.Fatal(err)
		}
		run = a.start(shop{appID: "wx1", policy: p})
		a.until("it goes on", func() bool { return run.Status()[0].Target > 0 })
		if s := run.Status()[0]; s.Progress() < 0.5 || s.Progress() == 1 {
			a.Errorf("progress is %v after a restart: %+v", s.Progress(), s)
		}
		if err := run.stop(); err != nil {
			a.Fatal(err)
		}
	})
}

// metric returns a shop's series as scraped; there reports whether it exists.
func metric(t *testing.T, p *process, name, shop string) (value float64, there bool) {
	t.Helper()
	families, err := p.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if f.GetName() == name && l.GetName() == "shop" && l.GetValue() == shop {
					return m.GetGauge().GetValue(), true
				}
			}
		}
	}
	return 0, false
}

// TestLagCountsWhateverTheState: the lag of a shop that failed or waits counts from its
// watermark or its start, whether it has been read or not. No watermark is from 1970.
func TestLagCountsWhateverTheState(t *testing.T) {
	for _, c := range []struct {
		name   string
		faults simulator.Faults
		state  State         // "" = any
		start  time.Duration // before now; 0 = not set
	}{
		{"fails at once", simulator.Faults{TokenError: 40125}, StateFailed, 2 * time.Hour},
		{"fails at once, no start time", simulator.Faults{TokenError: 40125}, StateFailed, 0},
		{"waits", simulator.Faults{Whitelist: 40164}, StateWaiting, 2 * time.Hour},
		{"waits, no start time", simulator.Faults{Whitelist: 40164}, StateWaiting, 0},
		{"errors only", simulator.Faults{HTTP5xxRate: 1}, "", 2 * time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(a *testbed) {
				a.opening(c.faults)
				p := testPolicy()
				if c.start > 0 {
					p.Start = time.Now().Add(-c.start).Unix()
				}
				run := a.start(shop{appID: "wx1", policy: p}, shop{appID: "wx1", name: "other", policy: func() window.Policy { p := p; p.Range = "update_time"; p.Start = 1; return p }()})
				time.Sleep(20 * time.Minute)
				lag, there := metric(t, run, "orderwalk_lag_seconds", "wx1")
				if want := (c.start + 20*time.Minute).Seconds(); !there || lag < want-5 || lag > want+5 {
					t.Errorf("lag is %v (%v), want %v", lag, there, want)
				}
				mark, there := metric(t, run, "orderwalk_watermark_timestamp_seconds", "wx1")
				if there && mark < float64(time.Now().Add(-24*time.Hour).Unix()) {
					t.Errorf("the watermark is %v", mark)
				}
				for _, s := range run.Status() {
					if s.Name == "wx1" && c.state != "" && s.State != c.state {
						t.Errorf("%+v", s)
					}
				}
				run.kill()
			})
		})
	}
}

// TestLagOfADamagedCheckpoint: it counts from the start time.
func TestLagOfADamagedCheckpoint(t *testing.T) {
	inBubble(t, func(a *testbed) {
		start := a.opening(simulator.Faults{})
		p := testPolicy()
		p.Start = start - 7200
		process := a.prepare(shop{appID: "wx1", policy: p}, shop{appID: "wx1", name: "other", policy: func() window.Policy { p := p; p.Range = "update_time"; return p }()})
		if err := process.topics(context.Background()); err != nil {
			t.Fatal(err)
		}
		key := offsets.Key{Partition: offsets.Partition{Shop: "wx1", Range: "create_time"}}.Bytes(a.name)
		a.produce(a.name+".offsets", record.Partition(key, 4), key, []byte(`{"v":1,"watermark":`))
		run := a.run(process)
		time.Sleep(10 * time.Minute)
		if lag, there := metric(t, run, "orderwalk_lag_seconds", "wx1"); !there || lag < 7200+590 {
			t.Errorf("lag is %v (%v)", lag, there)
		}
		if mark, there := metric(t, run, "orderwalk_watermark_timestamp_seconds", "wx1"); there {
			t.Errorf("the watermark is %v", mark)
		}
		run.kill()
	})
}

// TestLagIsTheOwnersToTell: of two workers, the one that owns the shop's lane exports
// its lag. A worker that is cut off goes on exporting it, since it knows of no other
// owner.
func TestLagIsTheOwnersToTell(t *testing.T) {
	inBubble(t, func(a *testbed) {
		a.opening(simulator.Faults{})
		p := testPolicy()
		workers := []*process{a.start(shop{appID: "wx1", policy: p}), a.start(shop{appID: "wx1", policy: p})}
		time.Sleep(5 * time.Minute)
		told := 0
		var owner *process
		for _, w := range workers {
			_, mark := metric(t, w, "orderwalk_watermark_timestamp_seconds", "wx1")
			lag, there := metric(t, w, "orderwalk_lag_seconds", "wx1")
			if mark != there || there && lag > 120 {
				t.Errorf("lag %v (%v), watermark %v", lag, there, mark)
			}
			if there {
				told++
				owner = w
			}
		}
		if told != 1 {
			t.Fatalf("%d workers report the lag", told)
		}
		owner.plug.pull()
		time.Sleep(20 * time.Minute)
		if lag, there := metric(t, owner, "orderwalk_lag_seconds", "wx1"); !there || lag < 900 {
			t.Errorf("cut off for 20 minutes, lag is %v (%v)", lag, there)
		}
		for _, w := range workers {
			w.kill()
		}
	})
}
