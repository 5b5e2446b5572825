package platform

import (
	"encoding/json"
	"testing"
	"time"

	"orderwalk/simulator"
)

// TestAKeepersClockStopsNoOtherWorker: tokens that have expired by this machine's clock,
// because the keeper's is hours behind, are used as long as the API takes them. Those that
// have died cost few calls.
func TestAKeepersClockStopsNoOtherWorker(t *testing.T) {
	story(t, simulator.Faults{}, func(w *fixture) {
		keeper := w.start("desk", true)
		keeper.ticket()
		keeper.works("wx1")
		keeper.stop()
		reader := w.start("reader", false)
		s, _ := keeper.store.snapshot()
		text, err := json.Marshal(s.shops["wx1"].pair)
		if err != nil {
			t.Fatal(err)
		}
		if err := reader.post(w.Context(), record{name: reader.of("wx1", kindTokens), text: text,
			value: value{At: time.Now().Add(-3 * time.Hour).Unix(), Expires: time.Now().Add(-time.Hour).Unix()}}); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			reader.works("wx1")
			time.Sleep(time.Minute)
		}
		time.Sleep(3 * time.Hour)
		calls := func() (n int) {
			for _, some := range w.api.Stats().Calls["/channels/ec/order/list/get"] {
				n += some
			}
			return n
		}
		before := calls()
		for range 10 {
			if err := reader.list("wx1"); err == nil {
				t.Error("a token that has died is used")
			}
		}
		if n := calls() - before; n > 3 {
			t.Errorf("%d calls with a token that has died", n)
		}
		if s, _ := reader.store.shop("wx1"); s.refused == "" {
			t.Error("the keeper does not learn that the API has refused it")
		}
		reader.stop()
	})
}

// TestATicketDatedAheadDoesNotStay: an operator's ticket gets its time from a worker whose
// clock is a day ahead. It does not outlive the tickets that the vendor pushes.
func TestATicketDatedAheadDoesNotStay(t *testing.T) {
	story(t, simulator.Faults{}, func(w *fixture) {
		keeper := w.start("desk", true)
		if err := keeper.Ticket(w.Context(), "ticket-of-tomorrow", time.Now().Add(24*time.Hour)); err != nil {
			t.Fatal(err)
		}
		for range 15 {
			keeper.ticket()
			time.Sleep(time.Hour)
		}
		keeper.works("wx1")
		keeper.stop()
	})
}

// TestAListReadAheadIsReadAgain: a keeper whose clock was a day ahead has noted when it read
// the list of shops. The next one does not wait for that day.
func TestAListReadAheadIsReadAgain(t *testing.T) {
	following(t, func(w *fixture) {
		k := w.start("reader", false)
		if err := k.post(w.Context(), record{name: k.of("", kindPass), value: value{At: time.Now().Add(24 * time.Hour).Unix()}}); err != nil {
			t.Fatal(err)
		}
		keeper := w.start("desk", true)
		k.ticket()
		time.Sleep(time.Hour)
		k.has("after an hour", "wx1")
		keeper.stop()
		k.stop()
	})
}
