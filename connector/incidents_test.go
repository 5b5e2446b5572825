package connector

import (
	"fmt"
	"math/bits"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"orderwalk/internal/incident"
	"orderwalk/simulator"
)

// ownFault is the shop that has another fault than all others.
const ownFault = "wx0123"

// many starts a worker with manyShops live shops. The token of ownFault is "own".
func (a *testbed) many() (run *process) {
	a.Helper()
	start := time.Now().Unix() - 60
	var world []simulator.Shop
	var shops []shop
	for i := range manyShops {
		id := fmt.Sprintf("wx%04d", i)
		world = append(world, simulator.Shop{AppID: id, Secret: "secret-" + id, Live: simulator.Live{Rate: 0.001, Since: start}})
		p := a.policy()
		p.Start, p.PollInterval, p.Lookback = start, 40*time.Second, 0
		s := shop{appID: id, policy: p}
		if id == ownFault {
			s.static = func() (string, error) { return "own", nil }
		}
		shops = append(shops, s)
	}
	a.heartbeat = 10 * time.Second
	a.simulate(simulator.Config{Seed: 91, Shops: world})
	return a.start(shops...)
}

// lines returns the log's lines above level DEBUG, from an offset on.
func (p *process) lines(from int) (lines []string) {
	for line := range strings.Lines(p.logged()[from:]) {
		if !strings.Contains(line, "level=DEBUG") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

var lasted = regexp.MustCompile(`after=(\S+)`)

// expectIncident checks that lines tell an incident once, each minute that it lasts, and
// its end. first must be in the first of them, last in all others. The rest is returned.
func (p *process) expectIncident(lines []string, kind incident.Kind, first, last string) (rest []string) {
	p.a.Helper()
	begins, lasts, ends := 0, 0, 0
	var took time.Duration
	for _, line := range lines {
		switch {
		case strings.Contains(line, "level=WARN msg="+strconv.Quote(kind.Begins)) && strings.Contains(line, first):
			begins++
		case strings.Contains(line, "level=WARN msg="+strconv.Quote(kind.Lasts)) && (strings.Contains(line, last) || lasts >= 1 && strings.HasPrefix(last, "shops=")):
			lasts++ // in the second minute some may have recovered
		case strings.Contains(line, "level=INFO msg="+strconv.Quote(kind.Ends)) && strings.Contains(line, last):
			ends++
			took, _ = time.ParseDuration(lasted.FindStringSubmatch(line)[1])
		default:
			rest = append(rest, line)
		}
	}
	minutes := int(took / time.Minute)
	told := minutes
	if kind.Long { // after 1, 3, 7 … minutes
		told = bits.Len(uint(minutes+1)) - 1
	}
	if begins != 1 || ends != 1 || minutes < 1 || lasts < told-1 || lasts > told {
		p.a.Errorf("%q (%s) began %d times, lasted %d minutes of %v, ended %d times; all lines:\n%s", kind.Begins, last, begins, lasts, took, ends, strings.Join(lines, "\n"))
	}
	return rest
}

// TestWhatAllShopsHaveIsOneIncident of the log: whatever stops 2,000 shops for two
// minutes is one line when it begins, one a minute, and one when it ends, with the number
// of shops. The fault that one shop has meanwhile has lines of its own.
func TestWhatAllShopsHaveIsOneIncident(t *testing.T) {
	type gateway func(w http.ResponseWriter, r *http.Request) bool
	lists := func(body string) gateway {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == listPath {
				_, _ = w.Write([]byte(body))
			}
			return r.URL.Path == listPath
		}
	}
	own := waitFor(nil)
	failing := incident.Kind{Begins: "call failed; retrying", Lasts: "calls still fail; retrying", Ends: "calls succeed again"}
	most := fmt.Sprintf("shops=%d ", manyShops-1)
	for name, c := range map[string]struct {
		fault gateway // of the API; nil = Kafka is away
		kind  incident.Kind
		last  string // in all lines but the first
	}{
		"the API is down": {func(w http.ResponseWriter, r *http.Request) bool {
			if time.Now().Second()%2 == 0 { // one gateway breaks connections, the other answers
				panic(http.ErrAbortHandler)
			}
			w.WriteHeader(http.StatusBadGateway)
			return true
		}, failing, most},
		"tokens are refused":   {lists(`{"errcode":40001,"errmsg":"invalid credential"}`), failing, most},
		"shops have no right":  {lists(`{"errcode":48001,"errmsg":"api unauthorized"}`), own, most},
		"the quota is used up": {lists(`{"errcode":45009,"errmsg":"reach max api daily quota limit"}`), incident.Kind{Begins: "daily quota used up; pausing until it resets", Lasts: "calls still pause until the daily quota resets", Ends: "the daily quota has reset; calls resume", Long: true}, most},
		"Kafka is away":        {nil, kafkaWait, "waiters=4 "},
	} {
		t.Run(name, func(t *testing.T) {
			alone(t, func(a *testbed) {
				var faulty, refused atomic.Bool
				a.gateway = func(w http.ResponseWriter, r *http.Request) bool {
					switch own := r.URL.Query().Get("access_token") == "own"; {
					case own && refused.Load():
						_, _ = w.Write([]byte(`{"errcode":61004,"errmsg":"access clientip is not registered"}`))
					case own:
						_, _ = w.Write([]byte(`{"errcode":0,"order_id_list":[],"has_more":false,"next_key":""}`))
					default:
						return faulty.Load() && c.fault(w, r)
					}
					return true
				}
				time.Sleep(midnight() - 5*time.Minute) // so that a used up quota does not last for long
				run := a.many()
				a.until("all are live", func() bool { return count(run, StateLive) == manyShops })
				time.Sleep(30 * time.Second)
				mark := len(run.logged())

				faulty.Store(c.fault != nil)
				var away *kfake.FaultHandle
				if c.fault == nil {
					away = a.cluster.Fault(kfake.Fault{Err: kerr.CoordinatorNotAvailable, Count: -1,
						Keys: []kmsg.Key{kmsg.Produce, kmsg.EndTxn, kmsg.InitProducerID, kmsg.AddPartitionsToTxn}})
				}
				time.Sleep(30 * time.Second)
				refused.Store(true)
				time.Sleep(105 * time.Second)
				faulty.Store(false)
				if c.fault == nil {
					away.Remove()
				}
				healed := time.Now()
				goesOn := func() bool {
					return !slices.ContainsFunc(run.Status(), func(s ShopStatus) bool { return s.AppID != ownFault && s.Watermark < healed.Unix() })
				}
				for !goesOn() && time.Since(healed) < 10*time.Minute {
					time.Sleep(time.Second)
				}
				refused.Store(false)
				for count(run, StateLive) < manyShops && time.Since(healed) < 20*time.Minute {
					time.Sleep(time.Second)
				}
				time.Sleep(time.Minute) // a lowered rate recovers
				lines := run.lines(mark)
				if err := run.stop(); err != nil {
					t.Error(err)
				}
				name := "shop=" + ownFault + " "
				rest := slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return strings.Contains(line, name) })
				if c.fault != nil {
					rest = run.expectIncident(lines, own, name, name)
				} else if len(rest) == len(lines) { // lanes start again, and its wait with them
					t.Errorf("%s is not named", ownFault)
				}
				rest = run.expectIncident(rest, c.kind, "", c.last)
				if len(rest) > 0 {
					t.Errorf("further lines:\n%s", strings.Join(rest, "\n"))
				}
			})
		})
	}
}
