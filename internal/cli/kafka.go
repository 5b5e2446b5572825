package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"

	"orderwalk/internal/config"
)

const (
	// dialTimeout bounds one connection, TLS and SASL included.
	dialTimeout = 5 * time.Second
	// reachTimeout is how long Kafka may be away while we start.
	reachTimeout = 15 * time.Second
)

// dialFunc opens a connection, as net.Dialer's DialContext does.
type dialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// dialTCP opens connections of the operating system.
func dialTCP(ctx context.Context, network, addr string) (net.Conn, error) {
	return (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, network, addr)
}

// kafkaTransport is the connection pool that the whole process shares.
func kafkaTransport(k config.Kafka, clientID string, dial dialFunc) *kafka.Transport {
	if k.TLS.Enable {
		dial = tlsDial(k.TLS, dial)
	}
	t := &kafka.Transport{Dial: dial, DialTimeout: dialTimeout, ClientID: clientID}
	if k.SASL.Mechanism != "" {
		t.SASL = login{k.SASL}
	}
	return t
}

// tlsDial reads the files at each new connection, so that a certificate that
// was renewed is used without a restart.
func tlsDial(t config.TLS, dial dialFunc) dialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		c := &tls.Config{ServerName: t.ServerName, MinVersion: tls.VersionTLS12}
		if c.ServerName == "" {
			host, _, err := net.SplitHostPort(addr)
			if err != nil {
				return nil, fmt.Errorf("find server name: %w", err)
			}
			c.ServerName = host
		}
		if t.CAFile != "" {
			pem, err := os.ReadFile(t.CAFile)
			if err != nil {
				return nil, &fileError{fmt.Errorf("read authorities: %w", err)}
			}
			c.RootCAs = x509.NewCertPool()
			if !c.RootCAs.AppendCertsFromPEM(pem) {
				return nil, &fileError{fmt.Errorf("read authorities: no PEM certificate in %s", t.CAFile)}
			}
		}
		if t.CertFile != "" {
			cert, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
			if err != nil {
				return nil, &fileError{fmt.Errorf("read client certificate: %w", err)}
			}
			c.Certificates = []tls.Certificate{cert}
		}
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		secure := tls.Client(conn, c)
		if err := secure.HandshakeContext(ctx); err != nil {
			_ = conn.Close() // the handshake's error says it all
			return nil, err
		}
		return secure, nil
	}
}

// fileError is a certificate or a secret that cannot be read.
type fileError struct{ err error }

func (e *fileError) Error() string { return e.err.Error() }
func (e *fileError) Unwrap() error { return e.err }

// login is a SASL mechanism that asks for the password at each new connection,
// so that a rotated one is used without a restart.
type login struct{ config.SASL }

// Name is the mechanism's name on the wire.
func (l login) Name() string { return l.Mechanism }

// Start begins one authentication.
func (l login) Start(ctx context.Context) (sasl.StateMachine, []byte, error) {
	password, err := l.Password()
	if err != nil {
		return nil, nil, &fileError{err}
	}
	var m sasl.Mechanism
	switch l.Mechanism {
	case "PLAIN":
		m = plain.Mechanism{Username: l.Username, Password: password}
	case "SCRAM-SHA-256":
		m, err = scram.Mechanism(scram.SHA256, l.Username, password)
	case "SCRAM-SHA-512":
		m, err = scram.Mechanism(scram.SHA512, l.Username, password)
	default:
		err = fmt.Errorf("unknown SASL mechanism %q", l.Mechanism)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("prepare login: %w", err)
	}
	return m.Start(ctx)
}

// reachError is a Kafka that cannot be talked to.
type reachError struct {
	kafka config.Kafka
	err   error
}

func (e *reachError) Error() string {
	return fmt.Sprintf("reach Kafka at %s: %v", strings.Join(e.kafka.Brokers, ","), e.err)
}

func (e *reachError) Unwrap() error { return e.err }

// reachKafka waits until a broker answers and returns the cluster's ID. It
// gives up after reachTimeout, so that a wrong address shows as an error and
// not as a program that hangs, and at once when waiting cannot help. A cluster
// that goes away later is waited for without end.
func reachKafka(ctx context.Context, k config.Kafka, t *kafka.Transport, log *slog.Logger) (clusterID string, err error) {
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval = 200 * time.Millisecond
	wait.MaxInterval = 2 * time.Second
	wait.MaxElapsedTime = reachTimeout
	client := kafka.Client{Addr: kafka.TCP(k.Brokers...), Transport: t, Timeout: 2 * dialTimeout}
	told := false
	ask := func() error {
		answer, err := client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{}})
		if err != nil {
			if ctx.Err() != nil || isRefused(err) {
				return backoff.Permanent(err)
			}
			if !told {
				told = true
				log.Warn("Kafka does not answer yet", "brokers", strings.Join(k.Brokers, ","), "reason", err)
			}
			return err
		}
		clusterID = answer.ClusterID
		return nil
	}
	if err := backoff.Retry(ask, backoff.WithContext(wait, ctx)); err != nil {
		return "", &reachError{k, err}
	}
	return clusterID, nil
}

// isRefused tells errors that no waiting cures: login, certificates, files.
func isRefused(err error) bool {
	var file *fileError
	return errors.As(err, &file) || errors.Is(err, kafka.SASLAuthenticationFailed) || errors.Is(err, kafka.UnsupportedSASLMechanism) || isTLS(err)
}

// isTLS tells errors of encryption: a certificate that does not fit, ours
// refused by the broker, or an answer that is not TLS.
func isTLS(err error) bool {
	var verify *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var op *net.OpError
	return errors.As(err, &verify) || errors.As(err, &record) || errors.As(err, &op) && op.Op == "remote error"
}

// compression maps the checked name.
func compression(name string) kafka.Compression {
	return map[string]kafka.Compression{
		"gzip": kafka.Gzip, "snappy": kafka.Snappy, "lz4": kafka.Lz4, "zstd": kafka.Zstd,
	}[name]
}
