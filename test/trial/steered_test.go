//go:build kafka

package trial

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"orderwalk/simulator"
	"orderwalk/test/kafkatest"
)

// TestAcknowledgedChangesStay: shops are paused, resumed, stopped and restarted, and the
// offsets of stopped ones written as they are, each time through a random worker, while
// workers are killed, frozen and started again. In the end every shop is wanted in the
// state that was acknowledged last, and no order is lost or repeated.
func TestAcknowledgedChangesStay(t *testing.T) {
	brokers := kafkatest.Start(t)
	calls := number(t, "TRIAL_CALLS", 120)
	w := newWorld(t, brokers, func(w *fixture) simulator.Config { return closedShops(w, 10, 20*calls) })
	f := &steering{fixture: w, wanted: make(map[string][]string), refused: make(map[int]int)}
	w.api.SetFaults(simulator.Chaos(0.1))
	for _, s := range w.sources {
		f.wanted[s.name] = []string{"RUNNING"}
	}
	for i := range f.workers {
		f.start(i)
	}
	t.Cleanup(f.keepDiary)
	events := make(map[string]int)
	for range calls {
		if w.dice.IntN(10) == 0 {
			events[f.event()]++
		}
		f.change(w.dice.IntN(len(f.workers)), w.sources[w.dice.IntN(len(w.sources))].name)
	}
	for i := range f.workers {
		f.thaw(i)
	}
	f.verify()
	t.Logf("%d changes acknowledged, %d of unknown outcome, %d times offsets written, refused: %v, events: %v", f.acknowledged, f.unknown, f.altered, f.refused, events)
	if f.acknowledged < calls/3 || f.altered == 0 || events["killed"] == 0 || events["thawed"] == 0 {
		t.Error("too little has happened")
	}
	w.api.SetFaults(simulator.Faults{})
	for _, s := range w.sources {
		f.until("POST", "/connectors/"+s.name+"/restart?onlyFailed=true", "", http.StatusAccepted)
	}
	for i, s := range w.sources { // the last one holds the workers: they end when all is done
		if i == 0 {
			f.until("PUT", "/connectors/"+w.sources[len(w.sources)-1].name+"/pause", "", http.StatusAccepted)
		}
		f.until("PUT", "/connectors/"+s.name+"/resume", "", http.StatusAccepted)
	}
	for i, p := range f.workers {
		if code := p.exit(); code != 0 {
			t.Errorf("worker %d ended with %d\n%s", i, code, p.tail())
		}
	}
	t.Logf("%d orders", w.eachOnce())
}

// event kills, freezes or thaws a worker. At most one is frozen at a time.
func (f *steering) event() string {
	f.Helper()
	i := f.dice.IntN(len(f.workers))
	switch {
	case f.frozen[i]:
		f.thaw(i)
		return "thawed"
	case slices.Contains(f.frozen[:], true) || f.dice.IntN(2) == 0:
		f.note("kill worker %d, life %d", i, f.workers[i].number)
		f.workers[i].kill()
		f.start(i)
		return "killed"
	}
	f.note("freeze worker %d", i)
	f.workers[i].signal(syscall.SIGSTOP)
	f.frozen[i] = true
	return "frozen"
}

// change makes one random change of a shop through a worker. A worker that freezes in the
// middle of a call is one whose caller gives up.
func (f *steering) change(worker int, shop string) {
	f.Helper()
	path := "/connectors/" + shop
	switch f.dice.IntN(7) {
	case 0:
		f.race(shop)
	case 1, 2:
		f.wants(worker, shop, "PUT", path+"/pause", "PAUSED", http.StatusAccepted)
	case 3:
		f.wants(worker, shop, "PUT", path+"/resume", "RUNNING", http.StatusAccepted)
	case 4:
		f.wants(worker, shop, "PUT", path+"/stop", "STOPPED", http.StatusNoContent)
		if f.dice.IntN(2) == 0 {
			f.rewrite(f.dice.IntN(len(f.workers)), shop)
		}
		if f.dice.IntN(3) == 0 {
			f.wants(f.dice.IntN(len(f.workers)), shop, "PUT", path+"/resume", "RUNNING", http.StatusAccepted)
		}
	case 5:
		if status, _ := f.call(worker, "POST", path+"/restart", ""); status == http.StatusNoContent {
			f.acknowledged++
		} else {
			f.refused[status]++
		}
	default:
		stopped := slices.IndexFunc(f.sources, func(s source) bool { return slices.Equal(f.wanted[s.name], []string{"STOPPED"}) })
		if stopped >= 0 && f.dice.IntN(2) == 0 {
			shop = f.sources[stopped].name
		}
		f.rewrite(worker, shop)
	}
}

func (f *steering) wants(worker int, shop, method, path, state string, done int) {
	f.Helper()
	defer f.freezeSoon(worker)()
	status, _ := f.call(worker, method, path, "")
	switch {
	case status == done:
		f.acknowledged++
		f.wanted[shop] = []string{state}
	case status == 0 || status >= 500:
		f.unknown++
		f.wanted[shop] = append(f.wanted[shop], state)
	default:
		f.refused[status]++
	}
}

// race makes two changes of a shop at the same time, through two workers.
func (f *steering) race(shop string) {
	f.Helper()
	changes := []struct {
		verb, state string
		done        int
	}{{"pause", "PAUSED", http.StatusAccepted}, {"resume", "RUNNING", http.StatusAccepted}, {"stop", "STOPPED", http.StatusNoContent}}
	workers, changed := f.dice.Perm(len(f.workers)), f.dice.Perm(len(changes))
	var status [2]int
	var both sync.WaitGroup
	for i := range status {
		both.Go(func() {
			status[i], _ = f.call(workers[i], "PUT", "/connectors/"+shop+"/"+changes[changed[i]].verb, "")
		})
	}
	both.Wait()
	var states []string
	acknowledged := false
	for i, s := range status {
		switch c := changes[changed[i]]; {
		case s == c.done:
			f.acknowledged++
			acknowledged = true
			states = append(states, c.state)
		case s == 0 || s >= 500:
			f.unknown++
			states = append(states, c.state)
		default:
			f.refused[s]++
		}
	}
	if !acknowledged {
		states = append(f.wanted[shop], states...)
	}
	f.wanted[shop] = states
}

// atRest reports whether no worker that is awake walks a shop. One that is frozen may walk
// it, but not between two calls of the trial.
func (f *steering) atRest(shop string) bool {
	f.Helper()
	for i := range f.workers {
		status, body := f.answer(i, "GET", "/shops?scope=worker", "")
		var shops []struct{ Name, State string }
		if status == 0 && f.frozen[i] {
			continue
		}
		if status != http.StatusOK || json.Unmarshal([]byte(body), &shops) != nil {
			return false
		}
		for _, s := range shops {
			if s.Name == shop && s.State != "stopped" && s.State != "paused" {
				return false
			}
		}
	}
	return true
}

// rewrite writes the offsets of a shop as they are. Unless it is stopped, that is refused.
// If a worker that is awake still walks it, the offsets move between the two calls: then it
// would be sent back. So they are left alone.
func (f *steering) rewrite(worker int, shop string) {
	f.Helper()
	path := "/connectors/" + shop + "/offsets"
	stopped := slices.Equal(f.wanted[shop], []string{"STOPPED"})
	for end := time.Now().Add(2 * time.Second); slices.Contains(f.wanted[shop], "STOPPED") && !f.atRest(shop); time.Sleep(20 * time.Millisecond) {
		if !stopped || time.Now().After(end) {
			f.note("shop %s is still walked", shop)
			return
		}
	}
	status, body := f.answer(worker, "GET", path, "")
	if status != http.StatusOK || strings.Contains(body, `"offsets":[]`) {
		f.refused[status]++
		return
	}
	defer f.freezeSoon(worker)()
	status, text := f.call(worker, "PATCH", path, body)
	switch {
	case status == http.StatusOK && !slices.Contains(f.wanted[shop], "STOPPED"):
		f.Errorf("the offsets of shop %s were altered, which is wanted %v", shop, f.wanted[shop])
	case status == http.StatusOK:
		f.acknowledged++
		f.altered++
	case status == http.StatusBadRequest && stopped:
		f.Errorf("the offsets of stopped shop %s were refused: %s\n%s", shop, text, body)
	default:
		f.refused[status]++
	}
}

// verify checks that all workers say the same is wanted of the shops, and that it was
// acknowledged.
func (f *steering) verify() {
	f.Helper()
	last := ""
	f.eventually("all workers know what is wanted", f.workers[0], func() bool {
		said := make(map[string]string)
		for i := range f.workers {
			status, body := f.answer(i, "GET", "/shops", "")
			var shops []struct{ Name, Target string }
			if status != http.StatusOK || json.Unmarshal([]byte(body), &shops) != nil || len(shops) != len(f.sources) {
				return false
			}
			for _, s := range shops {
				if i == 0 {
					said[s.Name] = s.Target
				}
				if slices.Contains(f.wanted[s.Name], s.Target) && s.Target == said[s.Name] {
					continue
				}
				if text := fmt.Sprintf("worker %d: shop %s is wanted %s, acknowledged was %v, and worker 0 says %s", i, s.Name, s.Target, f.wanted[s.Name], said[s.Name]); text != last {
					last = text
					f.Log(text)
				}
				return false
			}
		}
		return true
	})
}
