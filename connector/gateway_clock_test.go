package connector

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"orderwalk/simulator"
)

// TestAGatewayAheadOfTheAPILosesNoOrders: a gateway answers some calls with an error and
// gives the tokens. Its clock is right, and the API's, by which orders come, is 20 s behind.
// No window ends later than the API's clock, although the latest Date is the gateway's, and
// there is no second pass.
func TestAGatewayAheadOfTheAPILosesNoOrders(t *testing.T) {
	const behind = 20 * time.Second
	for name, gateway := range map[string]func(a *testbed, n int64, w http.ResponseWriter, r *http.Request) bool{
		"errors": func(_ *testbed, n int64, w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, listPath) || n%3 > 0 {
				return false
			}
			w.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat))
			w.WriteHeader(http.StatusBadGateway)
			return true
		},
		"tokens": func(a *testbed, _ int64, w http.ResponseWriter, r *http.Request) bool {
			if strings.HasSuffix(r.URL.Path, listPath) {
				return false
			}
			a.dated(w, r, time.Now())
			return true
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(a *testbed) {
				start := time.Now().Add(-behind - time.Minute).Unix()
				a.simulate(simulator.Config{Seed: 17, Faults: simulator.Faults{ClockSkew: -behind, TokenTTL: 6 * time.Minute}, Shops: []simulator.Shop{
					{AppID: "wx1", Secret: "secret-wx1", Live: simulator.Live{Rate: 2, Since: start}}, {AppID: "wx2", Secret: "secret-wx2"}}})
				var calls atomic.Int64
				a.gateway = func(w http.ResponseWriter, r *http.Request) bool { return gateway(a, calls.Add(1), w, r) }
				p := a.policy()
				p.Start, p.Lookback = start, 0
				run := a.start(shop{appID: "wx1", policy: p}, shop{appID: "wx2", policy: p})
				time.Sleep(20 * time.Minute)
				end := run.statusOf("wx1").Watermark
				if err := run.stop(); err != nil {
					t.Error(err)
				}
				if late := time.Now().Add(-behind).Unix() - end; late < 0 || late > 20 {
					t.Errorf("the shop is %d s behind the API's clock", late)
				}
				a.eachOnce("wx1", start+1, end-1)
			})
		})
	}
}

// TestAGatewayBehindTheAPIDelaysAMinute: one answer in five minutes has a Date almost a minute
// behind. Windows wait for that clock, and a minute later they follow the API's again.
func TestAGatewayBehindTheAPIDelaysAMinute(t *testing.T) {
	for _, behind := range []time.Duration{20 * time.Second, 58 * time.Second, 62 * time.Second} {
		t.Run(behind.String(), func(t *testing.T) {
			inBubble(t, func(a *testbed) {
				start := time.Now().Unix()
				a.simulate(simulator.Config{Seed: 17, Shops: []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1", Live: simulator.Live{Rate: 2, Since: start}}}})
				var odd atomic.Bool
				a.gateway = func(w http.ResponseWriter, r *http.Request) bool {
					if !strings.HasSuffix(r.URL.Path, listPath) || !odd.CompareAndSwap(true, false) {
						return false
					}
					a.dated(w, r, time.Now().Add(-behind))
					return true
				}
				p := a.policy()
				p.Start = start
				run := a.start(shop{appID: "wx1", policy: p})
				for range 6 {
					time.Sleep(5*time.Minute - 70*time.Second)
					odd.Store(true)
					time.Sleep(70 * time.Second)
					if lag := run.statusOf("wx1").Lag(time.Now()); odd.Load() || lag > 5*time.Second {
						t.Errorf("the shop is %v behind, a minute after a Date that was", lag)
					}
				}
				end := run.statusOf("wx1").Watermark
				if err := run.stop(); err != nil {
					t.Error(err)
				}
				a.eachOnce("wx1", start+1, end-5)
			})
		})
	}
}
