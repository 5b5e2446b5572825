package cli_test

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"orderwalk/internal/cli"
	"orderwalk/internal/control"
	"orderwalk/internal/httpserve"
	"orderwalk/test/certtest"
)

// `orderwalk health` calls a worker with TLS, also one that asks for client certificates
// and whose certificate has another name and an unknown authority.
func TestHealthOverTLS(t *testing.T) {
	a, dir := certtest.New(t), t.TempDir()
	certPEM, keyPEM := a.Issue(t, "orders-orderwalk.shops.svc")
	for name, text := range map[string][]byte{"crt": certPEM, "key": keyPEM, "ca": a.PEM} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	log := slog.New(slog.DiscardHandler)
	encryption, err := httpserve.OpenTLS(filepath.Join(dir, "crt"), filepath.Join(dir, "key"), filepath.Join(dir, "ca"), log)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	worker := &control.Server{TLS: encryption, Log: log, Metrics: prometheus.NewRegistry()}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- worker.Run(ctx, listener) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
	}()
	t.Setenv("ORDERWALK_LISTEN", listener.Addr().String())
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	for variable, want := range map[string]int{filepath.Join(dir, "crt"): 0, "/gone/tls.crt": 0, "": 1} {
		t.Setenv("ORDERWALK_LISTEN_TLS_CERT_FILE", variable)
		var out, fault strings.Builder
		if got := cli.Main(t.Context(), []string{"health"}, cli.Streams{Out: &out, Err: &fault}); got != want {
			t.Errorf("with %q: exit %d, want %d:\n%s%s", variable, got, want, out.String(), fault.String())
		}
	}
}
