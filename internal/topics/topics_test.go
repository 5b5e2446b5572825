package topics

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"orderwalk/internal/kafkawire"
)

// fixture is a Kafka and a transport to it inside a synctest bubble.
type fixture struct {
	*kfake.Cluster
	net       *kfake.VirtualNetwork
	addr      net.Addr
	transport *kafka.Transport
}

func inBubble(t *testing.T, test func(t *testing.T, w fixture), opts ...kfake.Opt) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		network := new(kfake.VirtualNetwork)
		opts = append([]kfake.Opt{kfake.NumBrokers(1), kfake.Ports(9092), kfake.ListenFn(network.Listen)}, opts...)
		cluster, err := kfake.NewCluster(opts...)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		w := fixture{cluster, network, kafka.TCP("localhost:9092"),
			&kafka.Transport{Dial: network.DialContext, MetadataTTL: time.Hour, Context: ctx}}
		test(t, w)
		w.transport.CloseIdleConnections()
		cancel()
		cluster.Close()
		synctest.Wait()
	})
}

var both = []Spec{
	{Name: "orders", Partitions: 6},
	{Name: "offsets", Partitions: 16, Compacted: true, Config: map[string]string{"segment.bytes": "1048576"}},
}

func TestEnsureCreatesWhatIsMissing(t *testing.T) {
	inBubble(t, func(t *testing.T, w fixture) {
		got, err := Ensure(t.Context(), w.addr, w.transport, both...)
		if err != nil {
			t.Fatal(err)
		}
		if got["orders"] != 6 || got["offsets"] != 16 {
			t.Errorf("partitions = %v", got)
		}
		offsets := w.TopicInfo("offsets")
		for name, want := range map[string]string{"cleanup.policy": "compact", "segment.bytes": "1048576"} {
			if v := offsets.Configs[name]; v == nil || *v != want {
				t.Errorf("offsets topic: %s is %v, want %q", name, v, want)
			}
		}
	})
}

func TestEnsureTakesTopicsAsTheyAre(t *testing.T) {
	inBubble(t, func(t *testing.T, w fixture) {
		w.CreateTopic("orders", 3, nil)
		w.CreateTopic("offsets", 5, map[string]string{"cleanup.policy": "compact"})
		requests := map[int16]int{}
		w.Control(func(r kmsg.Request) (kmsg.Response, error, bool) {
			requests[r.Key()]++
			return nil, nil, false
		})
		started := time.Now()
		got, err := Ensure(t.Context(), w.addr, w.transport, both...)
		if err != nil {
			t.Fatal(err)
		}
		if got["orders"] != 3 || got["offsets"] != 5 {
			t.Errorf("partitions = %v", got)
		}
		if !time.Now().Equal(started) {
			t.Errorf("slept %v of virtual time", time.Since(started))
		}
		delete(requests, int16(kmsg.ApiVersions))
		if len(requests) != 2 || requests[int16(kmsg.Metadata)] != 1 || requests[int16(kmsg.DescribeConfigs)] != 1 {
			t.Errorf("requests by key = %v, want one Metadata and one DescribeConfigs", requests)
		}
	})
}

func TestEnsureRefusesTopicThatIsNotCompacted(t *testing.T) {
	for policy, ok := range map[string]bool{
		"compact": true, "delete": false, "compact,delete": false, "delete, compact": false,
	} {
		t.Run(policy, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w fixture) {
				w.CreateTopic("offsets", 1, map[string]string{"cleanup.policy": policy})
				_, err := Ensure(t.Context(), w.addr, w.transport, both[1])
				if ok {
					if err != nil {
						t.Error(err)
					}
					return
				}
				if !errors.Is(err, ErrNotCompacted) {
					t.Fatalf("Ensure = %v, want ErrNotCompacted", err)
				}
				for _, want := range []string{`"offsets"`, policy} {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("%q does not mention %s", err, want)
					}
				}
			})
		})
	}
}

// Another process creates the topic between our look and our request.
func TestEnsureLosesARace(t *testing.T) {
	inBubble(t, func(t *testing.T, w fixture) {
		w.ControlKey(int16(kmsg.CreateTopics), func(r kmsg.Request) (kmsg.Response, error, bool) {
			w.DropControl()
			w.SleepControl(func() { w.CreateTopic("orders", 2, nil) })
			return nil, nil, false
		})
		got, err := Ensure(t.Context(), w.addr, w.transport, both[0])
		if err != nil {
			t.Fatal(err)
		}
		if got["orders"] != 2 {
			t.Errorf("partitions = %v, want the other one's 2", got)
		}
	})
}

func TestEnsureOutlastsTrouble(t *testing.T) {
	for name, trouble := range map[string]func(w fixture){
		"not controller": func(w fixture) {
			w.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.CreateTopics}, Err: kerr.NotController})
		},
		"created but timed out": func(w fixture) {
			w.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.CreateTopics}, Err: kerr.RequestTimedOut})
		},
		"no answer": func(w fixture) {
			w.ControlKey(int16(kmsg.CreateTopics), func(kmsg.Request) (kmsg.Response, error, bool) { return nil, nil, true })
		},
		"no answer to the first look": func(w fixture) {
			w.ControlKey(int16(kmsg.Metadata), func(kmsg.Request) (kmsg.Response, error, bool) {
				return nil, errors.New("cut"), true
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w fixture) {
				trouble(w)
				got, err := Ensure(t.Context(), w.addr, w.transport, both...)
				if err != nil {
					t.Fatal(err)
				}
				if got["orders"] != 6 || got["offsets"] != 16 {
					t.Errorf("partitions = %v", got)
				}
			})
		})
	}
}

func TestEnsureWithoutRightToCreate(t *testing.T) {
	denied := kfake.Fault{Keys: []kmsg.Key{kmsg.CreateTopics}, Err: kerr.TopicAuthorizationFailed, Count: -1}
	t.Run("missing", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w fixture) {
			w.Fault(denied)
			_, err := Ensure(t.Context(), w.addr, w.transport, both[1])
			var refused *Error
			if !errors.Is(err, kafka.TopicAuthorizationFailed) || !errors.As(err, &refused) || !refused.Missing || refused.Spec.Partitions != 16 {
				t.Errorf("Ensure = %v", err)
			}
		})
	})
	t.Run("made meanwhile", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w fixture) {
			if err := (kafkawire.Wire{Addr: w.addr, Transport: w.transport}).Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.CreateTopic("orders", 4, nil)
			w.Fault(denied)
			got, err := Ensure(t.Context(), w.addr, w.transport, both[0])
			if err != nil || got["orders"] != 4 {
				t.Errorf("Ensure = %v, %v", got, err)
			}
		})
	})
}

func TestEnsureEndsWithContext(t *testing.T) {
	inBubble(t, func(t *testing.T, w fixture) {
		w.transport.Dial = func(context.Context, string, string) (net.Conn, error) {
			return nil, errors.New("no broker listens")
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := Ensure(ctx, w.addr, w.transport, both...)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no broker listens") {
			t.Errorf("Ensure = %v, want the deadline and the reason", err)
		}
	})
}
