package cli

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"orderwalk/internal/config"
)

var quiet = slog.New(slog.DiscardHandler)

// startKafka starts a broker on a network of its own, so that the tests can run
// in bubbles, where waiting costs nothing.
func startKafka(t *testing.T, opts ...kfake.Opt) (dialFunc, []string) {
	t.Helper()
	network := new(kfake.VirtualNetwork)
	cluster, err := kfake.NewCluster(append(opts, kfake.NumBrokers(1), kfake.ClusterID("c1"), kfake.ListenFn(network.Listen))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return network.DialContext, cluster.ListenAddrs()
}

// reach connects as run does and returns what an operator would see.
func reach(t *testing.T, k config.Kafka, dial dialFunc) (clusterID string, err error) {
	t.Helper()
	transport := kafkaTransport(k, "test", dial)
	defer transport.CloseIdleConnections()
	return reachKafka(t.Context(), k, transport, quiet)
}

func TestLoginMechanisms(t *testing.T) {
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		t.Run(mechanism, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dial, brokers := startKafka(t, kfake.EnableSASL(), kfake.Superuser(mechanism, "u", "right"))
				password := "right"
				k := config.Kafka{Brokers: brokers, SASL: config.SASL{Mechanism: mechanism, Username: "u",
					Password: func() (string, error) { return password, nil }}}
				if id, err := reach(t, k, dial); err != nil || id != "c1" {
					t.Fatalf("right password: %q, %v", id, err)
				}
				// The same settings, and what the secret's file holds has changed.
				password = "wrong"
				_, err := reach(t, k, dial)
				if err == nil || !strings.Contains(hintFor(err), "ORDERWALK_KAFKA_SASL_") {
					t.Fatalf("wrong password: %v, hint %q", err, hintFor(err))
				}
				if strings.Contains(err.Error(), "wrong") {
					t.Errorf("the password is shown: %v", err)
				}
			})
		})
	}
}

func TestBrokerThatWantsALogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dial, brokers := startKafka(t, kfake.EnableSASL(), kfake.Superuser("PLAIN", "u", "right"))
		_, err := reach(t, config.Kafka{Brokers: brokers}, dial)
		if err == nil || !strings.Contains(hintFor(err), "ORDERWALK_KAFKA_SASL_MECHANISM") {
			t.Errorf("error = %v, hint %q", err, hintFor(err))
		}
	})
}

func TestUnreadablePasswordIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dial, brokers := startKafka(t, kfake.EnableSASL(), kfake.Superuser("PLAIN", "u", "right"))
		k := config.Kafka{Brokers: brokers, SASL: config.SASL{Mechanism: "PLAIN", Username: "u",
			Password: func() (string, error) { return "", &os.PathError{Op: "open", Path: "/gone", Err: syscall.ENOENT} }}}
		if _, err := reach(t, k, dial); err == nil || !strings.Contains(err.Error(), "/gone") {
			t.Errorf("error = %v", err)
		}
	})
}

// authority issues certificates for the tests of TLS.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{cert, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
}

// issue returns certificate and key as PEM.
func (a *authority) issue(t *testing.T, name string) (certPEM, keyPEM []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER})
}

// This one is on loopback: over the pipes of a bubble two ends that refuse each
// other wait for each other.
func TestTLSFilesAreReadAtEachConnection(t *testing.T) {
	ours, other := newAuthority(t), newAuthority(t)
	brokerPair, err := tls.X509KeyPair(ours.issue(t, "broker.test"))
	if err != nil {
		t.Fatal(err)
	}
	clients := x509.NewCertPool()
	clients.AddCert(ours.cert)
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.ClusterID("c1"), kfake.TLS(&tls.Config{
		Certificates: []tls.Certificate{brokerPair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients,
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)

	dir := t.TempDir()
	put := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	goodCert, goodKey := ours.issue(t, "client")
	badCert, badKey := other.issue(t, "client")
	k := config.Kafka{Brokers: cluster.ListenAddrs(), TLS: config.TLS{
		Enable: true, ServerName: "broker.test",
		CAFile: put("ca.pem", ours.pem), CertFile: put("cert.pem", goodCert), KeyFile: put("key.pem", goodKey),
	}}
	if id, err := reach(t, k, dialTCP); err != nil || id != "c1" {
		t.Fatalf("all is well: %q, %v", id, err)
	}

	wrong := map[string]func(){
		"authority":          func() { put("ca.pem", other.pem) },
		"authorities' file":  func() { put("ca.pem", []byte("nothing")) },
		"client certificate": func() { put("cert.pem", badCert); put("key.pem", badKey) },
		"server name":        func() { k.TLS.ServerName = "elsewhere.test" },
	}
	for what, spoil := range wrong {
		spoil()
		_, err := reach(t, k, dialTCP)
		if err == nil {
			t.Errorf("wrong %s: no error", what)
		} else if hint := hintFor(err); !strings.Contains(hint, "TLS") {
			t.Errorf("wrong %s: %v, hint %q", what, err, hint)
		}
		put("ca.pem", ours.pem)
		put("cert.pem", goodCert)
		put("key.pem", goodKey)
		k.TLS.ServerName = "broker.test"
		if _, err := reach(t, k, dialTCP); err != nil {
			t.Errorf("after a wrong %s was put right: %v", what, err)
		}
	}
}

// A Kafka that is away is waited for a while, then the error says where it was
// looked for and what to check.
func TestKafkaAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dials := 0
		away := func(context.Context, string, string) (net.Conn, error) {
			dials++
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
		}
		_, err := reach(t, config.Kafka{Brokers: []string{"kafka.test:9092"}}, away)
		if err == nil || !strings.Contains(err.Error(), "reach Kafka at kafka.test:9092") ||
			!errors.Is(err, syscall.ECONNREFUSED) || !strings.Contains(hintFor(err), "ORDERWALK_KAFKA_BROKERS") {
			t.Errorf("error = %v, hint %q", err, hintFor(err))
		}
		if dials < 3 {
			t.Errorf("gave up after %d dials", dials)
		}
	})
}

func TestKafkaThatComesUpLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dial, brokers := startKafka(t)
		up := time.Now().Add(5 * time.Second)
		late := func(ctx context.Context, network, addr string) (net.Conn, error) {
			if time.Now().Before(up) {
				return nil, syscall.ECONNREFUSED
			}
			return dial(ctx, network, addr)
		}
		if id, err := reach(t, config.Kafka{Brokers: brokers}, late); err != nil || id != "c1" {
			t.Errorf("reach = %q, %v", id, err)
		}
	})
}

func TestStoppedWhileKafkaIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := config.Kafka{Brokers: []string{"kafka.test:9092"}}
		transport := kafkaTransport(k, "test", func(context.Context, string, string) (net.Conn, error) {
			return nil, syscall.ECONNREFUSED
		})
		defer transport.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := reachKafka(ctx, k, transport, quiet); err == nil || ctx.Err() == nil {
			t.Errorf("error = %v, context: %v", err, ctx.Err())
		}
	})
}
