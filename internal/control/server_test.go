package control_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"orderwalk/internal/control"
)

func answer(t *testing.T, s *control.Server, method, path string) (int, http.Header, string) {
	t.Helper()
	w := httptest.NewRecorder()
	watched(t, s).ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w.Code, w.Result().Header, w.Body.String()
}

func newServer() *control.Server {
	registry := prometheus.NewRegistry()
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "orderwalk_test_total"})
	registry.MustRegister(counter)
	counter.Add(7)
	return &control.Server{
		Version: "v1", Commit: "abc", ClusterID: func() string { return "kafka-1" },
		Metrics: registry, Log: slog.New(slog.DiscardHandler),
	}
}

func TestRootSaysWhatItIs(t *testing.T) {
	code, header, body := answer(t, newServer(), "GET", "/")
	if want := `{"version":"3.9.0","commit":"orderwalk v1 abc","kafka_cluster_id":"kafka-1"}` + "\n"; code != 200 || body != want {
		t.Errorf("%d %s", code, body)
	}
	if got := header.Get("Content-Type"); got != "application/json" {
		t.Errorf("content type = %q", got)
	}
}

func TestMetricsAreTheGivenOnes(t *testing.T) {
	if code, _, body := answer(t, newServer(), "GET", "/metrics"); code != 200 || !strings.Contains(body, "orderwalk_test_total 7") {
		t.Errorf("%d %s", code, body)
	}
}

// A worker is starting until it has been ready once, and unhealthy when it no longer is;
// the process is live all the time.
func TestProbesFollowReady(t *testing.T) {
	s := newServer()
	var state error
	s.Ready = func() error { return state }
	steps := []struct {
		state                  error
		ready, health          int
		readyBody, healthState string
	}{
		{errors.New("joining the group"), 503, 503, `{"error_code":503,"message":"joining the group"}` + "\n", "starting"},
		{nil, 200, 200, "ok\n", "healthy"},
		{errors.New("kafka is away"), 503, 500, `{"error_code":503,"message":"kafka is away"}` + "\n", "unhealthy"},
		{nil, 200, 200, "ok\n", "healthy"},
	}
	for _, step := range steps {
		state = step.state
		if code, _, body := answer(t, s, "GET", "/readyz"); code != step.ready || body != step.readyBody {
			t.Errorf("%v: readyz = %d %s", step.state, code, body)
		}
		code, _, body := answer(t, s, "GET", "/health")
		var health struct{ Status, Message string }
		if err := json.Unmarshal([]byte(body), &health); err != nil {
			t.Fatal(err)
		}
		if code != step.health || health.Status != step.healthState || health.Message == "" {
			t.Errorf("%v: health = %d %s", step.state, code, body)
		}
		if code, _, body := answer(t, s, "GET", "/livez"); code != 200 || body != "ok\n" {
			t.Errorf("%v: livez = %d %s", step.state, code, body)
		}
	}
}

func TestErrorsHaveConnectsBody(t *testing.T) {
	for _, c := range []struct {
		method, path string
		want         int
		body         string
	}{
		{"GET", "/nothing", 404, `{"error_code":404,"message":"HTTP 404 Not Found"}`},
		{"OPTIONS", "/health/", 200, ""},
		{"GET", "/connectors/../health", 404, `{"error_code":404,"message":"HTTP 404 Not Found"}`},
		{"GET", "//", 404, `{"error_code":404,"message":"HTTP 404 Not Found"}`},
		{"GET", "///", 404, `{"error_code":404,"message":"HTTP 404 Not Found"}`},
		{"GET", "//?a=b", 404, `{"error_code":404,"message":"HTTP 404 Not Found"}`},
		{"GET", "/./", 404, `{"error_code":404,"message":"HTTP 404 Not Found"}`},
		{"GET", "/%2F", 404, `{"error_code":404,"message":"HTTP 404 Not Found"}`},
		{"GET", "/%2F/", 404, `{"error_code":404,"message":"HTTP 404 Not Found"}`},
		{"GET", "/health//", 404, `{"error_code":404,"message":"HTTP 404 Not Found"}`},
		{"GET", "//health", 404, `{"error_code":404,"message":"HTTP 404 Not Found"}`},
		{"POST", "/health", 405, `{"error_code":405,"message":"HTTP 405 Method Not Allowed"}`},
	} {
		code, header, body := answer(t, newServer(), c.method, c.path)
		if code != c.want || strings.TrimSpace(body) != c.body || (c.body != "") != (header.Get("Content-Type") == "application/json") {
			t.Errorf("%s %s = %d %v %s", c.method, c.path, code, header, body)
		}
		if (code == 405 || code == 200) && header.Get("Allow") != "GET, HEAD, OPTIONS" {
			t.Errorf("Allow = %q", header.Get("Allow"))
		}
	}
}

func TestRunServesUntilItsContextEnds(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- newServer().Run(ctx, listener) }()

	answer, err := http.Get("http://" + listener.Addr().String() + "/livez")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil || string(body) != "ok\n" {
		t.Errorf("livez = %q, %v", body, err)
	}
	if err := answer.Body.Close(); err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run = %v", err)
	}
	if conn, err := net.Dial("tcp", listener.Addr().String()); err == nil {
		_ = conn.Close()
		t.Error("the port is still open")
	}
}

func TestRunReportsADeadListener(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	if err := newServer().Run(t.Context(), listener); err == nil || !strings.Contains(err.Error(), "serve http") {
		t.Errorf("Run = %v", err)
	}
}
