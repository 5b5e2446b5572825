package access

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"orderwalk/internal/txn"
)

func inBubble(t *testing.T, test func(t *testing.T, c *kfake.Cluster, k *kafka.Transport)) {
	synctest.Test(t, func(t *testing.T) {
		network := new(kfake.VirtualNetwork)
		cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(9092), kfake.ListenFn(network.Listen))
		if err != nil {
			t.Fatal(err)
		}
		defer cluster.Close()
		transport := &kafka.Transport{Dial: network.DialContext, MetadataTTL: time.Hour}
		defer transport.CloseIdleConnections()
		test(t, cluster, transport)
	})
}

var (
	addr = kafka.TCP("localhost:9092")
	all  = Needs{Orders: []string{"orders", "changes"}, Offsets: "offsets", Group: "g", Lanes: 3}
)

// Open transactions of a running worker are not disturbed.
func TestLookDisturbsNobody(t *testing.T) {
	inBubble(t, func(t *testing.T, c *kfake.Cluster, k *kafka.Transport) {
		c.CreateTopic("orders", 2, nil)
		c.CreateTopic("offsets", 3, map[string]string{"cleanup.policy": "compact"})
		w, err := txn.Open(t.Context(), txn.Config{Addr: addr, Transport: k, TransactionalID: "g-0"})
		if err != nil {
			t.Fatal(err)
		}
		commit := func(value string) {
			t.Helper()
			tx := w.Begin()
			if err := tx.Append("orders", 0, time.Now(), []byte("k"), []byte(value), nil); err != nil {
				t.Fatal(err)
			}
			if err := w.Commit(t.Context(), tx); err != nil {
				t.Fatal(err)
			}
		}
		commit("before")
		id, epoch := w.ProducerID(), w.Epoch()
		r, err := Look(t.Context(), addr, k, all)
		if err != nil || len(r.Missing) > 0 || !slices.Equal(r.Absent, []string{"changes"}) || r.Partitions["orders"] != 2 || r.Partitions["offsets"] != 3 {
			t.Errorf("Look = %+v, %v", r, err)
		}
		if c.TopicInfo("changes") != nil {
			t.Error("a topic was created")
		}
		commit("after")
		if w.ProducerID() != id || w.Epoch() != epoch {
			t.Errorf("producer %d epoch %d, was %d epoch %d", w.ProducerID(), w.Epoch(), id, epoch)
		}
		reader := txn.Reader{Addr: addr, Transport: k}
		count := 0
		if _, err := reader.ReadToEnd(t.Context(), "orders", 0, 0, func(txn.Record) error { count++; return nil }); err != nil || count != 2 {
			t.Errorf("%d records, %v, want 2", count, err)
		}
	})
}

// The number of requests at a start.
func TestFirstLaneOnly(t *testing.T) {
	inBubble(t, func(t *testing.T, c *kfake.Cluster, k *kafka.Transport) {
		c.CreateTopic("offsets", 64, nil)
		asked := map[int16]int{}
		c.Control(func(r kmsg.Request) (kmsg.Response, error, bool) {
			asked[r.Key()]++
			return nil, nil, false
		})
		n := all
		n.FirstLane = true
		if _, err := Look(t.Context(), addr, k, n); err != nil {
			t.Fatal(err)
		}
		if got := asked[int16(kmsg.EndTxn)]; got != 1 {
			t.Errorf("%d lanes looked at, want the first", got)
		}
		n.FirstLane = false
		if _, err := Look(t.Context(), addr, k, n); err != nil {
			t.Fatal(err)
		}
		if got := asked[int16(kmsg.EndTxn)]; got != 65 {
			t.Errorf("%d lanes looked at, want all 64 more", got-1)
		}
	})
}

func TestCommand(t *testing.T) {
	for want, r := range map[string]Right{
		"kafka-acls.sh --add --allow-principal 'User:CN=it'\\''s me,O=x' --operation Read --topic a.b":                                             {Operation: "Read", Resource: topic, Name: "a.b"},
		"kafka-acls.sh --add --allow-principal 'User:CN=it'\\''s me,O=x' --operation Write --transactional-id g- --resource-pattern-type prefixed": {Operation: "Write", Resource: transactionalID, Name: "g-", Prefixed: true},
		"kafka-acls.sh --add --allow-principal 'User:CN=it'\\''s me,O=x' --operation Read --group 'a b'":                                           {Operation: "Read", Resource: group, Name: "a b"},
	} {
		if got := r.Command("User:CN=it's me,O=x"); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestRefused(t *testing.T) {
	for err, want := range map[error]bool{
		kafka.TopicAuthorizationFailed:             true,
		kafka.TransactionalIDAuthorizationFailed:   true,
		kafka.UnknownTopicOrPartition:              false,
		fmt.Errorf("x: %w", kafka.RequestTimedOut): false,
	} {
		if Refused(err) != want {
			t.Errorf("Refused(%v) = %v", err, !want)
		}
	}
}
