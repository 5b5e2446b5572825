package connector

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"orderwalk/internal/wechat"
	"orderwalk/simulator"
)

// TestSilentFirstPagesEndNoWindow: from the start, the first page of every list comes
// without a list for a while. Calls with a page token are answered correctly; wrong
// tokens are refused.
func TestSilentFirstPagesEndNoWindow(t *testing.T) {
	for _, kind := range []wechat.Range{wechat.CreateTime, wechat.UpdateTime} {
		t.Run(string(kind), func(t *testing.T) {
			inBubble(t, func(a *testbed) {
				sh, p := backlog("wx1", 1500)
				p.Range = kind
				a.heartbeat = time.Minute
				a.simulate(simulator.Config{Seed: 1, Shops: []simulator.Shop{sh}, Faults: terse})
				until := time.Now().Add(20 * time.Minute)
				a.gateway = func(w http.ResponseWriter, r *http.Request) bool {
					if !strings.HasSuffix(r.URL.Path, "/list/get") || time.Now().After(until) {
						return false
					}
					body, _ := io.ReadAll(r.Body)
					r.Body = io.NopCloser(bytes.NewReader(body))
					var q asked
					if err := json.Unmarshal(body, &q); err != nil || q.Key != "" {
						return false
					}
					fmt.Fprint(w, successes[0])
					return true
				}
				if err := a.start(shop{appID: "wx1", policy: p}).ends(); err != nil {
					t.Error(err)
				}
				a.eachOnce("wx1", p.Start, p.End)
			})
		})
	}
}

// TestATerseAPIThatCountsNeitherEnd: orders of the very second at which a range begins
// are not in it, so a missing list is a true answer.
func TestATerseAPIThatCountsNeitherEnd(t *testing.T) {
	for _, kind := range []wechat.Range{wechat.CreateTime, wechat.UpdateTime} {
		t.Run(string(kind), func(t *testing.T) {
			inBubble(t, func(a *testbed) {
				faults := terse
				faults.StartExclusive, faults.EndExclusive = true, true
				start := time.Now().Unix() - 6*3600
				a.heartbeat = time.Minute
				a.simulate(simulator.Config{Seed: 1, Faults: faults, Shops: []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1",
					Live: simulator.Live{Rate: 0.05, BurstEvery: 10, BurstSize: 2, Since: start}}}})
				p := testPolicy()
				p.Start, p.Range, p.PollInterval = start, kind, 2*time.Second
				run := a.start(shop{appID: "wx1", policy: p})
				for range 12 {
					time.Sleep(10 * time.Minute)
					if s := run.Status()[0]; s.Watermark < time.Now().Unix()-600 {
						t.Errorf("it stands still: %+v", s)
						break
					}
				}
				end := run.Status()[0].Watermark
				if err := run.stop(); err != nil {
					t.Error(err)
				}
				a.eachOnce("wx1", start, end-1)
			})
		})
	}
}

// TestATerseAPIAmongFaults: the calls that search for a list near a silent range fail
// now and then. The search continues soon after, and leaves a range that has become too
// far away to be listed together with the silent one.
func TestATerseAPIAmongFaults(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			inBubble(t, func(a *testbed) {
				start := time.Now().Unix() - 10*86400
				a.heartbeat = time.Minute
				a.simulate(simulator.Config{Seed: seed, Faults: simulator.AllFaults(), Shops: []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1",
					Backlog: simulator.Backlog{Orders: 4000, From: start, To: start + 86400, Bursts: 4, BurstSize: 120, Changes: 2, ChangeWithin: time.Hour}}}})
				p := testPolicy()
				p.Start, p.End, p.Range, p.PageSize = start, start+3*86400, wechat.UpdateTime, 100
				begin := time.Now()
				if err := a.start(shop{appID: "wx1", policy: p}).wait(); err != nil {
					t.Error(err)
				}
				t.Log("ended after", time.Since(begin))
				a.eachOnce("wx1", p.Start, p.End)
			})
		})
	}
}
