package control_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
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
	"orderwalk/internal/loglevel"
	"orderwalk/internal/roster"
	"orderwalk/internal/wechat"
)

// Secrets that no answer and no log may have.
const (
	fuzzToken  = "the-bearer-token-of-the-worker"
	fuzzOwn    = "the-app-secret-of-the-shops-file"
	fuzzListed = "the-app-secret-in-a-listed-file"
)

// wired is a server with all that it serves behind it, on a Kafka in this process. Its
// connector does not run.
type wired struct {
	handler http.Handler
	store   *desired.Store
	log     *taken
}

// taken is a log that is read once.
type taken struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *taken) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *taken) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.text.Reset()
	return l.text.String()
}

func wire(f *testing.F) *wired {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "offsets"))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(cluster.Close)
	dir := f.TempDir()
	f.Setenv("A_SHOPS_SECRET", fuzzListed)
	shops, secrets := filepath.Join(dir, "shops.yaml"), filepath.Join(dir, "secrets")
	text := "shops:\n- {name: own, app_id: wxown, app_secret: " + fuzzOwn + "}\n"
	if err := os.Mkdir(secrets, 0o700); err != nil {
		f.Fatal(err)
	}
	for path, text := range map[string]string{shops: text, filepath.Join(secrets, "one"): fuzzListed} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			f.Fatal(err)
		}
	}
	cfg, err := config.Load(map[string]string{"ORDERWALK_KAFKA_BROKERS": "b:9092", "ORDERWALK_SHOPS_FILE": shops, "ORDERWALK_REST_SECRET_DIRS": secrets})
	if err != nil {
		f.Fatal(err)
	}
	w := &wired{log: new(taken)}
	transport := &kafka.Transport{}
	log := grouplog.New(grouplog.Config{Group: "g", Topic: "offsets", Worker: "w", Addr: kafka.TCP(cluster.ListenAddrs()...), Transport: transport, TransactionTimeout: 30 * time.Second})
	w.store = desired.New(desired.Config{Log: log})
	registry := prometheus.NewRegistry()
	logger := slog.New(slog.NewJSONHandler(w.log, nil))
	conn := connector.New(connector.Config{Group: "g", OffsetsTopic: "offsets", Addr: kafka.TCP(cluster.ListenAddrs()...), Transport: transport, Log: logger, Host: &wechat.Host{}, Metrics: connector.NewMetrics(registry),
		Shops: []connector.Shop{{Name: "own", AppID: "wxown", Topic: "orders", Policy: window.Policy{Range: "create_time"}}}}, registry)
	list := roster.New(roster.Config{Desired: w.store, Apply: func(context.Context, []config.Shop) error { return nil }}, cfg)
	following, stop := context.WithCancel(context.Background())
	var follow sync.WaitGroup
	log.At(0)
	follow.Go(func() { log.Follow(following) })
	f.Cleanup(func() { stop(); follow.Wait() })
	if err := w.store.CatchUp(f.Context()); err != nil {
		f.Fatal(err)
	}
	server := &control.Server{Version: "v1", Commit: "abc", ClusterID: func() string { return "k" }, Metrics: registry, ShopMetrics: conn.WriteShopMetrics, Log: logger,
		Fleet: fleet.New(fleet.Config{Connector: conn, Desired: w.store, Roster: list, Worker: "w", Client: http.DefaultClient, Log: logger}),
		Ready: conn.Ready, Levels: loglevel.New(slog.LevelInfo), Token: func() (string, error) { return fuzzToken, nil }}
	w.handler = server.Handler()
	return w
}

// FuzzServer sends any request to a server with all that it serves behind it. It never
// panics, answers every error in Kafka Connect's form and none with a fault of its own,
// changes nothing without the right, and shows no secret.
func FuzzServer(f *testing.F) {
	w := wire(f)
	one := `{"name":"a","config":{"connector.class":"orderwalk.WeChatOrderSource","app_id":"wxa","kafka.topic":"orders","app_secret":"${env:A_SHOPS_SECRET}"}}`
	right := "Authorization: Bearer " + fuzzToken + "\nContent-Type: application/json"
	for _, call := range [][2]string{
		{"GET", "/"}, {"GET", "/connectors?expand=status&expand=info"}, {"GET", "/connectors/own/config/"}, {"GET", "/connectors/own/offsets"}, {"OPTIONS", "/connectors"},
		{"PUT", "/connectors/own/pause"}, {"PUT", "/connectors/a/stop"}, {"POST", "/connectors/own/restart?includeTasks=true&onlyFailed=true"}, {"DELETE", "/connectors/own"},
		{"DELETE", "/connectors/own/offsets?dry_run=true"}, {"GET", "/metrics"}, {"GET", "/admin/loggers"}, {"GET", "/shops?scope=worker&shop=own"}, {"GET", "/connectors/%2e%2e%2Fown"},
	} {
		f.Add(call[0], call[1], right, "")
		f.Add(call[0], call[1], "", "")
	}
	for _, call := range [][3]string{
		{"POST", "/connectors", one}, {"PUT", "/connectors/a/config", one}, {"PATCH", "/connectors/a/config", `{"rate_limit":"3","app_secret":"by-value"}`},
		{"PUT", "/connector-plugins/WeChatOrderSource/config/validate", `{"connector.class":"WeChatOrderSource","app_secret":"${env:PATH}"}`},
		{"PATCH", "/connectors/own/offsets", `{"offsets":[{"partition":{"shop":"wxown","range":"create_time"},"offset":{"v":1,"watermark":1700000000}}]}`},
		{"PUT", "/shops/target", `{"target":"PAUSED","all":true}`}, {"POST", "/shops/restart", `{"shops":["own"],"only_failed":true}`}, {"PUT", "/admin/loggers/root?scope=cluster", `{"level":"DEBUG"}`},
	} {
		f.Add(call[0], call[1], right, call[2])
		f.Add(call[0], call[1], "Origin: https://elsewhere.example\nContent-Type: text/plain", call[2])
	}
	f.Fuzz(func(t *testing.T, method, path, header, body string) {
		if !strings.HasPrefix(path, "/") || strings.ContainsAny(method+path, " \t\r\n\x00") || method == "" {
			return
		}
		r, err := http.NewRequest(method, "http://worker:8083"+path, strings.NewReader(body))
		if err != nil {
			return
		}
		r.RequestURI, r.RemoteAddr = path, "192.0.2.1:999"
		for line := range strings.Lines(header) {
			if name, value, ok := strings.Cut(line, ":"); ok {
				r.Header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
			}
		}
		before := w.store.All()
		answer := httptest.NewRecorder()
		w.handler.ServeHTTP(answer, r)
		text := answer.Body.String()
		after := w.store.All()
		if changed := !maps.EqualFunc(before, after, desired.Shop.Equal); changed {
			if !strings.Contains(r.Header.Get("Authorization"), fuzzToken) {
				t.Errorf("changed without the right: %v", after)
			}
			w.forget(t)
		}
		if code := answer.Code; code >= 400 && method != http.MethodHead {
			var e struct {
				Code    int    `json:"error_code"`
				Message string `json:"message"`
				Status  string `json:"status"`
			}
			if err := json.Unmarshal([]byte(text), &e); err != nil || e.Code != code && e.Status == "" || e.Message == "" {
				t.Errorf("%d without the form of an error: %q", code, text)
			}
			ours := code == http.StatusServiceUnavailable || code == http.StatusNotImplemented || strings.HasPrefix(e.Message, "Failed to find any class")
			if code >= 500 && !ours {
				t.Errorf("a fault of the server's own: %d %s", code, text)
			}
		}
		logged := w.log.take()
		for _, secret := range []string{fuzzToken, fuzzOwn, fuzzListed} {
			if !strings.Contains(path, secret) && (strings.Contains(text, secret) || strings.Contains(logged, secret)) {
				t.Errorf("%s is shown: %s\n%s", secret, text, logged)
			}
		}
	})
}

// forget makes all shops as if never changed.
func (w *wired) forget(t *testing.T) {
	err := w.store.Change(t.Context(), func(v desired.View) (edits []desired.Edit, err error) {
		for _, name := range slices.Sorted(maps.Keys(w.store.All())) {
			edits = append(edits, desired.Edit{Name: name, Delete: true})
		}
		return edits, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
