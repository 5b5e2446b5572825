package kafkawire

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/createtopics"
	"github.com/segmentio/kafka-go/protocol/heartbeat"
	"github.com/segmentio/kafka-go/protocol/listoffsets"
	"github.com/segmentio/kafka-go/protocol/metadata"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// inBubble is a Kafka of three brokers, with the topic orders, and a wire to it.
func inBubble(t *testing.T, test func(t *testing.T, cluster *kfake.Cluster, w Wire)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		network := new(kfake.VirtualNetwork)
		cluster, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.Ports(9092, 9093, 9094), kfake.ListenFn(network.Listen), kfake.SeedTopics(1, "orders"))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		w := Wire{Addr: kafka.TCP("localhost:9092"), Transport: &kafka.Transport{Dial: network.DialContext, MetadataTTL: time.Hour, Context: ctx}}
		test(t, cluster, w)
		w.Transport.CloseIdleConnections()
		cancel()
		cluster.Close()
		synctest.Wait()
	})
}

func TestRefreshSeesMovedLeader(t *testing.T) {
	inBubble(t, func(t *testing.T, cluster *kfake.Cluster, w Wire) {
		leader := func() int32 {
			m, err := w.Transport.RoundTrip(t.Context(), w.Addr, &metadata.Request{TopicNames: []string{"orders"}})
			if err != nil {
				t.Fatal(err)
			}
			return m.(*metadata.Response).Topics[0].Partitions[0].LeaderID
		}
		for node := range int32(3) {
			cluster.MoveTopicPartition("orders", 0, node)
			if err := w.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := leader(); got != node {
				t.Errorf("leader = %d, want %d", got, node)
			}
		}
		if cluster.TopicInfo(invalidTopic) != nil {
			t.Errorf("topic %q was created", invalidTopic)
		}
	})
}

// TestRequestsGoWhereTheyAreSent checks that a request reaches the named broker, the
// group's coordinator, or any broker, in spite of the transport's own routing.
func TestRequestsGoWhereTheyAreSent(t *testing.T) {
	inBubble(t, func(t *testing.T, cluster *kfake.Cluster, w Wire) {
		ask := func(r Request, send func(Request) (Answer, error)) Answer {
			t.Helper()
			r.Limit = time.Second
			a, err := send(r)
			if err != nil {
				t.Fatal(err)
			}
			return a
		}
		for node := range int32(3) {
			cluster.MoveTopicPartition("orders", 0, node)
			// Only the leader answers.
			a := ask(Request{Message: &listoffsets.Request{ReplicaID: -1, Topics: []listoffsets.RequestTopic{{Topic: "orders",
				Partitions: []listoffsets.RequestPartition{{CurrentLeaderEpoch: -1, Timestamp: -1}}}}}}, func(r Request) (Answer, error) {
				return w.ToBroker(t.Context(), node, r)
			})
			if p := a.Message.(*listoffsets.Response).Topics[0].Partitions[0]; p.ErrorCode != 0 {
				t.Errorf("broker %d: %v", node, kafka.Error(p.ErrorCode))
			}
		}
		a := ask(Request{Message: &heartbeat.Request{GroupID: "g", MemberID: "nobody"}, FirstVersion: true}, func(r Request) (Answer, error) {
			return w.ToGroup(t.Context(), "g", r)
		})
		if code := kafka.Error(a.Message.(*heartbeat.Response).ErrorCode); code != kafka.GroupIdNotFound || a.Version != 0 {
			t.Errorf("the coordinator answers %v in version %d", code, a.Version)
		}
		// A validation creates nothing, and the transport does not wait for the topic.
		a = ask(Request{Message: &createtopics.Request{ValidateOnly: true, TimeoutMs: 500,
			Topics: []createtopics.RequestTopic{{Name: "new", NumPartitions: 1, ReplicationFactor: 1}}}}, func(r Request) (Answer, error) {
			return w.ToAny(t.Context(), r)
		})
		if code := kafka.Error(a.Message.(*createtopics.Response).Topics[0].ErrorCode); code != 0 && code != kafka.NotController || cluster.TopicInfo("new") != nil {
			t.Errorf("a validation: %v", code)
		}
	})
}

// TestAnAnswerIsWaitedForUntilItsLimit also reads answers as bytes.
func TestAnAnswerIsWaitedForUntilItsLimit(t *testing.T) {
	inBubble(t, func(t *testing.T, cluster *kfake.Cluster, w Wire) {
		raw := Request{Message: &metadata.Request{}, Limit: time.Second, Read: func(version int16, body []byte) (protocol.Message, error) {
			if len(body) == 0 {
				t.Error("no bytes")
			}
			return &metadata.Response{ThrottleTimeMs: 7}, nil
		}}
		if a, err := w.ToAny(t.Context(), raw); err != nil || a.Message.(*metadata.Response).ThrottleTimeMs != 7 {
			t.Errorf("%+v, %v", a, err)
		}
		cluster.ControlKey(int16(kmsg.Heartbeat), func(kmsg.Request) (kmsg.Response, error, bool) {
			time.Sleep(time.Minute)
			return nil, nil, false
		})
		began := time.Now()
		_, err := w.ToGroup(t.Context(), "g", Request{Message: &heartbeat.Request{GroupID: "g"}, Limit: 3 * time.Second, FirstVersion: true})
		if err == nil || time.Since(began) != 3*time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		time.Sleep(time.Minute)
	})
}
