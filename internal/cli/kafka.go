package cli

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/segmentio/kafka-go"

	"orderwalk/internal/config"
	"orderwalk/internal/kafkaconn"
)

// reachTimeout bounds the wait for Kafka at the start.
const reachTimeout = 15 * time.Second

// kafkaConfig converts the settings for kafkaconn. A nil Dial means the
// operating system's.
func kafkaConfig(k config.Kafka, clientID string, log *slog.Logger) kafkaconn.Config {
	c := kafkaconn.Config{
		Brokers: k.Brokers, ClientID: clientID, Log: log,
		SASL: kafkaconn.SASL{
			Mechanism: k.SASL.Mechanism, Username: k.SASL.Username, Password: k.SASL.Password,
			Token: k.SASL.Token, Extensions: k.SASL.Extensions, Getenv: os.Getenv,
			Client: kafkaconn.Client{TokenURL: k.SASL.TokenURL, ID: k.SASL.ClientID, Secret: k.SASL.ClientSecret, Scope: k.SASL.Scope},
		},
	}
	if k.TLS.Enable {
		c.TLS = &kafkaconn.TLS{CAFile: k.TLS.CAFile, CertFile: k.TLS.CertFile, KeyFile: k.TLS.KeyFile, ServerName: k.TLS.ServerName}
	}
	return c
}

// reachError reports that Kafka cannot be reached.
type reachError struct {
	brokers string
	why     *kafkaconn.Error
	err     error
}

func (e *reachError) Error() string {
	return fmt.Sprintf("reach Kafka at %s: %v", e.brokers, kafkaconn.Worded(e.err))
}
func (e *reachError) Unwrap() error { return e.err }

// reachKafka waits until a broker answers and returns the cluster's ID. It
// gives up after reachTimeout, so that a wrong address is reported as an
// error, and at once if waiting cannot help. A cluster that fails later is
// waited for without limit.
func reachKafka(ctx context.Context, k *kafkaconn.Kafka, log *slog.Logger) (clusterID string, err error) {
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval = 200 * time.Millisecond
	wait.MaxInterval = 2 * time.Second
	wait.MaxElapsedTime = reachTimeout
	client := kafka.Client{Addr: k.Addr, Transport: k.Transport, Timeout: k.Transport.DialTimeout + kafkaconn.DialTimeout}
	warned := false
	ask := func() error {
		answer, err := client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{}})
		if err != nil {
			if ctx.Err() != nil || kafkaconn.Refused(err) {
				return backoff.Permanent(err)
			}
			if !warned {
				warned = true
				log.Warn("Kafka does not answer yet", "brokers", k.Addr.String(), "reason", kafkaconn.Worded(err))
			}
			return err
		}
		clusterID = answer.ClusterID
		return nil
	}
	if err := backoff.Retry(ask, backoff.WithContext(wait, ctx)); err != nil {
		return "", &reachError{k.Addr.String(), k.Failed(err), err}
	}
	return clusterID, nil
}

// compression returns kafka-go's value for a valid name; "none" is zero.
func compression(name string) kafka.Compression {
	return map[string]kafka.Compression{
		"gzip": kafka.Gzip, "snappy": kafka.Snappy, "lz4": kafka.Lz4, "zstd": kafka.Zstd,
	}[name]
}
