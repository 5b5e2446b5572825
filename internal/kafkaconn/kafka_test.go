package kafkaconn

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/findcoordinator"
	"github.com/twmb/franz-go/pkg/kfake"

	"orderwalk/test/leaktest"
)

// startKafka starts a broker on a virtual network, so that tests run in bubbles, where
// waiting costs no time.
func startKafka(t *testing.T, opts ...kfake.Opt) (*kfake.VirtualNetwork, []string) {
	t.Helper()
	network := new(kfake.VirtualNetwork)
	cluster, err := kfake.NewCluster(append(opts, kfake.NumBrokers(1), kfake.ClusterID("c1"), kfake.ListenFn(network.Listen))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return network, cluster.ListenAddrs()
}

// ask sends one request on new connections.
func ask(t *testing.T, cfg Config) error {
	t.Helper()
	k := New(cfg)
	defer k.Close()
	err := request(t.Context(), k)
	noSecret(t, cfg.SASL, fmt.Sprintf("%v %+v %#v", err, err, err))
	return err
}

// causeOf returns the cause that an error names; "" if it names none.
func causeOf(err error) Cause {
	var e *Error
	if errors.As(err, &e) {
		return e.Cause
	}
	return ""
}

// noSecret fails if a text contains a credential. Very short ones are skipped, since they
// occur in any text.
func noSecret(t *testing.T, login SASL, text string) {
	t.Helper()
	var leaks leaktest.Search
	for kind, read := range map[string]func() (string, error){
		"a password": login.Password, "a token": login.Token, "a client secret": login.Client.Secret,
	} {
		if read == nil {
			continue
		}
		if secret, err := read(); err == nil && len(secret) >= 8 {
			leaks.Hide(kind, secret)
		}
	}
	leaks.Check(t, "an error", text)
}

// request reaches the cluster, past the Transport's cache.
func request(ctx context.Context, k *Kafka) error {
	ctx, cancel := context.WithTimeout(ctx, 2*DialTimeout)
	defer cancel()
	_, err := k.Transport.RoundTrip(ctx, k.Addr, &findcoordinator.Request{Key: "g"})
	return err
}

func fixed(text string) func() (string, error) {
	return func() (string, error) { return text, nil }
}

func TestPasswordIsAskedAtEachConnection(t *testing.T) {
	for _, mechanism := range []string{Plain, ScramSHA256, ScramSHA512} {
		t.Run(mechanism, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network, brokers := startKafka(t, kfake.EnableSASL(), kfake.Superuser(mechanism, "u", "right-hush"))
				password := "right-hush"
				cfg := Config{Brokers: brokers, Dial: network.DialContext, SASL: SASL{Mechanism: mechanism, Username: "u",
					Password: func() (string, error) { return password, nil }}}
				if err := ask(t, cfg); err != nil {
					t.Fatalf("right password: %v", err)
				}
				password = "wrong-hush" // new content of the secret's file
				err := ask(t, cfg)
				// kfake closes the connection, where Kafka returns the reason.
				if err == nil || causeOf(err) != CauseHangUp || !strings.Contains(err.Error(), "as User:u") {
					t.Fatalf("wrong password: %v, cause %q", err, causeOf(err))
				}
				if strings.Contains(err.Error(), "hush") {
					t.Errorf("the password is shown: %v", err)
				}
			})
		})
	}
}

func TestBrokerThatWantsALogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network, brokers := startKafka(t, kfake.EnableSASL(), kfake.Superuser(Plain, "u", "right"))
		k := New(Config{Brokers: brokers, Dial: network.DialContext})
		defer k.Close()
		if err := request(t.Context(), k); err == nil {
			t.Error("no error without a login")
		}
		// Kafka answers ApiVersions and closes the connection at any other request.
	})
}

func TestMechanismTheBrokerDoesNotOffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network, brokers := startKafka(t, kfake.EnableSASL(), kfake.Superuser(ScramSHA512, "u", "right"))
		for _, mechanism := range []string{OAuthBearer, "GSSAPI"} {
			err := ask(t, Config{Brokers: brokers, Dial: network.DialContext, SASL: SASL{Mechanism: mechanism, Token: fixed("t")}})
			if !Refused(err) || !slices.Contains([]Cause{CauseMechanism, CauseFile}, causeOf(err)) {
				t.Errorf("%s: %v, cause %q", mechanism, err, causeOf(err))
			}
		}
	})
}

// A listener without SASL answers the handshake with IllegalSASLState.
func TestListenerWithoutALoginIsNamed(t *testing.T) {
	k := New(Config{Brokers: []string{"b:9092"}, SASL: SASL{Mechanism: Plain, Username: "u"}})
	defer k.Close()
	if c := k.cause(stepLogin, fmt.Errorf("%w: the broker offers no login on this port", kafka.IllegalSASLState)); c != CauseNoLogin {
		t.Errorf("cause %q", c)
	}
}

func TestUnreadablePasswordIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network, brokers := startKafka(t, kfake.EnableSASL(), kfake.Superuser(Plain, "u", "right"))
		err := ask(t, Config{Brokers: brokers, Dial: network.DialContext, SASL: SASL{Mechanism: Plain, Username: "u",
			Password: func() (string, error) { return "", &os.PathError{Op: "open", Path: "/gone", Err: syscall.ENOENT} }}})
		if !Refused(err) || !strings.Contains(err.Error(), "/gone") {
			t.Errorf("error = %v", err)
		}
	})
}

// The Dialer's connections are ready in the same way as the Transport's.
func TestDialer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network, brokers := startKafka(t, kfake.EnableSASL(), kfake.Superuser(ScramSHA256, "u", "right"))
		k := New(Config{Brokers: brokers, Dial: network.DialContext, ClientID: "me",
			SASL: SASL{Mechanism: ScramSHA256, Username: "u", Password: fixed("right")}})
		defer k.Close()
		conn, err := k.Dialer.DialContext(t.Context(), "tcp", brokers[0])
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.Controller(); err != nil {
			t.Error(err)
		}
	})
}

// A network that counts dials and can refuse them.
type countingNetwork struct {
	*kfake.VirtualNetwork
	dials atomic.Int64
	away  atomic.Bool
}

func (n *countingNetwork) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	n.dials.Add(1)
	if n.away.Load() {
		return nil, syscall.ECONNREFUSED
	}
	return n.DialContext(ctx, network, addr)
}

// A rotated password is in use everywhere after MaxAge; one that the broker rejects
// interrupts nothing while the old connections live.
func TestConnectionsAreReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network, brokers := startKafka(t, kfake.EnableSASL(), kfake.Superuser(Plain, "u", "right"))
		n := &countingNetwork{VirtualNetwork: network}
		var password atomic.Value
		password.Store("right")
		k := New(Config{Brokers: brokers, Dial: n.dial, MaxAge: time.Hour, SASL: SASL{Mechanism: Plain, Username: "u",
			Password: func() (string, error) { return password.Load().(string), nil }}})
		defer k.Close()
		every := func(d, step time.Duration) {
			t.Helper()
			for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(step) {
				if err := request(t.Context(), k); err != nil {
					t.Fatalf("after %v: %v", d, err)
				}
			}
		}
		every(50*time.Minute, 10*time.Second)
		settled := n.dials.Load()
		every(11*time.Minute, 10*time.Second)
		if n.dials.Load() <= settled {
			t.Error("nothing was replaced after MaxAge")
		}
		password.Store("wrong")
		settled = n.dials.Load()
		every(4*time.Hour, 10*time.Second)
		if tried := n.dials.Load() - settled; tried < 100 {
			t.Errorf("tried %d times in 4 hours to replace connections", tried)
		}
		password.Store("right")
		every(time.Minute, 10*time.Second)
		settled = n.dials.Load()
		every(50*time.Minute, 10*time.Second)
		if n.dials.Load() != settled {
			t.Error("connections are replaced although a login is possible again and they are young")
		}
	})
}

// This test uses loopback: over the pipes of a bubble two ends that reject each other
// wait for each other.
func TestTLSFilesAreReadAtEachConnection(t *testing.T) {
	ours, other := newAuthority(t), newAuthority(t)
	brokerPair, err := tls.X509KeyPair(ours.issue(t, pkix.Name{CommonName: "broker.test"}))
	if err != nil {
		t.Fatal(err)
	}
	clients := x509.NewCertPool()
	clients.AddCert(ours.cert)
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.TLS(&tls.Config{
		Certificates: []tls.Certificate{brokerPair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients,
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)

	files := folder{t, t.TempDir()}
	name := pkix.Name{CommonName: "client", OrganizationalUnit: []string{"data"}, Organization: []string{"example"}}
	goodCert, goodKey := ours.issue(t, name)
	badCert, badKey := other.issue(t, name)
	settings := &TLS{
		ServerName: "broker.test",
		CAFile:     files.put("ca.pem", ours.pem), CertFile: files.put("cert.pem", goodCert), KeyFile: files.put("key.pem", goodKey),
	}
	cfg := Config{Brokers: cluster.ListenAddrs(), TLS: settings}
	k := New(cfg)
	defer k.Close()
	if err := request(t.Context(), k); err != nil {
		t.Fatalf("all is well: %v", err)
	}
	if got, want := k.Principal(), "User:CN=client,OU=data,O=example"; got != want {
		t.Errorf("principal = %q, want %q", got, want)
	}

	causes := map[string]Cause{"authority": CauseAuthority, "authorities' file": CauseFile, "client certificate": CauseCertificate,
		"pair": CauseFile, "server name": CauseServerName}
	for what, spoil := range map[string]func(){
		"authority":          func() { files.put("ca.pem", other.pem) },
		"authorities' file":  func() { files.put("ca.pem", []byte("nothing")) },
		"client certificate": func() { files.put("cert.pem", badCert); files.put("key.pem", badKey) },
		"pair":               func() { files.put("key.pem", badKey) },
		"server name":        func() { settings.ServerName = "elsewhere.test" },
	} {
		spoil()
		if err := ask(t, cfg); !Refused(err) || causeOf(err) != causes[what] {
			t.Errorf("wrong %s: %v, cause %q", what, err, causeOf(err))
		}
		files.put("ca.pem", ours.pem)
		files.put("cert.pem", goodCert)
		files.put("key.pem", goodKey)
		settings.ServerName = "broker.test"
		if err := ask(t, cfg); err != nil {
			t.Errorf("after a wrong %s was put right: %v", what, err)
		}
	}
	if err := ask(t, Config{Brokers: cluster.ListenAddrs()}); err == nil || causeOf(err) != CauseHangUp {
		t.Errorf("without TLS: %v, cause %q", err, causeOf(err))
	}
	settings.CertFile, settings.KeyFile = "", ""
	if err := ask(t, cfg); !Refused(err) || causeOf(err) != CauseCertificate {
		t.Errorf("without a certificate: %v, cause %q", err, causeOf(err))
	}
}
