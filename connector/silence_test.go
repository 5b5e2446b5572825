package connector

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"orderwalk/internal/wechat"
	"orderwalk/simulator"
)

// terse is an API that leaves out fields that are empty or false.
var terse = simulator.Faults{OrderIDList: "absent", HasMore: "absent", KeyOnLastPage: "absent"}

// asked is a list call as a gateway sees it.
type asked struct {
	Create *simulator.Range `json:"create_time_range"`
	Update *simulator.Range `json:"update_time_range"`
	Key    string           `json:"next_key"`

	body []byte
}

// glitch is a gateway that for a while answers list calls with a success that says too
// little, from the first call that begins selects.
type glitch struct {
	length time.Duration
	begins func(n int, q asked) bool
	form   string // the body to answer, or the field to leave out of the API's answer

	mu    sync.Mutex
	n     int
	until time.Time
	bad   int
}

const stripped, listless = "has_more,next_key", "order_id_list"

var successes = []string{
	`{"errcode":0,"errmsg":"ok"}`,
	`{"errcode":0,"errmsg":"ok","order_id_list":[]}`,
	`{"errcode":0,"errmsg":"ok","order_id_list":null,"next_key":"","has_more":false}`,
	`{"errcode":0,"next_key":""}`,
	stripped, listless,
}

// peek returns what a list call asks for, and leaves the request as it was.
func peek(a *testbed, r *http.Request) (q asked, list bool) {
	if r.URL.Path != listPath {
		return q, false
	}
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	if err := json.Unmarshal(body, &q); err != nil {
		a.Error(err)
	}
	q.body = body
	return q, true
}

func (g *glitch) play(a *testbed) {
	a.gateway = func(w http.ResponseWriter, r *http.Request) bool {
		q, list := peek(a, r)
		if !list {
			return false
		}
		g.mu.Lock()
		g.n++
		if g.until.IsZero() && g.begins(g.n, q) {
			g.until = time.Now().Add(g.length)
		}
		bad, form := time.Now().Before(g.until), g.form
		if bad {
			g.bad++
		}
		g.mu.Unlock()
		if bad {
			distort(a, w, r, form)
		}
		return bad
	}
}

// now begins a glitch at once.
func (g *glitch) now(length time.Duration, form string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.until, g.form = time.Now().Add(length), form
}

// distort answers with a body, or with the API's answer without some fields.
func distort(a *testbed, w http.ResponseWriter, r *http.Request, form string) {
	w.Header().Set("Content-Type", "application/json")
	if strings.HasPrefix(form, "{") {
		fmt.Fprint(w, form)
		return
	}
	rec := httptest.NewRecorder()
	a.api.ServeHTTP(rec, r)
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(rec.Body.Bytes(), &fields); err != nil {
		fmt.Fprint(w, rec.Body)
		return
	}
	for field := range strings.SplitSeq(form, ",") {
		delete(fields, field)
	}
	_ = json.NewEncoder(w).Encode(fields)
}

func (g *glitch) seen() (calls, bad int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.n, g.bad
}

// ends waits for a bounded run, up to hours.
func (p *process) ends() error {
	p.a.Helper()
	select {
	case <-p.ended:
		return p.err
	case <-time.After(6 * time.Hour):
		p.cancel()
		<-p.ended
		p.a.Fatalf("did not come to an end; status %+v", p.Status())
		return nil
	}
}

// TestASilentSuccessEndsNoWindow: answers that say "ok" without a list, for seconds or
// minutes, at the first page of a window, in the middle and at the last one; from an
// API that sends all fields and from one that leaves out empty ones.
func TestASilentSuccessEndsNoWindow(t *testing.T) {
	places := map[string]func(n int, q asked) bool{
		"from the first call on": func(int, asked) bool { return true },
		"at a first page":        func(n int, q asked) bool { return n > 40 && q.Key == "" },
		"after a page token":     func(n int, q asked) bool { return n > 60 && q.Key != "" },
	}
	for place, begins := range places {
		for i, form := range successes {
			for _, length := range []time.Duration{2 * time.Second, time.Minute, 10 * time.Minute} {
				for j, faults := range []simulator.Faults{{}, terse} {
					kind := []wechat.Range{wechat.CreateTime, wechat.UpdateTime}[(i+j)%2]
					t.Run(fmt.Sprint(place, "/", i, "/", length, "/", kind, "/", j), func(t *testing.T) {
						inBubble(t, func(a *testbed) {
							sh, p := backlog("wx1", 1500)
							p.PageSize, p.Lookback, p.Range = 20, 0, kind
							p.Start -= 24 * 3600 // the shop had not opened yet
							a.heartbeat = time.Minute
							a.simulate(simulator.Config{Seed: uint64(i), Shops: []simulator.Shop{sh}, Latency: 20 * time.Millisecond, Faults: faults})
							g := &glitch{length: length, begins: begins, form: form}
							g.play(a)
							if err := a.start(shop{appID: "wx1", policy: p}).ends(); err != nil {
								t.Error(err)
							}
							if calls, bad := g.seen(); bad == 0 || calls > 1600 {
								t.Errorf("%d calls, %d of them in the glitch", calls, bad)
							}
							a.eachOnce("wx1", p.Start, p.End)
						})
					})
				}
			}
		}
	}
}

// TestSilentSuccessesNowAndThen: a third of all answers have no list.
func TestSilentSuccessesNowAndThen(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			inBubble(t, func(a *testbed) {
				sh, p := backlog("wx1", 1500)
				p.PageSize, p.Lookback, p.Start = 20, 0, p.Start-24*3600
				p.Range = []wechat.Range{wechat.CreateTime, wechat.UpdateTime}[seed%2]
				a.heartbeat = time.Minute
				a.simulate(simulator.Config{Seed: seed, Shops: []simulator.Shop{sh}, Faults: []simulator.Faults{{}, terse}[seed/2%2]})
				rnd := rand.New(rand.NewPCG(seed, 1))
				var mu sync.Mutex
				a.gateway = func(w http.ResponseWriter, r *http.Request) bool {
					mu.Lock()
					bad, form := rnd.Float64() < 0.33, successes[rnd.IntN(len(successes))]
					mu.Unlock()
					if bad = bad && strings.HasSuffix(r.URL.Path, "/list/get"); bad {
						distort(a, w, r, form)
					}
					return bad
				}
				if err := a.start(shop{appID: "wx1", policy: p}).ends(); err != nil {
					t.Error(err)
				}
				a.eachOnce("wx1", p.Start, p.End)
			})
		})
	}
}

// TestAnIdleShopOfATerseAPIGoesOn: its polls cost a bounded number of calls, whether
// its last order is of today, of a month ago, or it never had one. The next order is
// published.
func TestAnIdleShopOfATerseAPIGoesOn(t *testing.T) {
	const hours = 4
	for name, last := range map[string]time.Duration{"today": time.Hour, "a month ago": 30 * 24 * time.Hour, "never": 0} {
		for _, kind := range []wechat.Range{wechat.CreateTime, wechat.UpdateTime} {
			t.Run(fmt.Sprint(name, "/", kind), func(t *testing.T) {
				inBubble(t, func(a *testbed) {
					start := time.Now().Unix()
					a.heartbeat = time.Minute
					a.simulate(simulator.Config{Seed: 1, Faults: terse, Shops: []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1"}}})
					if last > 0 {
						at := time.Now().Add(-last).Unix()
						if err := a.api.Add("wx1", simulator.Order{ID: "1", Created: at, Updated: at}); err != nil {
							t.Fatal(err)
						}
					}
					p := testPolicy()
					p.Start, p.PollInterval, p.SettleDelay, p.Lookback, p.Range = start, 10*time.Second, 15*time.Second, 10*time.Minute, kind
					run := a.start(shop{appID: "wx1", policy: p})
					worst := int64(0)
					time.Sleep(10 * time.Minute)
					before := len(a.listed())
					for range hours * 60 {
						time.Sleep(time.Minute)
						worst = max(worst, time.Now().Unix()-run.Status()[0].Watermark)
					}
					calls := len(a.listed()) - before
					t.Logf("%d calls in %d h, %.1f for each poll of 10 s; the watermark was %d s behind at worst", calls, hours, float64(calls)/360/hours, worst)
					if calls > 4*360*hours || worst > 300 {
						t.Errorf("too many, or too late")
					}
					at := time.Now().Unix()
					if err := a.api.Add("wx1", simulator.Order{ID: "2", Created: at, Updated: at}); err != nil {
						t.Fatal(err)
					}
					time.Sleep(5 * time.Minute)
					end := run.Status()[0].Watermark
					if err := run.stop(); err != nil {
						t.Error(err)
					}
					a.eachOnce("wx1", start, end-1)
				})
			})
		}
	}
}

// TestASilentSuccessHidesNoLiveOrder: polls and second passes of a live shop get such
// answers again and again, also without a second pass.
func TestASilentSuccessHidesNoLiveOrder(t *testing.T) {
	for i, lookback := range []time.Duration{0, 30 * time.Second} {
		for j, faults := range []simulator.Faults{{}, terse} {
			for k, length := range []time.Duration{2 * time.Second, time.Minute, 10 * time.Minute} {
				t.Run(fmt.Sprint(lookback, "/", j, "/", length), func(t *testing.T) {
					inBubble(t, func(a *testbed) {
						start := time.Now().Unix() - 600
						a.heartbeat = time.Minute
						a.simulate(simulator.Config{Seed: uint64(i + k), Faults: faults, Latency: 20 * time.Millisecond,
							Shops: []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1", Live: simulator.Live{Rate: 0.3, Since: start}}}})
						p := a.policy()
						p.Start, p.Lookback, p.PageSize = start, lookback, 3
						p.Range = []wechat.Range{wechat.CreateTime, wechat.UpdateTime}[(i+j+k)%2]
						g := &glitch{begins: func(int, asked) bool { return false }}
						g.play(a)
						run := a.start(shop{appID: "wx1", policy: p})
						for round := range 6 {
							a.until("it is live", func() bool { return run.Status()[0].State == StateLive })
							g.now(length, successes[(round+k)%len(successes)])
							time.Sleep(length + 5*time.Minute)
						}
						end := run.Status()[0].Watermark
						if end < time.Now().Unix()-60 {
							t.Errorf("the watermark is %d s behind", time.Now().Unix()-end)
						}
						if err := run.stop(); err != nil {
							t.Error(err)
						}
						a.eachOnce("wx1", start, end-1)
					})
				})
			}
		}
	}
}

// TestAQuotaWithoutNumbersIsNoUnlimitedDay: the numbers known before still hold.
func TestAQuotaWithoutNumbersIsNoUnlimitedDay(t *testing.T) {
	for _, body := range []string{`{"errcode":0,"errmsg":"ok"}`, `{"errcode":0,"quota":{}}`, `{"errcode":0,"quota":null}`, `{"errcode":0,"quota":{"daily_limit":0,"used":0,"remain":0}}`, `{"errcode":0,"quota":{"daily_limit":1000}}`} {
		t.Run(body, func(t *testing.T) {
			inBubble(t, func(a *testbed) {
				a.heartbeat = time.Minute
				a.simulate(simulator.Config{Seed: 1, Faults: simulator.Faults{PerDayLimit: 100_000}, Shops: []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1"}}})
				var untold atomic.Bool
				a.gateway = func(w http.ResponseWriter, r *http.Request) bool {
					bad := untold.Load() && r.URL.Path == quotaPath
					if bad {
						fmt.Fprint(w, body)
					}
					return bad
				}
				run := a.start(shop{appID: "wx1", policy: a.policy()})
				time.Sleep(30 * time.Minute)
				run.expectGauge("remaining", "wx1", 95_000, 99_999)
				untold.Store(true)
				time.Sleep(2 * time.Hour)
				run.expectGauge("remaining", "wx1", 75_000, 92_000)
				if err := run.stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
