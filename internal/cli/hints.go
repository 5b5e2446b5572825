package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/segmentio/kafka-go"

	"orderwalk/connector"
	"orderwalk/internal/budget"
	"orderwalk/internal/control"
	"orderwalk/internal/group"
	"orderwalk/internal/grouplog"
	"orderwalk/internal/kafkaconn"
	"orderwalk/internal/platform"
	"orderwalk/internal/topics"
	"orderwalk/internal/txn"
)

// hintFor returns what an operator can do about an error; empty if the error text
// suffices. It is the only mapping from causes, which the imported packages
// define, to variables, rights and commands, which they do not know. The error
// output, the log (see hinting), the reasons of shops and check all show the hint.
// Hints about errcodes are in the text of a wechat.Error, from the table in
// internal/wechat/codes.go; localhints.go has the hints about this machine.
func hintFor(err error) string {
	var denied *deniedError
	if errors.As(err, &denied) {
		return denied.hint()
	}
	for _, hint := range []func(error) string{shopHint, causeHint, topicHint, connHint, refusalHint, localHint} {
		if text := hint(err); text != "" {
			return text
		}
	}
	return ""
}

// causeHint is the table of causes that need no detail.
func causeHint(err error) string {
	for _, c := range []struct {
		cause error
		hint  string
	}{
		{group.ErrNamesake, "give each worker its own ORDERWALK_WORKER_ID"},
		{group.ErrOtherTopic, "use a separate ORDERWALK_GROUP for the workers of each offsets topic"},
		{group.ErrOtherShops, "give all workers of a group the same shops; a short mismatch while the list changes is normal"},
		{group.ErrNoCoordinator, "if this lasts, Kafka cannot create its topic __consumer_offsets (offsets.topic.replication.factor is above the number of brokers), or partitions of that topic have no leader: see `orderwalk check`"},
		{txn.ErrForgotten, "Kafka removes a transactional ID that is unused for transactional.id.expiration.ms (7 days by default); was the process stopped or idle for that long?"},
		{txn.ErrTimedOut, "was the process stopped for longer than ORDERWALK_TRANSACTION_TIMEOUT?"},
		{txn.ErrBeyondEnd, "was the topic deleted and created again?"},
		{platform.ErrNoTicket, "or name a file that holds the ticket in ORDERWALK_COMPONENT_VERIFY_TICKET_FILE"},
		{platform.ErrNoKeys, "set ORDERWALK_STATE_KEY_FILE"},
		{control.ErrLocalOnly, "or set ORDERWALK_REST_TOKEN_FILE and send its token"},
		{control.ErrNoToken, "the token is in the file that ORDERWALK_REST_TOKEN_FILE names"},
		{control.ErrNoCertificate, "its authorities are in the file that ORDERWALK_LISTEN_TLS_CLIENT_CA_FILE names; or set ORDERWALK_REST_TOKEN_FILE and send its token"},
		{control.ErrTokenUnread, "check the file that ORDERWALK_REST_TOKEN_FILE names"},
		{control.ErrOtherPlatform, "the worker's is in ORDERWALK_COMPONENT_APP_ID"},
	} {
		if errors.Is(err, c.cause) {
			return c.hint
		}
	}
	return ""
}

// shopHint returns the hint for an error that stops a shop or a lane.
func shopHint(err error) string {
	var dense *connector.TooDenseError
	var misplaced *connector.MisplacedError
	var grown *connector.GrownError
	var lost *connector.LostError
	var deleted *connector.DeletedError
	var unread *connector.UnreadError
	var held *budget.HeldError
	var moved *grouplog.MovedError
	switch {
	case errors.As(err, &dense) && dense.End-dense.Start == 1:
		return "one second cannot be divided: ask the vendor to list more for one range, or read this time with a separate group for each status (a status filter)"
	case errors.As(err, &dense):
		return "lower ORDERWALK_MIN_WINDOW"
	case errors.As(err, &misplaced):
		return "restore the topic's former number of partitions (copy it to a new topic), or write a tombstone for the old record to start over on purpose"
	case errors.As(err, &moved):
		return "restore the topic's former number of partitions: copy it to a new topic, each record to its partition; or set ORDERWALK_OFFSETS_TOPIC or ORDERWALK_GROUP to start over on purpose"
	case errors.As(err, &grown):
		return "restart the worker: it then rejects each shop whose lane has changed and reports what to do"
	case errors.As(err, &lost):
		return "check that ORDERWALK_OFFSETS_TOPIC names the topic used before, or restore it from a copy; to start over from ORDERWALK_START_TIME and publish everything since then again, create it: " +
			createCommand(topics.Spec{Name: lost.Topic, Partitions: lost.Partitions, Compacted: true})
	case errors.As(err, &deleted):
		return "do not create it, or all orders are published again: restore it from a copy; the next start reports the other options"
	case errors.As(err, &unread):
		return fmt.Sprintf("read them with another group, start time %d and end time %d, then set this shop's start time to %d", unread.Start, unread.Begin-1, unread.Begin)
	case errors.As(err, &held):
		return "lower ORDERWALK_QUOTA_LIVE_SHARE to leave more calls to the backfill"
	}
	return ""
}

// topicHint returns the hint for a topic that cannot be used.
func topicHint(err error) string {
	var e *topics.Error
	if !errors.As(err, &e) {
		return ""
	}
	// Only the compacted topic is read. Both rights include Describe.
	rights := "Write"
	if e.Spec.Compacted {
		rights = "Read and Write"
	}
	switch {
	case errors.Is(e, topics.ErrNotCompacted):
		return fmt.Sprintf("run kafka-configs.sh --alter --entity-type topics --entity-name %s --add-config cleanup.policy=compact, or name another topic in ORDERWALK_OFFSETS_TOPIC", e.Spec.Name)
	case e.Missing:
		return fmt.Sprintf("grant %s on it to this client; if it does not exist, grant Create too, or create it (%s)", rights, createCommand(e.Spec))
	case errors.Is(e, kafka.TopicAuthorizationFailed):
		return "grant " + rights + " on it to this client"
	case errors.Is(e, kafka.InvalidTopic):
		return "use up to 249 letters, digits, '.', '_' and '-'"
	case errors.Is(e, kafka.InvalidReplicationFactor):
		return "set ORDERWALK_REPLICATION_FACTOR to at most the number of brokers"
	}
	return "create it by hand according to the cluster's policy"
}

func createCommand(s topics.Spec) string {
	var b strings.Builder
	fmt.Fprintf(&b, "kafka-topics.sh --create --topic %s", s.Name)
	if s.Partitions > 0 {
		fmt.Fprintf(&b, " --partitions %d", s.Partitions)
	}
	if s.Compacted {
		b.WriteString(" --config cleanup.policy=compact")
	}
	return b.String()
}

// connHint returns the hint for a failed connection to Kafka.
func connHint(err error) string {
	var reach *reachError
	var e *kafkaconn.Error
	switch {
	case errors.As(err, &reach):
		e = reach.why
	case !errors.As(err, &e):
		return ""
	}
	switch e.Cause {
	case kafkaconn.CauseFile:
		return "check the files and values that the ORDERWALK_KAFKA_TLS_ and ORDERWALK_KAFKA_SASL_ variables name"
	case kafkaconn.CauseGrant:
		if e.Mechanism == kafkaconn.AWSMSKIAM {
			return "check the pod's role and its trust policy"
		}
		return "check ORDERWALK_KAFKA_SASL_TOKEN_URL, _CLIENT_ID, _CLIENT_SECRET and _SCOPE"
	case kafkaconn.CauseMechanism:
		return "set ORDERWALK_KAFKA_SASL_MECHANISM to one that the broker offers on this port"
	case kafkaconn.CauseNoLogin:
		return "the broker takes no login on this port: use its SASL port, or unset the ORDERWALK_KAFKA_SASL_ variables"
	case kafkaconn.CauseLogin:
		return loginHint(e.Mechanism)
	case kafkaconn.CauseServerName:
		return "set ORDERWALK_KAFKA_TLS_SERVER_NAME to a name in the broker's certificate, or use such a name in ORDERWALK_KAFKA_BROKERS"
	case kafkaconn.CauseAuthority:
		return "set ORDERWALK_KAFKA_TLS_CA_FILE to the authority that signed the broker's certificate"
	case kafkaconn.CauseNotTLS:
		return "the broker does not speak TLS on this port: use its TLS port, or unset ORDERWALK_KAFKA_TLS_ENABLE"
	case kafkaconn.CauseCertificate:
		return "check the ORDERWALK_KAFKA_TLS_ variables: the broker rejects the client certificate, or requires one"
	case kafkaconn.CauseHangUp:
		return hangUpHint(e.Mechanism != "", e.TLS)
	case kafkaconn.CauseName:
		return "check the host names in ORDERWALK_KAFKA_BROKERS"
	case kafkaconn.CauseNoAnswer:
		return "nothing answers at that address: check ORDERWALK_KAFKA_BROKERS, and firewalls and network policies that may drop packets"
	case kafkaconn.CauseAdvertised:
		return "make the address reachable from here, or set that broker's advertised.listeners to one that is"
	}
	return "check ORDERWALK_KAFKA_BROKERS and that a broker runs there; `orderwalk dev` needs no Kafka"
}

func hangUpHint(login, tls bool) string {
	switch {
	case login && tls:
		return "the broker closes the connection; check the ORDERWALK_KAFKA_SASL_ variables"
	case login:
		return "the broker closes the connection; does it require TLS (ORDERWALK_KAFKA_TLS_ENABLE)? If not, check the ORDERWALK_KAFKA_SASL_ variables"
	case tls:
		return "the broker closes the connection; does it require a login (ORDERWALK_KAFKA_SASL_MECHANISM), or no TLS (ORDERWALK_KAFKA_TLS_ENABLE)?"
	}
	return "the broker closes the connection; does it require TLS (ORDERWALK_KAFKA_TLS_ENABLE) or a login (ORDERWALK_KAFKA_SASL_MECHANISM)?"
}

func loginHint(mechanism string) string {
	switch mechanism {
	case kafkaconn.OAuthBearer:
		return "the broker refuses the token: check its issuer, audience and expiry against the broker's sasl.oauthbearer settings, and check the source that the ORDERWALK_KAFKA_SASL_TOKEN_ variable names"
	case kafkaconn.AWSMSKIAM:
		return "grant kafka-cluster:Connect to the role, and compare region and clock"
	}
	return "check ORDERWALK_KAFKA_SASL_USERNAME and its password (_PASSWORD or _PASSWORD_FILE), and that the user has credentials for " + mechanism
}

// refusalHint returns the hint for a request of the group or of a transaction that
// Kafka refused. Rights have their ACL names; Read and Write include Describe.
func refusalHint(err error) string {
	var member *group.Error
	var refused *txn.Error
	var code kafka.Error
	switch {
	case errors.As(err, &member):
		code = member.Code
	case errors.As(err, &refused):
		code = refused.Code
	}
	reads := refused == nil || refused.TransactionalID == ""
	switch code {
	case kafka.GroupAuthorizationFailed:
		return "grant Read on the group (ORDERWALK_GROUP) to this client"
	case kafka.TopicAuthorizationFailed:
		switch {
		case member != nil:
			return "grant Read on the offsets topic (ORDERWALK_OFFSETS_TOPIC) to this client"
		case reads:
			return "grant Read on the topic to this client"
		}
		return "grant Write on the topic to this client"
	case kafka.TransactionalIDAuthorizationFailed:
		if reads {
			return ""
		}
		return fmt.Sprintf("grant Write on transactional ID %q, or on its prefix, to this client", refused.TransactionalID)
	case kafka.ClusterAuthorizationFailed:
		return "grant IdempotentWrite on the cluster to this client"
	case kafka.InconsistentGroupProtocol:
		return "another program's consumers use this group: choose another ORDERWALK_GROUP"
	case kafka.InvalidGroupId:
		return "ORDERWALK_GROUP is not a valid group ID for Kafka: choose another"
	case kafka.InvalidSessionTimeout:
		return "set ORDERWALK_SESSION_TIMEOUT between the brokers' group.min.session.timeout.ms and group.max.session.timeout.ms"
	case kafka.InvalidTransactionTimeout:
		return "set ORDERWALK_TRANSACTION_TIMEOUT to at most the brokers' transaction.max.timeout.ms (15m by default)"
	case kafka.MessageSizeTooLarge, kafka.RecordListTooLarge:
		return "raise the topic's max.message.bytes to Kafka's default of 1 MiB, or more"
	case kafka.UnknownTopicOrPartition:
		return "create the topic again with its former number of partitions"
	case kafka.SASLAuthenticationFailed:
		return "check ORDERWALK_KAFKA_SASL_USERNAME and the password or token"
	case kafka.UnsupportedSASLMechanism, kafka.IllegalSASLState:
		return "set ORDERWALK_KAFKA_SASL_MECHANISM to one that the brokers offer"
	case kafka.UnsupportedCompressionType, kafka.UnsupportedForMessageFormat:
		return "set ORDERWALK_COMPRESSION to one that the topic accepts"
	case kafka.InvalidTimestamp:
		return "compare this machine's clock with the brokers'"
	case kafka.PolicyViolation, kafka.InvalidRecord:
		return "the topic's policy rejects the records; see the brokers' log"
	case kafka.OutOfOrderSequenceNumber, kafka.InvalidMessage, kafka.InvalidTransactionState:
		return "the same failure has repeated: report it, with the brokers' log"
	}
	return ""
}
