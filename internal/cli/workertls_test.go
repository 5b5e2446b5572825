package cli

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orderwalk/internal/httpserve"
	"orderwalk/test/certtest"
)

// A worker with TLS is called by https: at this machine by its own files, elsewhere with
// the flags. A worker that is not trusted gets no call.
func TestCommandsCallAWorkerWithTLS(t *testing.T) {
	noSettings(t)
	servers, operators, dir := certtest.New(t), certtest.New(t), t.TempDir()
	write := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	pair := func(a *certtest.Authority, name string) (cert, key string) {
		certPEM, keyPEM := a.Issue(t, name)
		return write(name+".crt", certPEM), write(name+".key", keyPEM)
	}
	// Worker a takes certificates of its own authority, worker b of operators.
	aCert, aKey := pair(servers, "orderwalk.default.svc")
	bCert, bKey := pair(servers, "other.default.svc")
	opsCert, opsKey := pair(operators, "ops")
	serversCA, operatorsCA := write("servers", servers.PEM), write("operators", operators.PEM)
	a, b := startWorker(t, aCert, aKey, serversCA), startWorker(t, bCert, bKey, operatorsCA)
	plain := startWorker(t, "", "", "")

	own := map[string]string{"LISTEN": a, "LISTEN_TLS_CERT_FILE": aCert, "LISTEN_TLS_KEY_FILE": aKey, "LISTEN_TLS_CLIENT_CA_FILE": serversCA}
	// The listener's own certificate does not identify a client of this one.
	ofOthers := map[string]string{"LISTEN": b, "LISTEN_TLS_CERT_FILE": bCert, "LISTEN_TLS_KEY_FILE": bKey, "LISTEN_TLS_CLIENT_CA_FILE": operatorsCA}
	noKey := map[string]string{"LISTEN": a, "LISTEN_TLS_CERT_FILE": aCert, "LISTEN_TLS_KEY_FILE": "none"}
	none := map[string]string{}
	for _, c := range []struct {
		name, args string
		variables  map[string]string
		code       int
		says       string
	}{
		{"this machine's worker", "status", own, 0, "no shops"},
		{"a change of it", "pause --all --yes", own, 0, "pause: 0 shops"},
		{"a worker with other authorities", "status", ofOthers, 0, "no shops"},
		{"a change of that one", "pause --all --yes", ofOthers, 1, "Hint: give a certificate"},
		{"another worker, without scheme", "status --worker " + a, own, 0, "no shops"},
		{"its key is not for this user", "status", noKey, 0, "no shops"},
		{"nor a change", "pause --all --yes", noKey, 1, "Hint: give a certificate"},
		{"a worker with another key", "status --worker " + b, own, 1, "Hint: give the authorities of the worker's certificate with --cacert"},
		{"authorities", "status --worker https://" + b + " --cacert " + serversCA, none, 0, "no shops"},
		{"other authorities", "status --worker https://" + b + " --cacert " + operatorsCA, none, 1, "Hint: give the authorities"},
		{"another name", "status --worker https://localhost" + b[strings.LastIndex(b, ":"):] + " --cacert " + serversCA, none, 1, "Hint: call the worker by a name that its certificate has"},
		{"a certificate", "pause --all --yes --worker " + b + " --cacert " + serversCA + " --cert " + opsCert + " --key " + opsKey, none, 0, "pause: 0 shops"},
		{"no certificate", "pause --all --yes --worker " + b + " --cacert " + serversCA, none, 1, "Hint: give a certificate that the worker's client authorities signed"},
		{"another's certificate", "pause --all --yes --worker " + b + " --cacert " + serversCA + " --cert " + aCert + " --key " + aKey, none, 1, "Hint: the worker refuses the client certificate"},
		{"a certificate without key", "status --worker " + b + " --cert " + opsCert, none, 2, "--cert and --key: give both"},
		{"no authorities", "status --worker " + b + " --cacert " + opsKey, none, 1, "has no certificate in PEM"},
		{"http to https", "status --worker http://" + b, none, 1, "Hint: the worker speaks TLS: give --worker https://HOST:PORT"},
		{"https to http", "status --worker https://" + plain, none, 1, "Hint: the worker speaks plain HTTP"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for name, value := range c.variables {
				t.Setenv("ORDERWALK_"+name, value)
			}
			if code, said := command(t, c.args); code != c.code || !strings.Contains(said, c.says) {
				t.Errorf("%s = %d, want %d and %q\n%s", c.args, code, c.code, c.says, said)
			}
		})
	}
}

// startWorker serves a worker without shops, and returns its address. Changes need a
// client certificate.
func startWorker(t *testing.T, cert, key, clientCA string) string {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	var encryption *httpserve.TLS
	if cert != "" {
		var err error
		if encryption, err = httpserve.OpenTLS(cert, key, clientCA, log); err != nil {
			t.Fatal(err)
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &httpserve.Server{What: "tests", MaxConns: 20, MaxHeader: 8 << 10, TLS: encryption, Log: log, HeaderTimeout: time.Minute, ReadTimeout: time.Minute,
		WriteTimeout: time.Minute, IdleTimeout: time.Minute, StopTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			who := encryption.Client(r.TLS)
			switch {
			case r.Method == http.MethodGet:
				_, _ = io.WriteString(w, "[]")
			case who == nil:
				w.WriteHeader(http.StatusForbidden)
				_, _ = io.WriteString(w, `{"message":"this call needs a client certificate that the worker trusts"}`)
			default:
				_, _ = io.WriteString(w, `{"shops":0}`)
			}
		})}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx, listener) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return listener.Addr().String()
}
