//go:build kafka

package trial

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"orderwalk/simulator"
	"orderwalk/test/kafkatest"
)

// absent is the state of a shop that is not there, beside those of desired.Target.
const absent = "absent"

// TestAcknowledgedCreationsStay: no worker has a shop of its own. Shops are created,
// configured, paused and deleted, each time through a random worker, while workers are
// killed, frozen and started again. In the end every shop is there or not, and wanted in
// the state that was acknowledged last. Then all are created that are not there: they go on
// from where they were, and no order is lost or repeated.
func TestAcknowledgedCreationsStay(t *testing.T) {
	brokers := kafkatest.Start(t)
	calls, secrets := number(t, "TRIAL_CREATIONS", 120), t.TempDir()
	w := newWorld(t, brokers, func(w *fixture) simulator.Config { return closedShops(w, 6, 15*calls) })
	for appID, secret := range w.secrets {
		if err := os.WriteFile(filepath.Join(secrets, appID), []byte(secret), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(w.file, []byte("shops: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := &creating{steering: &steering{fixture: w, wanted: make(map[string][]string), refused: make(map[int]int), more: []string{"REST_SECRET_DIRS=" + secrets}}, secrets: secrets, made: make(map[string]int)}
	w.api.SetFaults(simulator.Chaos(0.05))
	for _, s := range w.sources {
		f.wanted[s.name] = []string{absent}
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
		f.change(w.dice.IntN(len(f.workers)), w.sources[w.dice.IntN(len(w.sources))])
	}
	for i := range f.workers {
		f.thaw(i)
	}
	f.eventually("all workers know which shops there are", f.workers[0], f.agree)
	t.Logf("acknowledged: %v, %d of unknown outcome, refused: %v, events: %v", f.made, f.unknown, f.refused, events)
	if f.acknowledged < calls/3 || f.made["deleted"] == 0 || f.made["configured"] == 0 || events["killed"]+events["frozen"] == 0 {
		t.Error("too little has happened")
	}
	w.api.SetFaults(simulator.Faults{})
	for _, s := range w.sources {
		f.until("PUT", "/connectors/"+s.name+"/config", f.config(s), http.StatusOK, http.StatusCreated)
		f.until("PUT", "/connectors/"+s.name+"/resume", "", http.StatusAccepted)
		f.until("POST", "/connectors/"+s.name+"/restart?onlyFailed=true", "", http.StatusAccepted)
	}
	w.allIn(f.workers[0], "done")
	for i, p := range f.workers {
		p.signal(syscall.SIGTERM)
		if code := p.exit(); code != 0 {
			t.Errorf("worker %d ended with %d\n%s", i, code, p.tail())
		}
	}
	t.Logf("%d orders", w.eachOnce())
}

// creating is a fleet whose shops come and go.
type creating struct {
	*steering
	secrets string
	made    map[string]int // acknowledged changes, by what they did
}

// config is a shop's configuration, with one of two rate limits.
func (f *creating) config(s source) string {
	config, err := json.Marshal(map[string]string{
		"connector.class": "orderwalk.WeChatOrderSource", "tasks.max": "1", "name": s.name, "app_id": s.appID, "kafka.topic": f.orders(),
		"app_secret": "${file:" + filepath.Join(f.secrets, s.appID) + "}", "time_range": s.kind, "start_time": strconv.FormatInt(s.start, 10), "end_time": strconv.FormatInt(s.end, 10),
		"rate_limit": []string{"14", "15"}[f.dice.IntN(2)],
	})
	if err != nil {
		f.Fatal(err)
	}
	return string(config)
}

// change makes one random change of a shop through a worker.
func (f *creating) change(worker int, s source) {
	f.Helper()
	defer f.freezeSoon(worker)()
	path := "/connectors/" + s.name
	switch f.dice.IntN(6) {
	case 0, 1:
		state := []string{"RUNNING", "PAUSED", "STOPPED"}[f.dice.IntN(3)]
		f.retried = false
		status, text := f.answer(worker, "POST", "/connectors", fmt.Sprintf(`{"name":%q,"initial_state":%q,"config":%s}`, s.name, state, f.config(s)))
		if status == http.StatusConflict && !strings.Contains(text, "already exists") {
			status = 0 // another change was made at the same time: what became of this one is not known
		}
		f.outcome(s, "created", []string{state}, status, text, http.StatusCreated)
	case 2:
		status, text := f.call(worker, "PUT", path+"/config", f.config(s))
		was := slices.DeleteFunc(slices.Clone(f.wanted[s.name]), func(state string) bool { return state == absent })
		if f.retried {
			was = append(was, "RUNNING")
		}
		switch status {
		case http.StatusCreated:
			f.outcome(s, "created", []string{"RUNNING"}, status, text, status)
		case http.StatusOK:
			f.outcome(s, "configured", was, status, text, status)
		default:
			f.outcome(s, "", append(was, "RUNNING"), status, text, http.StatusOK)
		}
	case 3:
		status, text := f.call(worker, "DELETE", path, "")
		if f.retried && status == http.StatusNotFound {
			status = http.StatusNoContent // an attempt before did it
		}
		f.outcome(s, "deleted", []string{absent}, status, text, http.StatusNoContent)
	default:
		verb, state := "pause", "PAUSED"
		if f.dice.IntN(2) == 0 {
			verb, state = "resume", "RUNNING"
		}
		status, text := f.call(worker, "PUT", path+"/"+verb, "")
		f.outcome(s, verb, []string{state}, status, text, http.StatusAccepted)
	}
}

// outcome notes what a change that was answered like this makes of a shop.
func (f *creating) outcome(s source, what string, states []string, status int, text string, done int) {
	f.Helper()
	switch {
	case status == done:
		f.acknowledged++
		f.made[what]++
		f.wanted[s.name] = states
	case status == 0 || status >= 500 || status == http.StatusConflict && f.retried:
		f.unknown++
		f.wanted[s.name] = append(slices.Clone(f.wanted[s.name]), states...)
	case status == http.StatusBadRequest:
		f.Errorf("the configuration of %s is refused: %s", s.name, text)
	default:
		f.refused[status]++
	}
}

// agree reports whether all workers say the same, and it may be so.
func (f *creating) agree() bool {
	var first map[string]string
	for i := range f.workers {
		status, body := f.answer(i, "GET", "/shops", "")
		var shops []struct{ Name, Target string }
		if status != http.StatusOK || json.Unmarshal([]byte(body), &shops) != nil {
			return false
		}
		said := make(map[string]string)
		for _, s := range f.sources {
			said[s.name] = absent
		}
		for _, s := range shops {
			said[s.Name] = s.Target
		}
		if first == nil {
			first = said
		}
		for name, states := range f.wanted {
			if !slices.Contains(states, said[name]) || !maps.Equal(first, said) {
				f.note("worker %d: %s is %s, may be %v; worker 0 says %s", i, name, said[name], states, first[name])
				return false
			}
		}
	}
	return true
}
