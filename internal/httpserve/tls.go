package httpserve

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"
)

const (
	// lookEvery is the shortest time between two readings of the files. They are read
	// when a client connects; a flood of connections must not become one of reads.
	lookEvery = time.Second
	// maxPEM bounds a file; a bundle of all public authorities has 220 KiB.
	maxPEM = 4 << 20
)

// TLS holds the certificate of a server, and the authorities of its clients, from files
// that may change. It compares the contents, not times or names, so it notices a file
// that is replaced, rewritten or reached through a symbolic link that moves (as
// Kubernetes does with Secrets). Files that do not fit together are not used: the
// previous ones stay in use, and one warning is logged.
type TLS struct {
	certFile, keyFile, clientCAFile string
	log                             *slog.Logger
	// peerRoots are the authorities of other workers' certificates; nil = this machine's.
	peerRoots *x509.CertPool

	mu     sync.Mutex
	looked time.Time // when the files were last read
	inUse  fileSum
	config *tls.Config
	// before is the certificate that the current one has replaced; nil = none.
	before *x509.Certificate
	// faulty are contents that cannot be used, and warned reports that this has been
	// logged. It is logged at the second look: certificate and key are rarely replaced in
	// the same instant.
	faulty fileSum
	warned bool
}

// fileSum identifies the contents of the files, or the error of reading them.
type fileSum [sha256.Size]byte

// OpenTLS reads the files. If clientCAFile is set, a client may present a certificate;
// one that these authorities have not signed fails the handshake, and no certificate is
// required. See Client for who has presented one.
func OpenTLS(certFile, keyFile, clientCAFile string, log *slog.Logger) (*TLS, error) {
	t := &TLS{certFile: certFile, keyFile: keyFile, clientCAFile: clientCAFile, log: log, looked: time.Now()}
	contents, sum, err := t.read()
	if err != nil {
		return nil, err
	}
	t.inUse = sum
	t.config, err = contents.config()
	return t, err
}

// serverConfig returns the configuration of a listener: each handshake takes the
// current one.
func (t *TLS) serverConfig() *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return t.current(), nil },
	}
}

// Client returns the certificate that the client of a connection has presented, if the
// current authorities trust it now; nil otherwise. A connection may be older than the
// change of a file, or than the end of a certificate.
func (t *TLS) Client(state *tls.ConnectionState) *x509.Certificate {
	if t == nil || state == nil || len(state.PeerCertificates) == 0 {
		return nil
	}
	roots := t.current().ClientCAs
	if roots == nil {
		return nil
	}
	leaf, between := state.PeerCertificates[0], x509.NewCertPool()
	for _, c := range state.PeerCertificates[1:] {
		between.AddCert(c)
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		return nil
	}
	return leaf
}

// AsksClients reports whether clients may identify themselves by a certificate.
func (t *TLS) AsksClients() bool { return t != nil && t.clientCAFile != "" }

// current returns the configuration in use, after a look at the files if the last one is
// not recent.
func (t *TLS) current() *tls.Config {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now := time.Now(); now.Sub(t.looked) >= lookEvery {
		t.looked = now
		t.look()
	}
	return t.config
}

// look reads the files and uses them if they have changed and fit together.
func (t *TLS) look() {
	contents, sum, err := t.read()
	if sum == t.inUse {
		t.faulty, t.warned = fileSum{}, false
		return
	}
	var config *tls.Config
	if err == nil {
		config, err = contents.config()
	}
	if err != nil {
		if sum == t.faulty && !t.warned {
			t.log.Warn("cannot use the changed TLS files; the previous certificate stays in use", "error", err)
			t.warned = true
		} else if sum != t.faulty {
			t.faulty, t.warned = sum, false
		}
		return
	}
	if last := t.config.Certificates[0].Leaf; !bytes.Equal(last.Raw, config.Certificates[0].Leaf.Raw) {
		t.before = last // and not if only the authorities have changed
	}
	t.config, t.inUse, t.faulty, t.warned = config, sum, fileSum{}, false
	leaf := config.Certificates[0].Leaf
	t.log.Info("TLS files replaced", "subject", leaf.Subject.String(), "not_after", leaf.NotAfter)
}

// pems are the contents of the files. clientCA is nil if no file is configured.
type pems struct{ cert, key, clientCA []byte }

func (t *TLS) read() (pems, fileSum, error) {
	var p pems
	hash := sha256.New()
	for _, f := range []struct {
		path string
		into *[]byte
	}{{t.certFile, &p.cert}, {t.keyFile, &p.key}, {t.clientCAFile, &p.clientCA}} {
		if f.path == "" {
			continue
		}
		text, err := readPEM(f.path)
		if err != nil {
			return p, sha256.Sum256([]byte(err.Error())), err
		}
		*f.into = text
		sum := sha256.Sum256(text)
		hash.Write(sum[:])
	}
	return p, fileSum(hash.Sum(nil)), nil
}

func readPEM(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read TLS file: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxPEM+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read TLS file: %w", err)
	case len(text) > maxPEM:
		return nil, fmt.Errorf("read TLS file: %s has more than %d bytes", path, maxPEM)
	}
	return text, nil
}

// config checks that the contents fit together. Session tickets are off: a resumed
// session would not see that the authorities have changed.
func (p pems) config() (*tls.Config, error) {
	pair, err := tls.X509KeyPair(p.cert, p.key)
	if err != nil {
		return nil, fmt.Errorf("read certificate and key: %w", err)
	}
	c := &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}, SessionTicketsDisabled: true,
		Certificates: []tls.Certificate{pair},
	}
	if p.clientCA == nil {
		return c, nil
	}
	c.ClientAuth, c.ClientCAs = tls.VerifyClientCertIfGiven, x509.NewCertPool()
	if !c.ClientCAs.AppendCertsFromPEM(bytes.TrimSpace(p.clientCA)) {
		return nil, errors.New("read client authorities: no PEM certificate in the file")
	}
	return c, nil
}
