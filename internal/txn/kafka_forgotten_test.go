//go:build kafka

package txn

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kmsg"

	"orderwalk/test/kafkatest"
)

// An owner is frozen at each point of a commit, or idle, for so long that Kafka forgets
// its transactional ID; in the first cases another owner takes over meanwhile, commits
// the same orders and more, and goes. Both major versions are tested, because their
// coordinators are different programs.
func TestKafkaForgetsOwner(t *testing.T) {
	for _, version := range []string{kafkatest.Version, kafkatest.Older} {
		t.Run(version, func(t *testing.T) {
			proxy := kafkatest.NewProxy(1)
			defer proxy.Close()
			cluster, err := kafkatest.Launch(t.Context(), kafkatest.Options{
				Version: version, Proxies: []*kafkatest.Proxy{proxy}, Properties: kafkatest.Forgetful(),
			})
			if err != nil {
				t.Fatal(err)
			}
			defer cluster.Stop()
			for _, api := range []kmsg.Key{kmsg.AddPartitionsToTxn, kmsg.Produce, kmsg.EndTxn} {
				t.Run("frozen before "+api.Name(), func(t *testing.T) {
					r := onKafka(t, cluster.ProxyBrokers(0), cluster.Brokers())
					forgottenIn(r, proxy, int16(api))
				})
			}
			t.Run("idle", func(t *testing.T) {
				r := onKafka(t, cluster.ProxyBrokers(0), cluster.Brokers())
				k := r.walker(300)
				writer := published(r, k, k.open)
				r.forgotten()
				if err := k.publish(r.ctx, writer, 101, 200); !errors.Is(err, ErrFenced) || errors.Is(err, ErrInDoubt) {
					t.Errorf("Commit of the forgotten owner = %v, want ErrFenced alone", err)
				}
				if err := k.run(r.ctx); err != nil {
					t.Errorf("the owner did not recover: %v", err)
				}
				r.expect(300)
			})
		})
	}
}

// published returns a Writer that has committed the first hundred orders. On a slow
// machine these brokers may have forgotten its ID before that.
func published(r *kafkaFixture, k *walker, open func(context.Context) (*Writer, error)) *Writer {
	for {
		writer, err := open(r.ctx)
		if err == nil {
			err = k.publish(r.ctx, writer, 1, 100)
		}
		switch {
		case err == nil:
			return writer
		case !errors.Is(err, ErrFenced) || errors.Is(err, ErrInDoubt):
			r.t.Fatal(err)
		}
	}
}

// forgottenIn freezes the owner before a request, as brokers see it: the test holds
// its requests on the way.
func forgottenIn(r *kafkaFixture, proxy *kafkatest.Proxy, api int16) {
	k := r.walker(500)
	// Longer than the test holds requests, shorter than the test: brokers do not
	// forget an ID with an open transaction.
	cfg := r.config(r.transport)
	cfg.TransactionTimeout = 30 * time.Second
	cfg.Memory = &CommitLog{}
	zombie := published(r, k, func(ctx context.Context) (*Writer, error) { return Open(ctx, cfg) })
	before := proxy.Hits(api, kafkatest.HoldRequest)
	proxy.SetRules(kafkatest.Rule{API: api, Do: kafkatest.HoldRequest, Probability: 1})
	ended := make(chan error, 1)
	go func() { ended <- k.publish(r.ctx, zombie, 101, 200) }()
	for proxy.Hits(api, kafkatest.HoldRequest) == before {
		select {
		case err := <-ended:
			r.t.Fatalf("Commit ended before it could be held: %v", err)
		case <-time.After(5 * time.Millisecond):
		}
	}

	// Past the proxy: only the first owner is frozen.
	heir, transport := r.walker(400), r.newTransport()
	heir.reader = &Reader{Addr: kafka.TCP(r.direct...), Transport: transport}
	heir.open = func(ctx context.Context) (*Writer, error) {
		cfg := r.config(transport)
		cfg.Addr = kafka.TCP(r.direct...)
		return Open(ctx, cfg)
	}
	if err := heir.run(r.ctx); err != nil {
		r.t.Errorf("the new owner: %v", err)
	}
	r.forgotten()

	proxy.SetRules()
	if err := <-ended; !errors.Is(err, ErrFenced) {
		r.t.Errorf("Commit of the forgotten owner = %v, want ErrFenced", err)
	}
	r.expect(400)
	// It continues after the other owner's last order.
	k.number = r.newest.Add(1)
	if err := k.run(r.ctx); err != nil {
		r.t.Errorf("the owner did not recover: %v", err)
	}
	r.expect(500)
}

// forgotten waits until Kafka has forgotten the owners of the fixture.
func (r *kafkaFixture) forgotten() {
	r.t.Helper()
	if err := kafkatest.Forgotten(r.ctx, r.direct, r.orders); err != nil {
		r.t.Fatal(err)
	}
}
