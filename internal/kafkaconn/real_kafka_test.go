//go:build kafka

package kafkaconn

import (
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"orderwalk/test/kafkatest"
)

// session is what the broker grants on SASL_PLAINTEXT. A fifth of it is the time to
// replace a connection, on a machine that other tests share.
const session = 6 * time.Second

// secureKafka is a broker with all kinds of listeners and the secrets for them.
type secureKafka struct {
	*kafkatest.Cluster
	ca    *authority
	files folder
	jwt   *jwtIssuer
	admin *kadm.Client
}

func startSecureKafka(t *testing.T) *secureKafka {
	t.Helper()
	s := &secureKafka{ca: newAuthority(t), files: folder{t, t.TempDir()}, jwt: newJWTIssuer(t)}
	cert, key := s.ca.issue(t, pkix.Name{CommonName: "broker.test"})
	keystore := s.files.put("broker.pem", append(key, cert...))
	jwks := "file://" + s.files.put("jwks.json", s.jwt.keys())
	const module = "org.apache.kafka.common.security."
	properties := []string{
		"ssl.keystore.type=PEM", "ssl.keystore.location=" + keystore,
		"ssl.truststore.type=PEM", "ssl.truststore.location=" + s.files.put("ca.pem", s.ca.pem),
		"listener.name.ssl.ssl.client.auth=required",
		"listener.name.sasl_ssl.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
		"listener.name.sasl_ssl.plain.sasl.jaas.config=" + module + `plain.PlainLoginModule required user_alice="plain-hush";`,
		"listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=" + module + "scram.ScramLoginModule required;",
		"listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=" + module + "scram.ScramLoginModule required;",
		"listener.name.sasl_ssl.oauthbearer.sasl.jaas.config=" + module + "oauthbearer.OAuthBearerLoginModule required;",
		"listener.name.sasl_ssl.oauthbearer.sasl.server.callback.handler.class=" + module + "oauthbearer.OAuthBearerValidatorCallbackHandler",
		"sasl.oauthbearer.jwks.endpoint.url=" + jwks,
		"sasl.oauthbearer.expected.audience=kafka",
		"sasl.oauthbearer.expected.issuer=" + jwtName,
		"listener.name.sasl_plaintext.sasl.enabled.mechanisms=SCRAM-SHA-512",
		"listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config=" + module + "scram.ScramLoginModule required;",
		fmt.Sprintf("listener.name.sasl_plaintext.scram-sha-512.connections.max.reauth.ms=%d", session.Milliseconds()),
	}
	var err error
	s.Cluster, err = kafkatest.Launch(t.Context(), kafkatest.Options{
		Listeners: []string{"SSL", "SASL_SSL", "SASL_PLAINTEXT"}, Properties: properties,
		JVM: []string{"-XX:TieredStopAtLevel=1", "-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=" + jwks},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Brokers()...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	s.admin = kadm.NewClient(client)
	s.setPassword(t, "alice", "scram-hush")
	return s
}

// setPassword creates the user's SCRAM credentials.
func (s *secureKafka) setPassword(t *testing.T, user, password string) {
	t.Helper()
	for _, mechanism := range []kadm.ScramMechanism{kadm.ScramSha256, kadm.ScramSha512} {
		altered, err := s.admin.AlterUserSCRAMs(t.Context(), nil,
			[]kadm.UpsertSCRAM{{User: user, Mechanism: mechanism, Iterations: 4096, Password: password}})
		if err == nil {
			err = altered.Error()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// over returns a configuration for a listener that trusts its broker's certificate.
func (s *secureKafka) over(protocol string, login SASL) Config {
	cfg := Config{Brokers: s.At(protocol), SASL: login}
	if protocol != "SASL_PLAINTEXT" {
		cfg.TLS = &TLS{CAFile: s.files.dir + "/ca.pem"}
	}
	return cfg
}

// soon repeats until the broker has applied a change of its metadata.
func soon(t *testing.T, what string, try func() error) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v", what, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func TestRealKafka(t *testing.T) {
	s := startSecureKafka(t)
	t.Run("passwords", s.testPasswords)
	t.Run("certificates", s.testCertificates)
	t.Run("tokens", s.testTokens)
	t.Run("session", s.testSession)
	t.Run("transactions", s.testTransactions)
	t.Run("group", s.testGroupSession)
	t.Run("dialer", func(t *testing.T) {
		k := New(s.over("SASL_SSL", SASL{Mechanism: ScramSHA256, Username: "alice", Password: fixed("scram-hush")}))
		defer k.Close()
		conn, err := k.Dialer.DialContext(t.Context(), "tcp", s.At("SASL_SSL")[0])
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.Controller(); err != nil {
			t.Error(err)
		}
	})
}

func (s *secureKafka) testPasswords(t *testing.T) {
	right := map[string]string{Plain: "plain-hush", ScramSHA256: "scram-hush", ScramSHA512: "scram-hush"}
	for mechanism, password := range right {
		login := SASL{Mechanism: mechanism, Username: "alice", Password: fixed(password)}
		soon(t, mechanism, func() error { return ask(t, s.over("SASL_SSL", login)) })
		for what, wrong := range map[string]SASL{
			"password": {Mechanism: mechanism, Username: "alice", Password: fixed("wrong-hush")},
			"user":     {Mechanism: mechanism, Username: "nobody", Password: fixed("wrong-hush")},
		} {
			err := ask(t, s.over("SASL_SSL", wrong))
			if !errors.Is(err, kafka.SASLAuthenticationFailed) || !Refused(err) ||
				!strings.Contains(err.Error(), "as User:"+wrong.Username) || causeOf(err) != CauseLogin {
				t.Errorf("%s, wrong %s: %v, cause %q", mechanism, what, err, causeOf(err))
			}
			if err != nil && strings.Contains(err.Error(), "hush") {
				t.Errorf("%s: a password is shown: %v", mechanism, err)
			}
			t.Logf("%v\n%s", err, causeOf(err))
		}
	}
	// Mechanism, encryption and login that do not match the port.
	scramLogin := SASL{Mechanism: ScramSHA256, Username: "alice", Password: fixed("scram-hush")}
	for name, c := range map[string]struct {
		cfg   Config
		cause Cause
	}{
		"mechanism not offered": {s.over("SASL_PLAINTEXT", scramLogin), CauseMechanism},
		"no TLS":                {Config{Brokers: s.At("SASL_SSL"), SASL: scramLogin}, CauseHangUp},
		"TLS where there is none": {Config{Brokers: s.At("SASL_PLAINTEXT"), SASL: scramLogin,
			TLS: &TLS{CAFile: s.files.dir + "/ca.pem"}}, CauseNotTLS},
		"authority not trusted": {Config{Brokers: s.At("SASL_SSL"), SASL: scramLogin, TLS: &TLS{}}, CauseAuthority},
		"server name": {Config{Brokers: s.At("SASL_SSL"), SASL: scramLogin,
			TLS: &TLS{CAFile: s.files.dir + "/ca.pem", ServerName: "other.test"}}, CauseServerName},
	} {
		err := ask(t, c.cfg)
		if err == nil || causeOf(err) != c.cause || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v, cause %q", name, err, causeOf(err))
		}
		t.Logf("%s: %v\n%s", name, err, causeOf(err))
	}
	// Kafka answers ApiVersions to every client and closes the connection at the next request.
	k := New(Config{Brokers: s.At("SASL_PLAINTEXT")})
	defer k.Close()
	if err := request(t.Context(), k); err == nil || k.Failed(err).Cause != CauseHangUp {
		t.Errorf("no login: %v, cause %q", err, k.Failed(err).Cause)
	}
}

// The broker sees a renewed certificate within MaxAge, and no request is lost.
func (s *secureKafka) testCertificates(t *testing.T) {
	put := func(a *authority, name string) {
		cert, key := a.issue(t, pkix.Name{CommonName: name, Organization: []string{"example"}})
		s.files.put("client.pem", cert)
		s.files.put("client.key", key)
	}
	put(s.ca, "first")
	cfg := s.over("SSL", SASL{})
	cfg.TLS.CertFile, cfg.TLS.KeyFile = s.files.dir+"/client.pem", s.files.dir+"/client.key"
	cfg.MaxAge = time.Second
	k := New(cfg)
	defer k.Close()
	use := func() string {
		if err := request(t.Context(), k); err != nil {
			t.Fatal(err)
		}
		return k.Principal()
	}
	if p := use(); p != "User:CN=first,O=example" {
		t.Errorf("principal = %q", p)
	}
	put(s.ca, "second")
	soon(t, "take up the renewed certificate", func() error {
		if p := use(); p != "User:CN=second,O=example" {
			return errors.New(p)
		}
		return nil
	})

	put(newAuthority(t), "stranger")
	if err := ask(t, cfg); !Refused(err) || causeOf(err) != CauseCertificate {
		t.Errorf("certificate of a stranger: %v, cause %q", err, causeOf(err))
	} else {
		t.Logf("%v\n%s", err, causeOf(err))
	}
	cfg.TLS.CertFile, cfg.TLS.KeyFile = "", ""
	if err := ask(t, cfg); !Refused(err) || causeOf(err) != CauseCertificate {
		t.Errorf("no certificate: %v, cause %q", err, causeOf(err))
	} else {
		t.Logf("%v\n%s", err, causeOf(err))
	}
}

func (s *secureKafka) testTokens(t *testing.T) {
	path := s.files.put("token", []byte(s.jwt.token(t, "alice", "kafka", time.Hour)))
	file := s.over("SASL_SSL", SASL{Mechanism: OAuthBearer, Token: func() (string, error) {
		data, err := os.ReadFile(path)
		return string(data), err
	}})
	soon(t, "token from a file", func() error { return ask(t, file) })
	for what, token := range map[string]string{
		"expired":        s.jwt.token(t, "alice", "kafka", -time.Hour),
		"other audience": s.jwt.token(t, "alice", "elsewhere", time.Hour),
		"other key":      newJWTIssuer(t).token(t, "alice", "kafka", time.Hour),
		"no JWT":         "opaque-hush",
	} {
		s.files.put("token", []byte(token))
		err := ask(t, file)
		if !errors.Is(err, kafka.SASLAuthenticationFailed) || !Refused(err) || causeOf(err) != CauseLogin {
			t.Errorf("%s token: %v, cause %q", what, err, causeOf(err))
		}
		if err != nil && strings.Contains(err.Error(), token) {
			t.Errorf("the token is shown: %v", err)
		}
		t.Logf("%s: %v", what, err)
	}
	s.files.put("token", []byte(s.jwt.token(t, "alice", "kafka", time.Hour)))
	if err := ask(t, file); err != nil {
		t.Errorf("after the token was put right: %v", err)
	}

	i := newIssuer(t)
	i.reply.Store(func(w http.ResponseWriter, r *http.Request, n int64) {
		life := time.Hour
		if n == 1 {
			life = -time.Hour // the token expired in the cache
		}
		fmt.Fprintf(w, `{"access_token":%q,"expires_in":3600}`, s.jwt.token(t, "robot", "kafka", life))
	})
	k := New(s.over("SASL_SSL", SASL{Mechanism: OAuthBearer, Client: i.client()}))
	defer k.Close()
	if _, err := k.dialSingle(t.Context(), "tcp", s.At("SASL_SSL")[0]); !errors.Is(err, kafka.SASLAuthenticationFailed) {
		t.Errorf("dead token: %v", err)
	}
	if err := request(t.Context(), k); err != nil {
		t.Errorf("after a dead token: %v", err)
	}
	if k.Principal() != "User:robot" {
		t.Errorf("principal = %q", k.Principal())
	}
}
