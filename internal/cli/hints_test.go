package cli

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/segmentio/kafka-go"

	"orderwalk/connector"
	"orderwalk/internal/budget"
	"orderwalk/internal/config"
	"orderwalk/internal/control"
	"orderwalk/internal/group"
	"orderwalk/internal/kafkaconn"
	"orderwalk/internal/platform"
	"orderwalk/internal/topics"
	"orderwalk/internal/txn"
	"orderwalk/internal/wechat"
	"orderwalk/offsets"
)

// What an operator can do about a cause, also when it is wrapped.
func TestHints(t *testing.T) {
	lost := &txn.Error{Request: "Produce", Topic: "offsets", Code: kafka.UnknownTopicOrPartition, TransactionalID: "g-0"}
	for _, c := range []struct {
		err  error
		want string
	}{
		{group.ErrNamesake, "ORDERWALK_WORKER_ID"},
		{fmt.Errorf("%w: x", group.ErrOtherTopic), "ORDERWALK_GROUP"},
		{fmt.Errorf("%w: x", group.ErrOtherShops), "same shops"},
		{group.ErrNoCoordinator, "__consumer_offsets"},
		{&group.Error{Code: kafka.GroupAuthorizationFailed}, "Read on the group (ORDERWALK_GROUP)"},
		{&group.Error{Code: kafka.TopicAuthorizationFailed}, "Read on the offsets topic (ORDERWALK_OFFSETS_TOPIC)"},
		{&group.Error{Code: kafka.InconsistentGroupProtocol}, "ORDERWALK_GROUP"},
		{&group.Error{Code: kafka.InvalidSessionTimeout}, "ORDERWALK_SESSION_TIMEOUT"},
		{&group.Error{Code: kafka.InvalidGroupId}, "ORDERWALK_GROUP"},
		{&group.Error{Err: errors.New("no brokers")}, ""},

		{&txn.Error{Code: kafka.TransactionalIDAuthorizationFailed, TransactionalID: "g-0"}, `Write on transactional ID "g-0"`},
		{&txn.Error{Code: kafka.TopicAuthorizationFailed, TransactionalID: "g-0"}, "Write on the topic"},
		{&txn.Error{Code: kafka.TopicAuthorizationFailed}, "Read on the topic"},
		{&txn.Error{Code: kafka.ClusterAuthorizationFailed}, "IdempotentWrite"},
		{&txn.Error{Code: kafka.InvalidTransactionTimeout}, "ORDERWALK_TRANSACTION_TIMEOUT"},
		{&txn.Error{Code: kafka.MessageSizeTooLarge}, "max.message.bytes"},
		{&txn.Error{Code: kafka.InvalidRecord}, "rejects the records"},
		{&txn.Error{Code: kafka.InvalidMessage}, "report it"},
		{&txn.Error{Code: kafka.UnsupportedCompressionType}, "ORDERWALK_COMPRESSION"},
		{&txn.Error{Code: kafka.SASLAuthenticationFailed}, "ORDERWALK_KAFKA_SASL_USERNAME"},
		{&txn.Error{Code: kafka.UnsupportedSASLMechanism}, "ORDERWALK_KAFKA_SASL_MECHANISM"},
		{fmt.Errorf("lane 3: %w: %w", txn.ErrFenced, &txn.Error{Code: kafka.InvalidProducerIDMapping, Err: txn.ErrForgotten}), "transactional.id.expiration.ms"},
		{&txn.Error{Code: kafka.InvalidProducerEpoch, Err: txn.ErrTimedOut}, "ORDERWALK_TRANSACTION_TIMEOUT"},
		{&txn.Error{Code: kafka.OffsetOutOfRange, Err: fmt.Errorf("%w: offset 7", txn.ErrBeyondEnd)}, "deleted and created again"},
		{lost, "create the topic again"},
		{&connector.DeletedError{Err: lost}, "do not create it"},

		{&connector.TooDenseError{Start: 10, End: 11}, "one second cannot be divided"},
		{&connector.TooDenseError{Start: 10, End: 20}, "ORDERWALK_MIN_WINDOW"},
		{&connector.MisplacedError{Partition: offsets.Partition{Shop: "wx1"}}, "former number of partitions"},
		{&connector.GrownError{}, "restart the worker"},
		{&connector.LostError{Topic: "o", Partitions: 16}, "kafka-topics.sh --create --topic o --partitions 16 --config cleanup.policy=compact"},
		{&connector.UnreadError{Start: 10, Begin: 21}, "start time 10 and end time 20"},
		{&budget.HeldError{}, "ORDERWALK_QUOTA_LIVE_SHARE"},

		{&topics.Error{Spec: topics.Spec{Name: "o", Compacted: true}, Err: topics.ErrNotCompacted}, "kafka-configs.sh --alter --entity-type topics --entity-name o"},
		{&topics.Error{Spec: topics.Spec{Name: "o", Compacted: true}, Missing: true, Err: kafka.TopicAuthorizationFailed}, "grant Read and Write on it to this client; if it does not exist, grant Create"},
		{&topics.Error{Spec: topics.Spec{Name: "o"}, Err: kafka.TopicAuthorizationFailed}, "grant Write on it"},
		{&topics.Error{Err: kafka.InvalidTopic}, "249"},
		{&topics.Error{Err: kafka.InvalidReplicationFactor}, "ORDERWALK_REPLICATION_FACTOR"},
		{&topics.Error{Err: kafka.PolicyViolation}, "by hand"},

		{&wechat.Error{Op: "get tokens", Err: platform.ErrNoTicket}, "ORDERWALK_COMPONENT_VERIFY_TICKET_FILE"},
		{platform.ErrNoKeys, "ORDERWALK_STATE_KEY_FILE"},
		{control.ErrLocalOnly, "ORDERWALK_REST_TOKEN_FILE"},
		{control.ErrNoToken, "ORDERWALK_REST_TOKEN_FILE"},
		{fmt.Errorf("%w: no such file", control.ErrTokenUnread), "ORDERWALK_REST_TOKEN_FILE"},
		{control.ErrNoCertificate, "ORDERWALK_LISTEN_TLS_CLIENT_CA_FILE"},
		{control.ErrOtherPlatform, "ORDERWALK_COMPONENT_APP_ID"},
		{errors.New("something else"), ""},
	} {
		got := hintFor(fmt.Errorf("wrapped: %w", c.err))
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("hint of %v: %q, want %q", c.err, got, c.want)
		}
	}
}

// Each cause of a connection that fails, by how this side connects.
func TestConnectionHints(t *testing.T) {
	for _, c := range []struct {
		cause     kafkaconn.Cause
		mechanism string
		tls       bool
		want      string
	}{
		{cause: kafkaconn.CauseUnreachable, want: "ORDERWALK_KAFKA_BROKERS and that a broker runs there"},
		{cause: kafkaconn.CauseName, want: "host names in ORDERWALK_KAFKA_BROKERS"},
		{cause: kafkaconn.CauseNoAnswer, want: "firewalls"},
		{cause: kafkaconn.CauseAdvertised, want: "advertised.listeners"},
		{cause: kafkaconn.CauseFile, want: "ORDERWALK_KAFKA_TLS_ and ORDERWALK_KAFKA_SASL_"},
		{cause: kafkaconn.CauseGrant, mechanism: kafkaconn.OAuthBearer, want: "ORDERWALK_KAFKA_SASL_TOKEN_URL"},
		{cause: kafkaconn.CauseGrant, mechanism: kafkaconn.AWSMSKIAM, want: "trust policy"},
		{cause: kafkaconn.CauseMechanism, want: "ORDERWALK_KAFKA_SASL_MECHANISM"},
		{cause: kafkaconn.CauseNoLogin, mechanism: kafkaconn.Plain, want: "use its SASL port"},
		{cause: kafkaconn.CauseLogin, mechanism: kafkaconn.Plain, want: "credentials for PLAIN"},
		{cause: kafkaconn.CauseLogin, mechanism: kafkaconn.OAuthBearer, want: "refuses the token"},
		{cause: kafkaconn.CauseLogin, mechanism: kafkaconn.AWSMSKIAM, want: "kafka-cluster:Connect"},
		{cause: kafkaconn.CauseServerName, want: "ORDERWALK_KAFKA_TLS_SERVER_NAME"},
		{cause: kafkaconn.CauseAuthority, want: "ORDERWALK_KAFKA_TLS_CA_FILE"},
		{cause: kafkaconn.CauseNotTLS, want: "unset ORDERWALK_KAFKA_TLS_ENABLE"},
		{cause: kafkaconn.CauseCertificate, want: "requires one"},
		{cause: kafkaconn.CauseHangUp, want: "TLS (ORDERWALK_KAFKA_TLS_ENABLE) or a login"},
		{cause: kafkaconn.CauseHangUp, tls: true, want: "or no TLS"},
		{cause: kafkaconn.CauseHangUp, mechanism: kafkaconn.Plain, want: "If not, check the ORDERWALK_KAFKA_SASL_"},
		{cause: kafkaconn.CauseHangUp, mechanism: kafkaconn.Plain, tls: true, want: "closes the connection; check the ORDERWALK_KAFKA_SASL_"},
	} {
		err := &kafkaconn.Error{Step: "log in to", Addr: "b:9092", Cause: c.cause, Mechanism: c.mechanism, TLS: c.tls, Err: errors.New("x")}
		for _, err := range []error{err, &reachError{brokers: "b:9092", why: err, err: errors.New("x")}} {
			if got := hintFor(err); !strings.Contains(got, c.want) {
				t.Errorf("hint of %s, %q, TLS %v: %q, want %q", c.cause, c.mechanism, c.tls, got, c.want)
			}
		}
	}
}

// A line about an error has its hint, once; other lines have none.
func TestLogLinesHaveHints(t *testing.T) {
	var out bytes.Buffer
	log, _ := newLog(&config.Config{LogFormat: "text"}, &out)
	log = log.With("worker_id", "w1")
	log.Warn("two workers have the same ID", "reason", group.ErrNamesake)
	log.Warn("calls fail", "reason", errors.New("something else"))
	log.Info("nothing to say", "hint", "mine", "reason", group.ErrNamesake)
	for i, want := range []string{`reason="another worker of this name removed this one from the group when it started" hint="give each worker its own ORDERWALK_WORKER_ID"`,
		`reason="something else"`, "hint=mine reason="} {
		line := strings.Split(out.String(), "\n")[i]
		if !strings.Contains(line, want) || strings.Count(line, "hint=") != strings.Count(want, "hint=") {
			t.Errorf("line %d: %s", i, line)
		}
	}
}
