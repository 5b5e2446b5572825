//go:build kafka

package kafkaconn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl/scram"

	"orderwalk/internal/txn"
	"orderwalk/test/kafkatest"
	"orderwalk/test/logtest"
)

// kafka-go alone loses a request when the broker's session ends. Here the connections
// are replaced before that, and log in with the current password.
func (s *secureKafka) testSession(t *testing.T) {
	login := SASL{Mechanism: ScramSHA512, Username: "alice", Password: fixed("scram-hush")}
	mechanism, err := scram.Mechanism(scram.SHA512, "alice", "scram-hush")
	if err != nil {
		t.Fatal(err)
	}
	bare := &Kafka{Addr: kafka.TCP(s.At("SASL_PLAINTEXT")...), Transport: &kafka.Transport{SASL: mechanism, MetadataTTL: time.Minute}}
	defer bare.Transport.CloseIdleConnections()
	// Once in a while it opens another connection meanwhile by itself.
	err = nil
	for range 4 {
		soon(t, "bare transport", func() error { return request(t.Context(), bare) })
		time.Sleep(session + time.Second)
		if err = request(t.Context(), bare); err != nil {
			break
		}
	}
	if err == nil {
		t.Error("the broker keeps a connection whose session is over: what replaces them is not needed")
	} else {
		t.Logf("kafka-go alone: %v", err)
	}

	var mu sync.Mutex
	password := "scram-hush"
	login.Password = func() (string, error) {
		mu.Lock()
		defer mu.Unlock()
		return password, nil
	}
	var log logtest.Buffer
	cfg := s.over("SASL_PLAINTEXT", login)
	cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
	k := New(cfg)
	defer k.Close()
	lost := 0
	keepAsking := func(d time.Duration) (requests int) {
		t.Helper()
		for end := time.Now().Add(d); time.Now().Before(end); requests++ {
			if err := request(t.Context(), k); err != nil {
				lost++
				t.Logf("request %d: %v", requests, err)
			}
			time.Sleep(5 * time.Millisecond)
		}
		return requests
	}
	n := keepAsking(3 * session)
	mu.Lock()
	password = "rotated-hush"
	mu.Unlock()
	s.setPassword(t, "alice", "rotated-hush")
	n += keepAsking(3 * session / 2)
	t.Logf("%d requests\n%s", n, log.String())
	// kafka-go alone loses one at the end of each of the four sessions; a machine
	// that stalls between our clock and the broker's loses one now and then.
	if lost > 1 {
		t.Errorf("%d of %d requests are lost over four ends of sessions", lost, n)
	}
	mu.Lock()
	password = "early-hush"
	mu.Unlock()
	if _, err := k.dialSingle(t.Context(), "tcp", s.At("SASL_PLAINTEXT")[0]); err == nil || Refused(err) || errors.Is(err, kafka.SASLAuthenticationFailed) ||
		!strings.Contains(err.Error(), "SASL Authentication Failed") || causeOf(err) != CauseLogin {
		t.Errorf("a login that worked before is refused for a moment: %v, final: %v, cause %q", err, Refused(err), causeOf(err))
	}
	if strings.Contains(log.String(), "hush") {
		t.Error("a password is in the log")
	}
	s.setPassword(t, "alice", "scram-hush")
}

// Transactions continue over the ends of sessions, without an unanswered request at each.
func (s *secureKafka) testTransactions(t *testing.T) {
	if _, err := s.admin.CreateTopic(t.Context(), 2, 1, nil, "orders"); err != nil {
		t.Fatal(err)
	}
	k := New(s.over("SASL_PLAINTEXT", SASL{Mechanism: ScramSHA512, Username: "alice", Password: fixed("scram-hush")}))
	defer k.Close()
	soon(t, "the password is back", func() error { return request(t.Context(), k) })
	var unanswered atomic.Int64
	w, err := txn.Open(t.Context(), txn.Config{
		Addr: k.Addr, Transport: k.Transport, TransactionalID: "sessions",
		OnRetry: func(_, reason string, _ error) {
			if reason == "no answer" {
				unanswered.Add(1)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	epoch, sent := w.Epoch(), 0
	for end := time.Now().Add(3 * session); time.Now().Before(end); sent++ {
		tx := w.Begin()
		for partition := range int32(2) {
			if err := tx.Append("orders", partition, time.Now(), fmt.Append(nil, sent), nil, nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Commit(t.Context(), tx); err != nil {
			t.Fatalf("commit %d: %v", sent, err)
		}
	}
	records, err := kafkatest.ReadCommitted(t.Context(), s.Brokers(), "orders")
	if err != nil || len(records) != 2*sent {
		t.Errorf("%d records, %v, want %d", len(records), err, 2*sent)
	}
	// A machine that stalls may meet one of the three ends of sessions.
	if n := unanswered.Load(); n > 1 || n == 0 && w.Epoch() != epoch {
		t.Errorf("%d requests unanswered, epoch %d, was %d", n, w.Epoch(), epoch)
	}
	t.Logf("%d transactions", sent)
}

// kafka-go's ConsumerGroup uses a connection of the Dialer, which is not replaced: the
// member joins again under its own ID.
func (s *secureKafka) testGroupSession(t *testing.T) {
	if _, err := s.admin.CreateTopic(t.Context(), 1, 1, nil, "lanes"); err != nil {
		t.Fatal(err)
	}
	k := New(s.over("SASL_PLAINTEXT", SASL{Mechanism: ScramSHA512, Username: "alice", Password: fixed("scram-hush")}))
	defer k.Close()
	soon(t, "the password is back", func() error { return request(t.Context(), k) })
	group, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID: "g", Brokers: s.At("SASL_PLAINTEXT"), Dialer: k.Dialer, Topics: []string{"lanes"},
		HeartbeatInterval: 200 * time.Millisecond, JoinGroupBackoff: 100 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer group.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	var first *kafka.Generation
	for generations := 0; generations < 3; {
		g, err := group.Next(ctx)
		if ctx.Err() != nil {
			t.Fatal("no third generation although sessions end")
		}
		if err != nil {
			t.Logf("next: %v", err)
			continue
		}
		generations++
		t.Logf("generation %d, member %s, %v", g.ID, g.MemberID, g.Assignments)
		if first == nil {
			first = g
		}
		if g.MemberID != first.MemberID || len(g.Assignments["lanes"]) != 1 {
			t.Errorf("member %s with %v, was %s", g.MemberID, g.Assignments, first.MemberID)
		}
	}
}
