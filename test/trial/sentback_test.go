//go:build kafka

package trial

import (
	"encoding/json"
	"fmt"
	"net/http"
	"syscall"
	"testing"

	"orderwalk/simulator"
	"orderwalk/test/kafkatest"
)

// sending is a fleet of two workers, of which one freezes while the other makes changes.
type sending struct {
	*steering
	owner, other int
}

// TestAFrozenWorkerHearsLate: the worker that walks a shop is frozen while the shop is
// stopped and sent back through another one. When it wakes up, it publishes the shop again
// if it was resumed, from where it was sent back to, and nothing before that. No order is
// lost, and none repeated but those.
func TestAFrozenWorkerHearsLate(t *testing.T) {
	brokers := kafkatest.Start(t)
	w := newWorld(t, brokers, func(w *fixture) simulator.Config { return closedShops(w, 4, 400) })
	f := &sending{steering: &steering{fixture: w, wanted: make(map[string][]string), refused: make(map[int]int)}}
	t.Cleanup(f.keepDiary)
	for i := range 2 {
		// A session that outlives the freezing: no other worker gets the lanes.
		f.workers[i] = f.run(fmt.Sprintf("WORKER_ID=worker-%d", i), "SESSION_TIMEOUT=2m", "TRANSACTION_TIMEOUT=5s", "RATE_LIMIT=10", "PAGE_SIZE=10")
		f.workers[i].listen()
	}
	ended, walked, reset, held := w.sources[0].name, w.sources[1].name, w.sources[2].name, w.sources[3].name
	f.must(0, "PUT", held, "/pause", "", http.StatusAccepted) // so that no worker ends
	for _, name := range []string{walked, reset} {
		f.must(1, "PUT", name, "/pause", "", http.StatusAccepted)
	}
	expected := make(map[string]map[string]int) // by app ID: how often each order is to be published

	// A shop that is done is stopped, sent back and resumed: for its worker that is one
	// moment.
	f.reach(ended, "done")
	expected[w.sources[0].appID] = f.counted(w.sources[0].appID)
	f.freeze(ended)
	f.must(f.other, "PUT", ended, "/stop", "", http.StatusNoContent)
	f.must(f.other, "DELETE", ended, "/offsets", "", http.StatusOK)
	f.must(f.other, "PUT", ended, "/resume", "", http.StatusAccepted)
	f.wake()
	f.eventually(ended+" is published again", f.workers[f.owner], func() bool {
		for _, n := range f.counted(w.sources[0].appID) {
			if n < 2 {
				return false
			}
		}
		return true
	})

	// A shop that is being read stays stopped, though its worker has not heard of it.
	for i, name := range map[int]string{1: walked, 2: reset} {
		appID := w.sources[i].appID
		f.must(0, "PUT", name, "/resume", "", http.StatusAccepted)
		f.eventually(name+" is being read", f.workers[0], func() bool { return len(f.counted(appID)) > 20 })
		f.freeze(name)
		f.must(f.other, "PUT", name, "/stop", "", http.StatusNoContent)
		if i == 1 {
			f.must(f.other, "PATCH", name, "/offsets", fmt.Sprintf(`{"offsets":[{"partition":{"shop":%q,"range":%q},"offset":{"watermark":%d}}]}`,
				appID, w.sources[i].kind, w.sources[i].start), http.StatusOK)
		} else {
			f.must(f.other, "DELETE", name, "/offsets", "", http.StatusOK)
		}
		before := f.counted(appID)
		f.wake()
		f.reach(name, "stopped")
		for id, n := range f.counted(appID) {
			if n > before[id] {
				t.Errorf("order %s of %s was published while the shop was stopped", id, name)
			}
		}
		expected[appID] = before
		f.must(f.other, "PUT", name, "/resume", "", http.StatusAccepted)
	}
	f.must(f.other, "PUT", held, "/resume", "", http.StatusAccepted)
	for i := range 2 {
		if code := f.workers[i].exit(); code != 0 {
			t.Errorf("worker %d ended with %d\n%s", i, code, f.workers[i].tail())
		}
	}
	for _, s := range w.sources {
		got, wrong := f.counted(s.appID), 0
		for id, at := range w.truth(s) {
			if want := 1 + expected[s.appID][id]; got[id] != want && at >= s.start && at <= s.end {
				wrong++
			}
		}
		if wrong > 0 {
			t.Errorf("%d orders of %s were not published as often as they should: %v, want one more than %v", wrong, s.name, got, expected[s.appID])
		}
	}
	if t.Failed() {
		w.autopsy()
	}
}

// must makes a call about a shop and fails the trial unless it is answered so.
func (f *sending) must(worker int, method, shop, path, body string, status int) {
	f.Helper()
	if got, text := f.call(worker, method, "/connectors/"+shop+path, body); got != status {
		f.Fatalf("%s %s of %s: %d %s", method, path, shop, got, text)
	}
}

// reach waits until a shop's worker says that it is in a state.
func (f *sending) reach(shop, state string) {
	f.Helper()
	f.eventually(shop+" is "+state, f.workers[0], func() bool { return f.stateAt(0, shop) == state || f.stateAt(1, shop) == state })
}

// stateAt returns the state of a shop that a worker walks; empty = it does not.
func (f *sending) stateAt(worker int, shop string) string {
	f.Helper()
	_, body := f.answer(worker, "GET", "/shops?scope=worker", "")
	var shops []struct{ Name, State string }
	_ = json.Unmarshal([]byte(body), &shops) // none, if it does not answer
	for _, s := range shops {
		if s.Name == shop {
			return s.State
		}
	}
	return ""
}

// freeze freezes the worker that walks a shop.
func (f *sending) freeze(shop string) {
	f.Helper()
	f.owner, f.other = 0, 1
	f.eventually("a worker walks "+shop, f.workers[0], func() bool {
		if f.stateAt(1, shop) != "" {
			f.owner, f.other = 1, 0
		}
		return f.stateAt(f.owner, shop) != ""
	})
	f.note("freeze worker %d, which walks %s", f.owner, shop)
	f.workers[f.owner].signal(syscall.SIGSTOP)
	f.frozen[f.owner] = true
}

func (f *sending) wake() {
	f.Helper()
	f.thaw(f.owner)
}

// counted returns how often each order of an app ID is on the topic.
func (f *sending) counted(appID string) map[string]int {
	f.Helper()
	count := make(map[string]int)
	for _, r := range f.read(f.orders()) {
		if v, err := f.asPromised(r); err == nil && v.Shop == appID {
			count[v.OrderID]++
		}
	}
	return count
}
