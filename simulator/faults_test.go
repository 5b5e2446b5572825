package simulator_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"orderwalk/simulator"
)

func TestEverySwitch(t *testing.T) {
	tests := maps.Clone(pageSwitches)
	maps.Copy(tests, callSwitches)
	maps.Copy(tests, waySwitches)
	maps.Copy(tests, pushSwitches)
	for _, name := range simulator.FaultNames() {
		if tests[name.Name] == nil {
			t.Errorf("no test for %s", name.Name)
		}
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if name == "date_absent" || name == "reset_rate" { // about connections, not about time
				test(t, shop(hundred, simulator.Live{}, simulator.Faults{}))
				return
			}
			synctest.Test(t, func(t *testing.T) { test(t, shop(hundred, simulator.Live{}, simulator.Faults{})) })
		})
	}
}

// on enables these faults and disables all others.
func on(t *testing.T, s *simulator.Server, texts ...string) {
	t.Helper()
	var f simulator.Faults
	for _, text := range texts {
		set, err := simulator.ParseFault(text)
		if err != nil {
			t.Fatal(err)
		}
		set(&f)
	}
	s.SetFaults(f)
}

func wantTook(t *testing.T, s *simulator.Server, name string, n int) {
	t.Helper()
	if got := s.Stats().Faults[name]; got != n {
		t.Errorf("%s took effect %d times, want %d", name, got, n)
	}
}

// wantShare requires n of total to be about a share.
func wantShare(t *testing.T, n, total int, share float64) {
	t.Helper()
	if got := float64(n) / float64(total); got < share-0.1 || got > share+0.1 {
		t.Errorf("%d of %d, want a share of %g", n, total, share)
	}
}

// wantRaw requires about half of all list calls to match, and the fault to be counted
// as often.
func wantRaw(t *testing.T, s *simulator.Server, name string, match func(reply) bool) {
	t.Helper()
	wantRawShare(t, s, name, 0.5, match)
}

func wantRawShare(t *testing.T, s *simulator.Server, name string, share float64, match func(reply) bool) {
	t.Helper()
	matching := 0
	for range 200 {
		r := list(t, s, created(1, 2, 10, ""))
		if match(r) {
			matching++
		} else {
			wantCode(t, r, 0)
		}
	}
	wantTook(t, s, name, matching)
	wantShare(t, matching, 200, share)
}

// wantHeld requires a share of list calls to take exactly this long in a bubble, and
// the others no time.
func wantHeld(t *testing.T, s *simulator.Server, name string, share float64, hold time.Duration) {
	t.Helper()
	held := 0
	for range 200 {
		began := time.Now()
		wantCode(t, list(t, s, created(1, 2, 10, "")), 0)
		switch time.Since(began) {
		case hold:
			held++
		case 0:
		default:
			t.Fatalf("a call took %s", time.Since(began))
		}
	}
	wantTook(t, s, name, held)
	wantShare(t, held, 200, share)
}

// byUpdate is the order of lists by update time.
func byUpdate(s *simulator.Server) []string {
	orders := s.Orders(appID, timeless)
	slices.SortStableFunc(orders, func(a, b simulator.Order) int { return int(a.Updated - b.Updated) })
	var ids []string
	for _, o := range orders {
		ids = append(ids, o.ID)
	}
	return ids
}

// Invalid faults are an error, not ignored.
func TestFaultsThatMakeNoSense(t *testing.T) {
	s := shop(hundred, simulator.Live{}, simulator.Faults{Order: "random", ResetRate: 2})
	r := list(t, s, created(1, 2, 10, ""))
	if r.http != 500 || !strings.Contains(r.raw, "give one of asc, desc, unstable") || !strings.Contains(r.raw, "reset_rate") {
		t.Errorf("HTTP %d %s", r.http, r.raw)
	}
	for _, text := range []string{
		"", "=", "nothing=1", "order=random", "reset_rate=1.1", "reset_rate=-1", "reset_rate=NaN", "reset_rate",
		"key_ttl=5", "key_ttl=-1s", "http_403=maybe", "per_day_limit=many", "whitelist=1", "chaos=2", "chaos=NaN",
	} {
		if _, err := simulator.ParseFault(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

// Text, JSON and Go values of all switches are equivalent.
func TestFaultsAsTextAndJSON(t *testing.T) {
	for _, f := range []simulator.Faults{{}, simulator.Chaos(0.5), simulator.AllFaults()} {
		if err := f.Validate(); err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		var back, fromText simulator.Faults
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		var values map[string]any
		if err := json.Unmarshal(text, &values); err != nil {
			t.Fatal(err)
		}
		for name, value := range values {
			set, err := simulator.ParseFault(fmt.Sprintf("%s=%v", name, value))
			if err != nil {
				t.Fatal(err)
			}
			set(&fromText)
		}
		if !reflect.DeepEqual(back, f) || !reflect.DeepEqual(fromText, f) {
			t.Errorf("%+v\nas JSON %+v\nas text %+v", f, back, fromText)
		}
	}
	for _, name := range simulator.FaultNames() {
		if name.Meaning == "" || name.Type == "" || strings.ToLower(name.Name) != name.Name {
			t.Errorf("%+v", name)
		}
	}
	var f simulator.Faults
	for _, bad := range []string{`{"nothing":1}`, `{"reset_rate":2}`, `{"order":["asc"]}`, `[]`, `{"http_403":null}`} {
		if json.Unmarshal([]byte(bad), &f) == nil {
			t.Errorf("%s was taken", bad)
		}
	}
	if f != (simulator.Faults{}) {
		t.Errorf("what was refused has left %+v", f)
	}
}
