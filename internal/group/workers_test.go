package group

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// Every worker knows which worker has which lane, and where it serves HTTP.
func TestWorkers(t *testing.T) {
	inBubble(t, 12, func(t *testing.T, w *fixture) {
		serving := func(c *Config) { c.URL = "http://" + c.Worker + ":8083" }
		workers := []*worker{w.start("a", serving), w.start("b", serving), w.start("c")}
		w.within(2*rebalance, workers...)
		for _, asked := range workers {
			got, err := asked.Workers(context.Background())
			if err != nil || len(got) != len(workers) {
				t.Fatalf("%s knows %+v, %v", asked.name, got, err)
			}
			for i, k := range workers {
				want := Worker{ID: k.name, URL: "http://" + k.name + ":8083", Lanes: k.has(), Self: k == asked}
				if k.name == "c" {
					want.URL = ""
				}
				if g := got[i]; g.ID != want.ID || g.URL != want.URL || g.Self != want.Self || !slices.Equal(g.Lanes, want.Lanes) {
					t.Errorf("%s knows %+v, want %+v", asked.name, g, want)
				}
			}
		}
		workers[2].wire.set(wireDown) // its session times out
		time.Sleep(2 * session)
		synctest.Wait()
		if got, err := workers[0].Workers(context.Background()); err != nil || len(got) != 2 || len(got[0].Lanes)+len(got[1].Lanes) != 12 {
			t.Errorf("after a worker was lost: %+v, %v", got, err)
		}
	})
}

// Before the first assignment, and during one, nothing is known.
func TestWorkersOfNoGroup(t *testing.T) {
	inBubble(t, 12, func(t *testing.T, w *fixture) {
		k := w.worker("a")
		if got, err := k.Workers(context.Background()); !errors.Is(err, ErrRebalancing) {
			t.Errorf("%+v, %v", got, err)
		}
		k.transport.CloseIdleConnections()
	})
}

func FuzzParseAssignment(f *testing.F) {
	f.Add([]byte{0, 1, 0, 0, 0, 1, 0, 7, 'o', 'f', 'f', 's', 'e', 't', 's', 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 5, 255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, b []byte) {
		lanes := parseAssignment(b, "offsets")
		if !slices.IsSorted(lanes) || len(lanes) > len(b)/4 {
			t.Errorf("%v of %d bytes", lanes, len(b))
		}
	})
}
