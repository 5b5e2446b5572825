package platform

import (
	"testing"
	"time"

	"orderwalk/simulator"
)

// TestShortLivesAreRenewedInTime: tokens may live for less than the time by
// which others are fetched early. They are fetched a few times each life then,
// not again and again.
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

// TestAWorkerWhoseKeysComeLate: files change at one worker before they do at
// another. What that one cannot open it opens as soon as its own has changed.
func TestAWorkerWhoseKeysComeLate(t *testing.T) {
	story(t, simulator.Faults{WayFaults: simulator.WayFaults{RotateRefreshToken: "at_use"}}, func(w *fixture) {
		desk, other := w.start("desk", true), w.start("other", false)
		desk.ticket()
		other.works("wx1")
		keys := func(all Keys, late map[string]Keys) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.keys, w.late = all, late
		}
		keys(keysOf(2, 1), map[string]Keys{"other": keysOf(1)})
		time.Sleep(time.Minute)
		keys(keysOf(2), nil) // all is sealed anew by now
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
		desk.stop()
	})
}

// TestARefusedPlatformTokenIsNoFaultOfShops: the platform's token dies before
// its time, again and again. Another one is asked for, and the shops wait for
// that and no longer.
func TestARefusedPlatformTokenIsNoFaultOfShops(t *testing.T) {
	// The vendor says three seconds, which nobody believes.
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
