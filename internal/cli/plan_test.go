package cli

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"orderwalk/simulator"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// planWorld is a simulated shop, and the environment for it; there is no Kafka.
func planWorld(t *testing.T, b simulator.Backlog, faults simulator.Faults) *simulator.Server {
	t.Helper()
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "ORDERWALK_") {
			t.Setenv(name, "")
		}
	}
	b.From, b.To = 1_790_000_000, 1_790_000_000+7*86400
	world := simulator.New(simulator.Config{Seed: 1, Faults: faults, Shops: []simulator.Shop{{AppID: "wx1", Secret: "hush-wx1", Backlog: b}}})
	api := httptest.NewServer(world)
	t.Cleanup(api.Close)
	t.Setenv("ORDERWALK_API_URL", api.URL)
	t.Setenv("ORDERWALK_APP_ID", "wx1")
	t.Setenv("ORDERWALK_APP_SECRET", "hush-wx1")
	t.Setenv("ORDERWALK_START_TIME", "1790000000")
	t.Setenv("ORDERWALK_END_TIME", "1790604800")
	t.Setenv("ORDERWALK_RATE_LIMIT", "500")
	return world
}

// planned runs the command with --json.
func planned(t *testing.T, args ...string) (code int, p plan, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = Main(t.Context(), append([]string{"plan", "--json"}, args...), Streams{Out: &out, Err: &errs})
	noSecret(t, out.String()+errs.String())
	if err := json.Unmarshal(out.Bytes(), &p); err != nil {
		t.Fatalf("plan = %d, %v\n%s%s", code, err, out.String(), errs.String())
	}
	return code, p, errs.String()
}

func listCalls(world *simulator.Server) int { return world.Stats().Shops["wx1"].ListCalls }

// TestPlanIsWhatRunMakes plans a range and then reads it: the list calls come
// out within a factor of 1.5.
func TestPlanIsWhatRunMakes(t *testing.T) {
	for name, backlog := range map[string]simulator.Backlog{
		"uniform": {Orders: 10000},
		"bursty":  {Orders: 20000, Bursts: 40, BurstSize: 250},
	} {
		t.Run(name, func(t *testing.T) {
			world := planWorld(t, backlog, simulator.Faults{})
			code, p, stderr := planned(t)
			if code != 0 || stderr != "" {
				t.Fatalf("plan = %d\n%s", code, stderr)
			}
			spent, s := listCalls(world), p.Shops[0]
			if spent > planMost || s.Sample.Calls != spent {
				t.Errorf("the plan took %d list calls, reported %d", spent, s.Sample.Calls)
			}

			cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(cluster.Close)
			t.Setenv("ORDERWALK_KAFKA_BROKERS", cluster.ListenAddrs()[0])
			t.Setenv("ORDERWALK_LISTEN", "127.0.0.1:0")
			var errs bytes.Buffer
			code = Main(t.Context(), []string{"run"}, Streams{Out: &errs, Err: &errs})
			noSecret(t, errs.String())
			if code != 0 {
				t.Fatalf("run = %d\n%s", code, errs.String())
			}
			calls := listCalls(world) - spent
			t.Logf("planned %d list calls, made %d", s.Calls, calls)
			if 3*s.Calls < 2*calls || 2*s.Calls > 3*calls {
				t.Errorf("planned %d list calls, made %d", s.Calls, calls)
			}
		})
	}
}

// TestPlanSparesTheQuota: what is left of the day is not for planning, and a
// plan does not wait for midnight.
func TestPlanSparesTheQuota(t *testing.T) {
	world := planWorld(t, simulator.Backlog{Orders: 10000}, simulator.Faults{PerDayLimit: 100})
	code, p, stderr := planned(t)
	if s := p.Shops[0]; code != 0 || listCalls(world) != 10 || s.Quota == nil || s.Quota.Limit != 100 || s.Quota.Midnights < 1 || s.Quota.Share < 1 || s.Seconds < s.Calling {
		t.Errorf("plan = %d, %d list calls, %+v, quota %+v\n%s", code, listCalls(world), s, s.Quota, stderr)
	}
	faults := simulator.Faults{PerDayLimit: 10}
	world.SetFaults(faults)
	code, p, stderr = planned(t)
	if s := p.Shops[0]; code != 1 || !strings.Contains(s.Error, "the day's calls are used up") || len(s.Do) != 1 || !strings.Contains(stderr, "1 of 1 shops cannot be planned") {
		t.Errorf("plan of a day that is used up = %d, %+v\n%s", code, s, stderr)
	}
}

// TestPlanWhereTheQuotaEndsUnseen: nothing said that it would.
func TestPlanWhereTheQuotaEndsUnseen(t *testing.T) {
	world := planWorld(t, simulator.Backlog{Orders: 10000}, simulator.Faults{PerDayLimit: 5})
	cloud := filepath.Join(t.TempDir(), "token")
	token, err := world.CloudToken()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cloud, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("ORDERWALK_APP_SECRET", "")
	t.Setenv("ORDERWALK_AUTH", "cloud_file")
	t.Setenv("ORDERWALK_CLOUD_TOKEN_FILE", cloud)
	// It sees that at the first refusal, and ends.
	code, p, stderr := planned(t)
	if s := p.Shops[0]; code != 1 || !strings.Contains(s.Error, "45009") || s.Quota != nil {
		t.Errorf("plan = %d, %+v\n%s", code, s, stderr)
	}
	if n := listCalls(world); n != 6 {
		t.Errorf("%d list calls, want the day's 5 and the one that is refused", n)
	}
}

// TestPlanKnowsTheVendorsRate: what the vendor allows goes before what is
// configured.
func TestPlanKnowsTheVendorsRate(t *testing.T) {
	planWorld(t, simulator.Backlog{Orders: 10000}, simulator.Faults{PerMinuteLimit: 300})
	if code, p, stderr := planned(t); code != 0 || p.Shops[0].PerSecond != 5 || p.Shops[0].Calling < 20 {
		t.Errorf("plan = %d, %+v\n%s", code, p.Shops[0], stderr)
	}
}

// TestPlanTexts has the text and the JSON of every kind of plan.
func TestPlanTexts(t *testing.T) {
	day := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	shop := func(name, appID string, change func(*shopPlan)) shopPlan {
		s := shopPlan{
			Shop: name, AppID: appID, TimeRange: "create_time", Start: day.AddDate(0, -1, 0).Unix(), End: day.Unix(),
			Orders: 123456, OrdersLow: 101234, OrdersHigh: 145678, Windows: 98, Calls: 1301, FirstCalls: 1290, SecondCalls: 11, Seconds: 26.3, Calling: 26.3,
			PerSecond: 50, Concurrency: 8, Latency: 0.0213,
			Sample: &samplePlan{Calls: 20, Windows: 18, Orders: 1299, Share: 0.0123},
			Quota:  &quotaPlan{Limit: 10000, Remaining: 9000, ends: day.Add(4 * time.Hour)},
		}
		if change != nil {
			change(&s)
		}
		return s
	}
	p := plan{liveShare: 0.2, now: day, Shops: []shopPlan{
		shop("wx1", "wx1", nil),
		shop("red-lantern", "wx2", func(s *shopPlan) {
			s.Open, s.LiveCalls, s.Poll, s.PerSecond, s.Sample.Most = true, 17312, 10, 2.5, 5000
		}),
		shop("many", "wx3", func(s *shopPlan) {
			s.Orders, s.Calls, s.FirstCalls, s.SecondCalls, s.Calling, s.Seconds = 2_000_000, 20345, 20345, 0, 4069, 4069
		}),
		shop("one-of-two", "wx4", nil),
		shop("two-of-two", "wx4", func(s *shopPlan) { s.TimeRange, s.Calls, s.Calling, s.Seconds = "update_time", 6500, 200, 200 }),
		shop("by-cloud-call", "wx5", func(s *shopPlan) { s.Quota = nil }),
		shop("hardly-sampled", "wx8", func(s *shopPlan) { s.OrdersLow, s.OrdersHigh, s.AtLeast, s.Sample.Calls = 100, 0, true, 1 }),
		shop("all-is-read", "wx9", func(s *shopPlan) {
			s.Orders, s.OrdersLow, s.OrdersHigh, s.Sample.Share, s.Sample.Orders = 90, 90, 90, 1, 90
		}),
		{Shop: "later", AppID: "wx6", TimeRange: "create_time", Note: "the range is still empty", Start: day.Unix(), End: day.Unix()},
		{Shop: "refused", AppID: "wx7", TimeRange: "create_time", Error: "get access token: errcode 40125 invalid appsecret (rid 1-2-3)", Do: []string{"check the app secret of this shop"}},
	}}
	p.divide()
	var text, object bytes.Buffer
	if err := p.writeText(&text); err != nil {
		t.Fatal(err)
	}
	if err := p.writeJSON(&object); err != nil {
		t.Fatal(err)
	}
	all := plan{liveShare: 1, now: day, Shops: []shopPlan{shop("all-is-kept", "wx1", nil)}}
	all.divide()
	if err := all.writeText(&text); err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/plan.txt", text.Bytes())
	golden(t, "testdata/plan.json", object.Bytes())
}

func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want, err := os.ReadFile(file); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s: %v; got:\n%s", file, err, got)
	}
}

func TestPlanNumbers(t *testing.T) {
	for seconds, want := range map[float64]string{
		0.0001: "100µs", 0.0213: "21ms", 2.86: "2.9s", 26.3: "26s", 69: "1m10s", 600: "10m", 3600: "1h", 4069: "1h10m", 36000: "10h", 86400: "1d", 129600: "1d12h",
	} {
		if got := inTime(seconds); got != want {
			t.Errorf("%v s is %s, want %s", seconds, got, want)
		}
	}
	for n, want := range map[int]string{0: "0", 99: "99", 100: "100", 147: "150", 9950: "10,000", 123456: "120,000"} {
		if got := about(n); got != want {
			t.Errorf("%d is about %s, want %s", n, got, want)
		}
	}
	for share, want := range map[float64]string{0: "0 %", 0.0001: "less than 0.1 %", 0.0123: "1.2 %", 0.131: "13 %", 0.999: "100 %", 22.5: "2,250 %"} {
		if got := percent(share); got != want {
			t.Errorf("%v is %s, want %s", share, got, want)
		}
	}
}
