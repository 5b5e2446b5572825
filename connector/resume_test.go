package connector

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"orderwalk/offsets"
	"orderwalk/simulator"
)

// windowFrozen kills a process in the middle of windows and starts it with another page
// size and a filter. Every page token is sent with the parameters it was issued for,
// and the second process continues with the tokens of the first. After enough pages the
// API answers no token, so the kill finds each window in the middle, however slow the
// machine is.
func windowFrozen(a *testbed) {
	const enough = 60
	sh, p := backlog("wx1", 2000)
	p.PageSize, p.Concurrency = 7, 4
	a.simulate(simulator.Config{Seed: 2, Shops: []simulator.Shop{sh}, Latency: 20 * time.Millisecond})
	var killed atomic.Bool
	var held sync.Map // tokens that got no page
	a.gateway = func(_ http.ResponseWriter, r *http.Request) bool {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return true
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		var asked struct {
			NextKey string `json:"next_key"`
		}
		if killed.Load() || len(a.listed()) < enough || json.Unmarshal(body, &asked) != nil || asked.NextKey == "" {
			return false
		}
		held.Store(asked.NextKey, true)
		<-r.Context().Done() // the caller has timed out or was killed
		return true
	}
	a.pod = "pod"
	run := a.start(shop{appID: "wx1", policy: p})
	a.until("some orders are published", func() bool { return run.Status()[0].Published > 0 })
	var stored map[string]bool // tokens that must be sent next
	a.until("every window that is read has committed the token of its next page", func() bool {
		stored = make(map[string]bool)
		if c := a.checkpoints()[offsets.Partition{Shop: "wx1", Range: "create_time"}]; c != nil {
			for _, w := range c.Windows {
				if _, ok := held.Load(w.Key); ok {
					stored[w.Key] = true
				}
			}
		}
		return len(stored) == p.Concurrency
	})
	run.kill()
	killed.Store(true)
	before := len(a.listed())
	p.PageSize, p.Status, p.MaxWindow, p.Concurrency = 100, 20, time.Hour, 2
	if err := a.start(shop{appID: "wx1", policy: p}).wait(); err != nil {
		a.Fatal(err)
	}
	issued := make(map[string]simulator.ListCall)
	for i, c := range a.listed() {
		if c.NextKey != "" {
			was, ok := issued[c.NextKey]
			if !ok {
				a.Fatalf("call %d sends a token that was not issued: %+v", i, c)
			}
			if *was.Create != *c.Create || was.PageSize != c.PageSize || (was.Status == nil) != (c.Status == nil) || was.OpenID != c.OpenID {
				a.Errorf("token issued for %+v was sent with %+v", was, c)
			}
			if i >= before {
				delete(stored, c.NextKey)
			}
		}
		if c.Next != "" {
			issued[c.Next] = c
		}
	}
	if len(stored) > 0 {
		a.Errorf("the second process did not go on with %d of the tokens of the first", len(stored))
	}
}
