package program

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"orderwalk/test/certtest"
)

// A worker with TLS answers probes without a certificate and changes with one, serves a
// renewed certificate, and changes its log level.
func TestAWorkerWithTLS(t *testing.T) {
	t.Parallel()
	servers, operators, dir := certtest.New(t), certtest.New(t), t.TempDir()
	write := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	certPEM, keyPEM := servers.Issue(t, "first")
	env := []string{"ORDERWALK_KAFKA_BROKERS=127.0.0.1:1", "ORDERWALK_APP_ID=wx1", "ORDERWALK_ACCESS_TOKEN=a-token-of-a-shop",
		"ORDERWALK_LISTEN_TLS_CERT_FILE=" + write("crt", certPEM), "ORDERWALK_LISTEN_TLS_KEY_FILE=" + write("key", keyPEM),
		"ORDERWALK_LISTEN_TLS_CLIENT_CA_FILE=" + write("ca", operators.PEM)}
	p := start(t, append(env, "ORDERWALK_LISTEN=127.0.0.1:0"), "run")
	address := p.logged("orderwalk starts", "listen")
	if _, _, err := net.SplitHostPort(address); err != nil {
		t.Fatal(err)
	}
	ops := operators.Pair(t, "ops")
	ask := func(method, path, body string, certificates ...tls.Certificate) (status int, server string) {
		t.Helper()
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: true,
			TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: servers.Pool(), Certificates: certificates}}}
		r, err := http.NewRequestWithContext(t.Context(), method, "https://"+address+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if _, err := io.Copy(io.Discard, answer.Body); err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, answer.TLS.PeerCertificates[0].Subject.CommonName
	}
	if status, server := ask("GET", "/livez", ""); status != 200 || server != "first" {
		t.Errorf("livez = %d of %q", status, server)
	}
	if code, out, stderr := run(t, append(env, "ORDERWALK_LISTEN="+address), "health"); code != 0 || out != "ok\n" {
		t.Errorf("health: exit code %d, %s%s", code, out, stderr)
	}
	if code, out, stderr := run(t, append(env, "ORDERWALK_LISTEN="+address), "status"); code != 1 || !strings.Contains(out, "wx1 ") ||
		!strings.Contains(stderr, "the worker at https://"+address+" is not ready: starting: waiting for Kafka") {
		t.Errorf("status: exit code %d, %s%s", code, out, stderr)
	}
	if status, _ := ask("PUT", "/admin/loggers/root", `{"level":"OFF"}`); status != 403 {
		t.Errorf("a change without a certificate: %d", status)
	}
	certPEM, keyPEM = servers.Issue(t, "second")
	write("crt", certPEM)
	write("key", keyPEM)
	eventually(t, "the renewed certificate", func() bool {
		_, server := ask("GET", "/livez", "")
		return server == "second"
	})
	if status, _ := ask("PUT", "/admin/loggers/root", `{"level":"OFF"}`, ops); status != 200 {
		t.Errorf("a change with a certificate: %d", status)
	}
	p.signal(syscall.SIGTERM)
	if code := p.end(); code != 0 {
		t.Errorf("exit code after SIGTERM = %d\n%s", code, p.stderr.String())
	}
	log := p.stderr.String()
	if !strings.Contains(log, `"who":"CN=ops","status":200`) || !strings.Contains(log, "refused a call that changes state") {
		t.Errorf("no line of the changes:\n%s", log)
	}
	if strings.Contains(log, "orderwalk stops") {
		t.Errorf("the log goes on when it is off:\n%s", log)
	}
	if code, _, stderr := run(t, append(env[:3:3], env[3]), "run"); code != 2 || !strings.Contains(stderr, "ORDERWALK_LISTEN_TLS_KEY_FILE is not set") {
		t.Errorf("a certificate without its key: exit code %d\n%s", code, stderr)
	}
}
