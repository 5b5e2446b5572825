package httpserve

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orderwalk/test/certtest"
	"orderwalk/test/logtest"
)

// files are the TLS files of a server.
type files struct {
	t   *testing.T
	dir string
}

func (f files) path(name string) string { return filepath.Join(f.dir, name) }

func (f files) write(name string, text []byte) {
	f.t.Helper()
	if err := os.WriteFile(f.path(name), text, 0o600); err != nil {
		f.t.Fatal(err)
	}
}

func (f files) read(name string) []byte {
	f.t.Helper()
	text, err := os.ReadFile(f.path(name))
	if err != nil {
		f.t.Fatal(err)
	}
	return text
}

func (f files) writePair(a *certtest.Authority, name string) {
	f.t.Helper()
	cert, key := a.Issue(f.t, name)
	f.write("tls.crt", cert)
	f.write("tls.key", key)
}

// secure is a server with TLS on a real port; it answers with the name of the client.
type secure struct {
	t       *testing.T
	address string
	tls     *TLS
	log     *logtest.Buffer
	trust   *certtest.Authority
}

func startSecure(t *testing.T, f files, clientCA string, trust *certtest.Authority) *secure {
	t.Helper()
	log := &logtest.Buffer{}
	logger := slog.New(slog.NewTextHandler(log, nil))
	if clientCA != "" {
		clientCA = f.path(clientCA)
	}
	encryption, err := OpenTLS(f.path("tls.crt"), f.path("tls.key"), clientCA, logger)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &Server{What: "tests", MaxConns: someConns, MaxHeader: 8 << 10, TLS: encryption, Log: logger,
		HeaderTimeout: 3 * time.Second, ReadTimeout: 4 * time.Second, WriteTimeout: time.Minute,
		IdleTimeout: 30 * time.Second, StopTimeout: time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if cert := encryption.Client(r.TLS); cert != nil {
				_, _ = io.WriteString(w, cert.Subject.CommonName)
				return
			}
			_, _ = io.WriteString(w, "no one")
		})}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- server.Run(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	return &secure{t, listener.Addr().String(), encryption, log, trust}
}

// client returns a client that presents these certificates.
func (s *secure) client(pairs ...tls.Certificate) *http.Client {
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.trust.Pool(), MinVersion: tls.VersionTLS12, Certificates: pairs}}
	if len(pairs) > 0 { // also to authorities that do not know it
		transport.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pairs[0], nil }
	}
	s.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 20 * time.Second}
}

// ask returns the answer, and the name in the server's certificate.
func (s *secure) ask(c *http.Client) (text, server string, err error) {
	answer, err := c.Get("https://" + s.address)
	if err != nil {
		return "", "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return string(body), answer.TLS.PeerCertificates[0].Subject.CommonName, err
}

// serves waits until new connections see the name in the server's certificate.
func (s *secure) serves(want string) {
	s.t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		_, got, err := s.ask(s.client())
		if err == nil && got == want {
			return
		}
		if time.Now().After(end) {
			s.t.Fatalf("serves %q, %v; want %q", got, err, want)
		}
	}
}

// next returns what a new connection sees after a look at the files.
func (s *secure) next() string {
	s.t.Helper()
	s.tls.mu.Lock()
	s.tls.looked = time.Time{}
	s.tls.mu.Unlock()
	_, name, err := s.ask(s.client())
	if err != nil {
		s.t.Fatal(err)
	}
	return name
}

// A pair that is rewritten is served to new connections, those that are open go on; a
// pair that does not fit together is not served, and one line says so.
func TestTheCertificateChanges(t *testing.T) {
	a, f := certtest.New(t), files{t, t.TempDir()}
	f.writePair(a, "first")
	s := startSecure(t, f, "", a)
	open := s.client()
	if _, name, err := s.ask(open); err != nil || name != "first" {
		t.Fatalf("serves %q, %v", name, err)
	}
	f.writePair(a, "second")
	if got := s.next(); got != "second" {
		t.Errorf("serves %q", got)
	}
	if _, name, err := s.ask(open); err != nil || name != "first" {
		t.Errorf("the open connection: %q, %v", name, err)
	}

	const warning = "previous certificate stays in use"
	_, strange := a.Issue(t, "strange")
	f.write("tls.key", strange)
	for i := range 5 {
		if got := s.next(); got != "second" {
			t.Errorf("serves %q", got)
		}
		// The first look may fall between the writing of two files.
		if got, want := s.log.Count(warning), min(i, 1); got != want {
			t.Errorf("%d lines after %d looks at the faulty pair:\n%s", got, i+1, s.log)
		}
	}
	if err := os.Remove(f.path("tls.key")); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		s.next()
	}
	if s.log.Count(warning) != 2 || s.log.Count("no such file") != 1 {
		t.Errorf("a missing file:\n%s", s.log)
	}
	f.writePair(a, "third")
	if got := s.next(); got != "third" {
		t.Errorf("serves %q", got)
	}
	if strings.Contains(s.log.String(), "PRIVATE KEY") || strings.Contains(s.log.String(), string(strange[30:60])) {
		t.Errorf("the key is in the log:\n%s", s.log)
	}
}

// A Secret in Kubernetes is a folder behind a symbolic link that moves.
func TestTheCertificateOfAMountedSecretChanges(t *testing.T) {
	a, f := certtest.New(t), files{t, t.TempDir()}
	version := func(name string) {
		folder := files{t, f.path(".." + name)}
		if err := os.Mkdir(folder.dir, 0o700); err != nil {
			t.Fatal(err)
		}
		folder.writePair(a, name)
		if err := os.Symlink(".."+name, f.path("..data_tmp")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(f.path("..data_tmp"), f.path("..data")); err != nil {
			t.Fatal(err)
		}
	}
	version("first")
	for _, name := range []string{"tls.crt", "tls.key"} {
		if err := os.Symlink("..data/"+name, f.path(name)); err != nil {
			t.Fatal(err)
		}
	}
	s := startSecure(t, f, "", a)
	s.serves("first")
	version("second")
	s.serves("second")
	if strings.Contains(s.log.String(), "WARN") {
		t.Errorf("the log:\n%s", s.log)
	}
}

// Clients may present a certificate, and need not. One that the authorities did not sign
// fails, one of an authority that is no longer trusted counts no longer, on a connection
// that is open already too.
func TestClientsAreKnownByTheirCertificates(t *testing.T) {
	a, clients, strangers, f := certtest.New(t), certtest.New(t), certtest.New(t), files{t, t.TempDir()}
	f.writePair(a, "server")
	f.write("ca.crt", clients.PEM)
	s := startSecure(t, f, "ca.crt", a)
	ops := s.client(clients.Pair(t, "ops"))
	if who, _, err := s.ask(ops); err != nil || who != "ops" {
		t.Errorf("with a certificate: %q, %v", who, err)
	}
	if who, _, err := s.ask(s.client()); err != nil || who != "no one" {
		t.Errorf("without a certificate: %q, %v", who, err)
	}
	var alert tls.AlertError
	var op *net.OpError
	if who, _, err := s.ask(s.client(strangers.Pair(t, "stranger"))); err == nil || !errors.As(err, &alert) && !errors.As(err, &op) {
		t.Errorf("with a stranger's certificate: %q, %v", who, err)
	}
	f.write("ca.crt", strangers.PEM)
	s.next()
	if who, _, err := s.ask(ops); err != nil || who != "no one" {
		t.Errorf("after the authorities have changed: %q, %v", who, err)
	}
}

// A connection with TLS counts against the bounds like any other, and a client that
// speaks plain HTTP is told.
func TestBoundsHoldWithTLS(t *testing.T) {
	a, f := certtest.New(t), files{t, t.TempDir()}
	f.writePair(a, "server")
	s := startSecure(t, f, "", a)
	for range 3 * someConns { // half-open handshakes
		conn, err := net.Dial("tcp", s.address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	s.serves("server")
	answer, err := http.Get("http://" + s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusBadRequest {
		t.Errorf("plain HTTP: %s", answer.Status)
	}
}

func TestOpenTLSRefusesWhatDoesNotFit(t *testing.T) {
	a, f := certtest.New(t), files{t, t.TempDir()}
	cert, key := a.Issue(t, "one")
	_, other := a.Issue(t, "another")
	f.write("cert", cert)
	f.write("key", key)
	f.write("other", other)
	f.write("large", bytes.Repeat([]byte("x"), maxPEM+1))
	f.write("text", []byte("text"))
	for _, c := range []struct{ cert, key, ca, says string }{
		{"cert", "key", "", ""}, {"cert", "key", "cert", ""},
		{"cert", "other", "", "private key does not match"}, {"cert", "none", "", "no such file"},
		{"large", "key", "", "bytes"}, {"text", "key", "", "PEM"}, {"cert", "key", "text", "client authorities"},
		{"cert", "key", "none", "no such file"},
	} {
		ca := c.ca
		if ca != "" {
			ca = f.path(ca)
		}
		_, err := OpenTLS(f.path(c.cert), f.path(c.key), ca, slog.New(slog.DiscardHandler))
		if c.says == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s, %s, %s: %v, want %q", c.cert, c.key, c.ca, err, c.says)
		}
	}
}
