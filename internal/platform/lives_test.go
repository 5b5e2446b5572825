package platform

import (
	"testing"
	"time"

	"orderwalk/simulator"
)

// TestShortLivesAreRenewedInTime: tokens may live for less time than the usual margin
// before expiry. They are then fetched a few times in each life, not continually.
func TestShortLivesAreRenewedInTime(t *testing.T) {
	for _, life := range []time.Duration{10 * time.Second, 310 * time.Second} {
		t.Run(life.String(), func(t *testing.T) {
			story(t, simulator.Faults{TokenTTL: life, WayFaults: simulator.WayFaults{RotateRefreshToken: "at_use"}}, func(w *fixture) {
				k := w.start("a", true)
				k.ticket()
				const lives = 20
				for range lives * 2 {
					k.works("wx1")
					time.Sleep(life / 2)
				}
				calls := w.api.Stats().Calls
				for _, path := range []string{"/cgi-bin/component/api_component_token", "/cgi-bin/component/api_authorizer_token"} {
					if n := calls[path]["0"]; n < lives-1 || n > lives*3 {
						t.Errorf("%d calls of %s in %d lives", n, path, lives)
					}
				}
				if v := w.api.Stats().Violations; len(v) != 0 {
					t.Errorf("violations: %v", v)
				}
				k.stop()
			})
		})
	}
}

// TestAWorkerWhoseKeysComeLate: files change on one worker before they do on another. The
// late worker opens what it could not open as soon as its own file has changed.
func TestAWorkerWhoseKeysComeLate(t *testing.T) {
	story(t, simulator.Faults{WayFaults: simulator.WayFaults{RotateRefreshToken: "at_use"}}, func(w *fixture) {
		keeper, other := w.start("desk", true), w.start("other", false)
		keeper.ticket()
		other.works("wx1")
		keys := func(all Keys, late map[string]Keys) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.keys, w.late = all, late
		}
		keys(keysOf(2, 1), map[string]Keys{"other": keysOf(1)})
		time.Sleep(time.Minute)
		keys(keysOf(2), nil) // all records are sealed again by now
		time.Sleep(lookEvery + time.Second)
		asked := time.Now()
		other.works("wx1")
		if waited := time.Since(asked); waited > time.Second {
			t.Errorf("it waited %v", waited)
		}
		newcomer := w.start("newcomer", false)
		newcomer.works("wx1")
		newcomer.stop()
		other.stop()
		keeper.stop()
	})
}

// TestARefusedPlatformTokenIsNoFaultOfShops: the platform's token repeatedly dies before
// its time. Another one is fetched, and the shops wait for that and no longer.
func TestARefusedPlatformTokenIsNoFaultOfShops(t *testing.T) {
	// The vendor states three seconds, which is not used.
	story(t, simulator.Faults{TokenTTL: 3 * time.Second}, func(w *fixture) {
		k := w.start("a", true)
		k.ticket()
		longest := time.Duration(0)
		for range 100 {
			asked := time.Now()
			k.works("wx1")
			longest = max(longest, time.Since(asked))
			time.Sleep(4 * time.Second)
		}
		if longest > 2*lookEvery {
			t.Errorf("a shop waited %v for its token", longest)
		}
		calls := w.api.Stats().Calls["/cgi-bin/component/api_component_token"]
		if calls["0"] < 20 || calls["0"] > 200 {
			t.Errorf("calls for the platform's token: %v", calls)
		}
		if w.api.Stats().Calls["/cgi-bin/component/api_authorizer_token"]["42001"] < 10 {
			t.Error("the platform's token was not refused")
		}
		k.stop()
	})
}
