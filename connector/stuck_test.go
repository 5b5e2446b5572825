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

	"orderwalk/offsets"
	"orderwalk/simulator"
)

// listAsked is the part of a list call's body that a test reads.
type listAsked struct {
	Range struct {
		Start int64 `json:"start_time"`
		End   int64 `json:"end_time"`
	} `json:"create_time_range"`
	PageSize int    `json:"page_size"`
	Key      string `json:"next_key"`
}

// listCall reads a request's body and restores it for the API; ok = it is a list call.
func listCall(r *http.Request) (q listAsked, ok bool) {
	if !strings.Contains(r.URL.Path, "/list/get") {
		return q, false
	}
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	_ = json.Unmarshal(body, &q)
	return q, true
}

// TestAStuckWindowCostsNothingAndHealsByItsPageSize: the API always refuses the page
// tokens of one second. Later windows are read for hours without piling up, also across
// restarts. With a page size that puts that second on one page the walk ends, and every
// order is published once.
func TestAStuckWindowCostsNothingAndHealsByItsPageSize(t *testing.T) {
	inBubble(t, func(a *testbed) {
		a.heartbeat = time.Minute
		start := time.Now().Unix()
		stuck := start + 600
		a.simulate(simulator.Config{Seed: 22, Shops: []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1",
			Backlog: simulator.Backlog{Orders: 90, From: stuck, To: stuck, Bursts: 1, BurstSize: 90},
			Live:    simulator.Live{Rate: 0.2, Since: start}}}})
		a.gateway = func(w http.ResponseWriter, r *http.Request) bool {
			q, ok := listCall(r)
			if !ok || q.Key == "" || stuck < q.Range.Start || stuck > q.Range.End {
				return false
			}
			fmt.Fprint(w, `{"errcode":606006,"errmsg":", next_key参数不正确 rid: 6566bde8-11111111-22222222"}`)
			return true
		}
		p := testPolicy()
		p.Start, p.PageSize = start, 50
		p.End = start + 4*3600
		waits := int(p.Lookback/p.PollInterval) + p.Concurrency
		for range 3 {
			run := a.start(shop{appID: "wx1", policy: p})
			time.Sleep(time.Hour)
			if err := run.stop(); err != nil {
				t.Fatal(err)
			}
			c := a.checkpoints()[offsets.Partition{Shop: "wx1", Range: "create_time"}]
			if c.Watermark > stuck {
				t.Fatalf("the window is not stuck: the watermark is at %d", c.Watermark)
			}
			if n := len(c.Windows); n > waits+10 {
				t.Errorf("%d windows are tracked, of which about %d wait for their second pass", n, waits)
			}
		}
		p.PageSize = 100
		if err := a.start(shop{appID: "wx1", policy: p}).within(5 * time.Hour); err != nil {
			t.Fatal(err)
		}
		a.eachOnce("wx1", start+1, p.End)
	})
}

// within is wait for a story of hours.
func (p *process) within(most time.Duration) error {
	p.a.Helper()
	select {
	case <-p.ended:
	case <-time.After(most):
		p.kill()
		p.a.Fatal("does not come to an end")
	}
	return p.err
}
