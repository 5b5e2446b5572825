package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"

	"orderwalk/connector"
	"orderwalk/connector/window"
	"orderwalk/internal/config"
	"orderwalk/internal/control"
	"orderwalk/internal/desired"
	"orderwalk/internal/fleet"
	"orderwalk/internal/grouplog"
	"orderwalk/internal/incident"
	"orderwalk/internal/record"
	"orderwalk/internal/roster"
	"orderwalk/internal/wechat"
	"orderwalk/simulator"
)

// fixture is a Kafka and an API on a virtual network, and a directory of secrets.
type fixture struct {
	*testing.T
	kafka   *kfake.Cluster
	network *kfake.VirtualNetwork
	secrets string
	workers int
}

func inBubble(t *testing.T, story func(f *fixture)) {
	secrets := t.TempDir()
	for i := range 9 {
		if err := os.WriteFile(filepath.Join(secrets, fmt.Sprint(i)), []byte("a-secret"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("ORDERWALK_REST_SECRET_DIRS", secrets)
	t.Setenv("ORDERWALK_KAFKA_BROKERS", "localhost:9092")
	synctest.Test(t, func(t *testing.T) {
		network := new(kfake.VirtualNetwork)
		cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(9092), kfake.ListenFn(network.Listen))
		if err != nil {
			t.Fatal(err)
		}
		var world simulator.Config
		for i := range 9 {
			world.Shops = append(world.Shops, simulator.Shop{AppID: fmt.Sprintf("wx%d", i), Secret: "a-secret", Live: simulator.Live{Rate: 0.2}})
		}
		listener, err := network.Listen("tcp", "localhost:8080")
		if err != nil {
			t.Fatal(err)
		}
		api := &http.Server{Handler: simulator.New(world)}
		go func() { _ = api.Serve(listener) }()
		defer synctest.Wait()
		defer cluster.Close()
		defer api.Close()
		story(&fixture{T: t, kafka: cluster, network: network, secrets: secrets})
	})
}

// own loads a worker's configuration with these shops in its shops file, by name and app ID.
func (f *fixture) own(shops ...[2]string) *config.Config {
	f.Helper()
	text := "shops: []\n"
	for i, s := range shops {
		if i == 0 {
			text = "shops:\n"
		}
		text += "- {name: " + s[0] + ", app_id: " + s[1] + ", app_secret: a-secret}\n"
	}
	path := filepath.Join(f.secrets, "..", "shops.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		f.Fatal(err)
	}
	cfg, err := config.Load(map[string]string{"ORDERWALK_SHOPS_FILE": path})
	if err != nil {
		f.Fatal(err)
	}
	return cfg
}

// sent is the configuration of a shop.
func (f *fixture) sent(name, appID string, more ...string) map[string]string {
	sent := map[string]string{"name": name, "connector.class": config.ConnectorClass, "app_id": appID, "app_secret": "${file:" + f.secrets + "/1}", "kafka.topic": "orders"}
	for i := 0; i < len(more); i += 2 {
		sent[more[i]] = more[i+1]
	}
	return sent
}

// worker is a worker whose connector runs.
type worker struct {
	*fleet.Fleet
	store  *desired.Store
	roster *roster.Roster
	conn   *connector.Connector
	// refused, if not nil, refuses lists of shops.
	mu      sync.Mutex
	refused error
	applied func()
	stop    func()
	// asks, if not nil, is called when another worker is asked, which does not answer.
	asks func()
}

// RoundTrip is a call to another worker.
func (w *worker) RoundTrip(*http.Request) (*http.Response, error) {
	if w.asks != nil {
		w.asks()
	}
	return nil, errors.New("no answer")
}

func (w *worker) refuse(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refused = err
}

// onApplied sets what is called when a list of shops has been applied.
func (w *worker) onApplied(call func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.applied = call
}

// worker starts one that follows the group's log or, if it is deaf, reads it only when it
// must.
func (f *fixture) worker(deaf bool, own *config.Config) *worker {
	f.workers++
	id := fmt.Sprintf("worker-%d", f.workers)
	logger := slog.New(slog.DiscardHandler)
	transport := &kafka.Transport{Dial: f.network.DialContext, MetadataTTL: time.Hour}
	web := &http.Transport{DialContext: f.network.DialContext}
	host := &wechat.Host{URL: "http://localhost:8080", Transport: web, Timeout: 5 * time.Second}
	registry := prometheus.NewRegistry()
	metrics := connector.NewMetrics(registry)
	incidents := incident.New(logger)
	log := grouplog.New(grouplog.Config{Group: "g", Topic: "g.offsets", Worker: id, Addr: kafka.TCP("localhost:9092"), Transport: transport, TransactionTimeout: 30 * time.Second})
	w := &worker{store: desired.New(desired.Config{Log: log})}
	clients := map[string]*wechat.Client{}
	convert := func(shops []config.Shop) (out []connector.Shop) {
		for _, s := range shops {
			if clients[s.AppID] == nil {
				clients[s.AppID] = wechat.New(wechat.Config{Host: host, AppID: s.AppID, Auth: "stable_token", Secret: func() (string, error) { return "a-secret", nil }, RateLimit: 150, Log: logger, Incidents: incidents.Of(s.Name)})
			}
			out = append(out, connector.Shop{Name: s.Name, AppID: s.AppID, Topic: s.Topic, Client: clients[s.AppID], Created: true,
				Policy: window.Policy{Range: wechat.Range(s.TimeRange), PageSize: 100, MaxWindow: time.Hour, MinWindow: time.Second, PollInterval: 10 * time.Second,
					SettleDelay: 3 * time.Second, Concurrency: 2}})
		}
		return out
	}
	w.conn = connector.New(connector.Config{Group: "g", WorkerID: id, URL: "http://" + id + ":8083", SessionTimeout: 6 * time.Second, Dialer: &kafka.Dialer{DialFunc: f.network.DialContext},
		OffsetsTopic: "g.offsets", TopicPartitions: 3, OffsetsPartitions: 4, TransactionTimeout: 10 * time.Second, Format: record.JSON(),
		Addr: kafka.TCP("localhost:9092"), Transport: transport, Host: host, Metrics: metrics, Log: logger, Incidents: incidents, Shops: convert(own.Shops),
		Sidecar: &connector.Sidecar{Key: grouplog.Key("g"),
			Prepare: func(ctx context.Context, lane int) error {
				log.At(lane)
				return w.Prepare(ctx)
			},
			CatchUp: func(ctx context.Context) error { return w.CatchUp(ctx) },
			Follow: func(ctx context.Context, _ int) {
				if deaf {
					<-ctx.Done()
					return
				}
				var following sync.WaitGroup
				defer following.Wait()
				following.Go(func() { w.Follow(ctx) })
				log.Follow(ctx)
			}}}, registry)
	w.roster = roster.New(roster.Config{Desired: w.store, Apply: func(ctx context.Context, shops []config.Shop) error {
		w.mu.Lock()
		err, applied := w.refused, w.applied
		w.mu.Unlock()
		if err == nil {
			err = w.conn.SetShops(ctx, convert(shops))
		}
		if err == nil && applied != nil {
			applied()
		}
		return err
	}}, own)
	w.Fleet = fleet.New(fleet.Config{Connector: w.conn, Desired: w.store, Roster: w.roster, Worker: id, Client: &http.Client{Transport: w}, Log: logger})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.conn.Run(ctx) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			f.Error(err)
		}
		transport.CloseIdleConnections()
		web.CloseIdleConnections()
	})
	time.Sleep(20 * time.Second)
	return w
}

// call makes a call of the worker's HTTP port, from its own machine.
func (w *worker) call(method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.RemoteAddr, r.Host = "127.0.0.1:1", "127.0.0.1:8083"
	answer := httptest.NewRecorder()
	(&control.Server{Fleet: w.Fleet}).Handler().ServeHTTP(answer, r)
	return answer
}

// until waits for a state of a shop.
func (f *fixture) until(w *worker, name string, state connector.State) {
	f.Helper()
	var last fleet.Shop
	for range 600 {
		if last, _ = w.Shop(f.Context(), name); last.State == state {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	f.Fatalf("%s is %+v, want %s", name, last, state)
}

func names(w *worker) string { return strings.Join(w.Names(), " ") }
