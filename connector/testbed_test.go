package connector

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"orderwalk/connector/window"
	"orderwalk/internal/incident"
	"orderwalk/internal/record"
	"orderwalk/internal/wechat"
	"orderwalk/offsets"
	"orderwalk/simulator"
	"orderwalk/test/kafkatest"
	"orderwalk/test/leaktest"
)

// tryIt stands for what an operator can do about any error; see Config.Hint.
const tryIt = "try this"

// testbed runs a story: a Kafka, the API's simulator, and a network between them. In a
// bubble all three are inside this process and time is virtual. With the build tag
// kafka the broker, the network and the time are real.
type testbed struct {
	testing.TB
	bubble  bool
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
	brokers []string
	apiURL  string
	name    string // prefix of topics and groups, so that stories can share a broker
	// ordersOf is the name whose orders topic is used, if it is another.
	ordersOf string
	cluster  *kfake.Cluster
	listen   func() net.Listener // for the API

	api       *simulator.Server
	mu        sync.Mutex
	workers   int           // number of workers started so far
	pod       string        // name of every worker, for stories of one container that restarts
	heartbeat time.Duration // 0 = the default; long for stories of days
	liveShare float64       // see Config.QuotaLiveShare
	// open, if set, delays or refuses the encoder of a topic.
	open func(ctx context.Context, topic string) error
	// gateway, if not nil, may answer calls instead of the API; it reports whether it
	// did.
	gateway func(w http.ResponseWriter, r *http.Request) bool
	calls   []simulator.ListCall
	// leaks knows the secrets of the story, and processes are all whose output is
	// searched for them; see search.
	leaks     leaktest.Search
	processes []*process
}

// inBubble plays a story beside those of other tests.
func inBubble(t *testing.T, story func(a *testbed)) {
	t.Helper()
	t.Parallel()
	alone(t, story)
}

// alone plays a story with kfake on a virtual network.
func alone(t *testing.T, story func(a *testbed)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		network := new(kfake.VirtualNetwork)
		cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(9092), kfake.ListenFn(network.Listen))
		if err != nil {
			t.Fatal(err)
		}
		a := &testbed{TB: t, bubble: true, dial: network.DialContext, brokers: []string{"localhost:9092"}, apiURL: "http://localhost:8080", name: "story", cluster: cluster}
		listener, err := network.Listen("tcp", "localhost:8080")
		if err != nil {
			t.Fatal(err)
		}
		a.listen = func() net.Listener { return listener }
		defer func() {
			cluster.Close()
			synctest.Wait()
		}()
		a.play(story)
	})
}

func (a *testbed) play(story func(a *testbed)) {
	server := &http.Server{Handler: a.leaks.Watch(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.gateway == nil || !a.gateway(w, r) {
			a.api.ServeHTTP(w, r)
		}
	}))}
	served := make(chan struct{})
	listener := a.listen()
	go func() {
		defer close(served)
		_ = server.Serve(listener)
	}()
	defer func() {
		_ = server.Close()
		<-served
	}()
	story(a)
	a.search()
}

// simulate starts the API's simulator. Its calls are kept for the story to check.
func (a *testbed) simulate(cfg simulator.Config) {
	cfg.OnList = func(c simulator.ListCall) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.calls = append(a.calls, c)
	}
	a.api = simulator.New(cfg)
}

func (a *testbed) listed() []simulator.ListCall {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.calls)
}

// policy is the policy of a shop that polls every second, close behind now.
func (a *testbed) policy() window.Policy {
	p := testPolicy()
	p.PollInterval, p.SettleDelay, p.Lookback = time.Second, time.Second, 3*time.Second
	return p
}

// shop is a shop of the testbed, by app ID.
type shop struct {
	appID  string
	name   string // "" = the app ID
	topic  string // of its orders; "" = the story's
	policy window.Policy
	rate   float64
	static func() (string, error) // reads the access token; nil = the secret is used
	server *wechat.TokenServer    // gives the access token; nil = another way
	auth   string                 // ORDERWALK_AUTH without static; "" = stable_token
	file   func() (string, error) // reads the app secret; nil = the right one
}

func (a *testbed) config(p *plug, log *slog.Logger, reg prometheus.Registerer, shops ...shop) (Config, *kafka.Transport, *http.Transport) {
	transport := &kafka.Transport{Dial: p.DialContext, ClientID: a.name}
	if a.bubble {
		transport.MetadataTTL = time.Hour
	}
	rate := 1e6
	if a.bubble {
		rate = 150 // no two calls of an app ID at the same instant, as in real time
	}
	web := &http.Transport{DialContext: p.DialContext, MaxIdleConnsPerHost: 100}
	host := &wechat.Host{URL: a.apiURL, Transport: web, Timeout: 5 * time.Second}
	metrics := NewMetrics(reg)
	a.mu.Lock()
	a.workers++
	worker := cmp.Or(a.pod, fmt.Sprintf("worker-%d", a.workers))
	a.mu.Unlock()
	cfg := Config{Group: a.name, WorkerID: worker, SessionTimeout: max(6*time.Second, 4*a.heartbeat), Heartbeat: a.heartbeat, Dialer: &kafka.Dialer{DialFunc: p.DialContext}, OffsetsTopic: a.name + ".offsets", TopicPartitions: 3, OffsetsPartitions: 4,
		TransactionTimeout: 10 * time.Second, QuotaLiveShare: a.liveShare, Format: a.format(), Addr: kafka.TCP(a.brokers...), Transport: transport, Host: host, Metrics: metrics, Log: log, Incidents: incident.New(log), Hint: func(error) string { return tryIt }}
	clients := make(map[string]*wechat.Client)
	for _, s := range shops {
		wc := wechat.Config{Host: host, AppID: s.appID, RateLimit: cmp.Or(s.rate, rate), Log: log, Incidents: cfg.Incidents.Of(cmp.Or(s.name, s.appID)), OnCall: func(_ wechat.Range, result string, took time.Duration) { metrics.OnCall(s.appID, result, took) }, OnTokenRefresh: metrics.OnTokenRefresh(s.appID)}
		if s.static != nil {
			wc.Auth, wc.Token = "static", s.static
		} else if s.server != nil {
			wc.Auth, wc.Server = "static", s.server
		} else {
			wc.Auth, wc.Secret = s.auth, func() (string, error) { return "secret-" + s.appID, nil }
		}
		if s.file != nil {
			wc.Secret, wc.SecretInFile = s.file, true
		}
		if clients[s.appID] == nil {
			clients[s.appID] = wechat.New(wc)
		}
		cfg.Shops = append(cfg.Shops, Shop{Name: cmp.Or(s.name, s.appID), AppID: s.appID, Topic: cmp.Or(s.topic, a.orders()), Policy: s.policy, Client: clients[s.appID], OneRefresher: s.auth == wechat.AuthToken})
	}
	return cfg, transport, web
}

// format is JSON, with an encoder that opens as the story defines.
func (a *testbed) format() record.Format {
	format := record.JSON()
	return record.Format{Name: format.Name, Open: func(ctx context.Context, topic string) (record.Encoder, error) {
		if a.open != nil {
			if err := a.open(ctx, topic); err != nil {
				return nil, err
			}
		}
		return format.Open(ctx, topic)
	}}
}

// orders returns the story's orders topic.
func (a *testbed) orders() string { return cmp.Or(a.ordersOf, a.name) + ".orders" }

// published returns the orders topic as read_committed by franz-go, a client
// independent of ours.
func (a *testbed) published() []*kgo.Record { return a.topic(a.orders()) }

func (a *testbed) topic(name string) []*kgo.Record {
	a.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	records, err := kafkatest.ReadCommitted(ctx, a.brokers, name, kgo.Dialer(a.dial))
	if err != nil {
		a.Fatal(err)
	}
	return records
}

// checkpoints loads the offsets topic as it is now.
func (a *testbed) checkpoints() map[offsets.Partition]*offsets.Checkpoint {
	a.Helper()
	loader := offsets.Loader{Group: a.name}
	for _, r := range a.topic(a.name + ".offsets") {
		loader.Add(r.Key, r.Value)
	}
	lane := loader.Load()
	for p, err := range lane.Faults {
		a.Fatalf("checkpoint of %v: %v", p, err)
	}
	all := make(map[offsets.Partition]*offsets.Checkpoint)
	for p, s := range lane.Shops {
		all[p] = s.Checkpoint
	}
	return all
}

type orderValue struct {
	OrderID     string `json:"order_id"`
	Shop        string `json:"shop"`
	TimeRange   string `json:"time_range"`
	WindowStart int64  `json:"window_start"`
	WindowEnd   int64  `json:"window_end"`
	ObservedAt  string `json:"observed_at"`
}

func decodeOrder(t testing.TB, r *kgo.Record) orderValue {
	t.Helper()
	var v orderValue
	if err := json.Unmarshal(r.Value, &v); err != nil {
		t.Fatalf("record %s: %v", r.Value, err)
	}
	if v.OrderID != string(r.Key) {
		t.Fatalf("record %s has key %s", r.Value, r.Key)
	}
	return v
}

// eachOnce checks that every order the API has for the shop between from and to is
// published once.
func (a *testbed) eachOnce(appID string, from, to int64) {
	a.Helper()
	count := make(map[string]int)
	for _, r := range a.published() {
		if v := decodeOrder(a, r); v.Shop == appID {
			count[v.OrderID]++
		}
	}
	lost, twice, wanted := 0, 0, 0
	var examples []string
	for _, o := range a.api.Orders(appID, time.Unix(to, 0)) {
		if o.Created < from {
			continue
		}
		wanted++
		switch n := count[o.ID]; {
		case n == 0:
			lost++
			examples = append(examples, fmt.Sprintf("lost %s of %d", o.ID, o.Created))
		case n > 1:
			twice++
			examples = append(examples, fmt.Sprintf("%d times %s of %d", n, o.ID, o.Created))
		}
	}
	if lost > 0 || twice > 0 || wanted == 0 {
		a.Errorf("shop %s: of %d orders %d lost, %d repeated: %s", appID, wanted, lost, twice, strings.Join(examples[:min(5, len(examples))], "; "))
	}
}

// backlog is one shop with n orders over the hours before now, long enough ago that no
// second pass is due.
func backlog(appID string, n int) (simulator.Shop, window.Policy) {
	to := time.Now().Unix() - 3600
	from := to - 6*3600
	p := testPolicy()
	p.Start, p.End = from, to
	return simulator.Shop{AppID: appID, Secret: "secret-" + appID, Backlog: simulator.Backlog{Orders: n, From: from, To: to, Bursts: 3, BurstSize: 20}}, p
}

// until waits for a condition that must become true.
func (a *testbed) until(what string, happened func() bool) {
	a.Helper()
	for range 6000 {
		if happened() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	a.Fatalf("waited a minute in vain until %s", what)
}

// produce writes one record without a transaction, as another client would.
func (a *testbed) produce(topic string, partition int32, key, value []byte) {
	a.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(a.brokers...), kgo.Dialer(a.dial), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		a.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := client.ProduceSync(ctx, &kgo.Record{Topic: topic, Partition: partition, Key: key, Value: value}).FirstErr(); err != nil {
		a.Fatal(err)
	}
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func newGatherer() *prometheus.Registry { return prometheus.NewRegistry() }

// testPolicy is the policy of a shop with the defaults.
func testPolicy() window.Policy {
	return window.Policy{Range: wechat.CreateTime, PageSize: 100, MaxWindow: 168 * time.Hour, MinWindow: time.Second,
		PollInterval: 10 * time.Second, SettleDelay: 15 * time.Second, Lookback: 10 * time.Minute, Concurrency: 8}
}
