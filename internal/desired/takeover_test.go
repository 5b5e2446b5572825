package desired

import (
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A worker that is fenced while it becomes the writer, because another one becomes it at the
// same time, tries again.
func TestAChangeOutlivesATakeover(t *testing.T) {
	inBubble(t, func(f *fixture) {
		s, stop := f.start("one")
		f.takesOver(writer)
		if err := s.Change(f.Context(), target("a", Paused)); err != nil || s.Of("a").Target != Paused {
			f.Errorf("the shop is wanted %s: %v", s.Of("a").Target, err)
		}
		stop()
	})
}

// So does a level that is set in all workers.
func TestALevelOutlivesATakeover(t *testing.T) {
	inBubble(t, func(f *fixture) {
		w := f.levelled("one")
		f.takesOver(levelWriter)
		if err := w.SetAll(f.Context(), "orderwalk.txn", "DEBUG"); err != nil || w.level("orderwalk.txn") != "DEBUG" {
			f.Errorf("the level is %s: %v", w.level("orderwalk.txn"), err)
		}
		w.stop()
	})
}

// takesOver has another worker become the writer, and begin to write, while the next one
// becomes it.
func (f *fixture) takesOver(id string) {
	f.kafka.ControlKey(int16(kmsg.DescribeProducers), func(kmsg.Request) (kmsg.Response, error, bool) {
		f.kafka.DropControl()
		f.kafka.SleepControl(func() {
			other, err := kgo.NewClient(kgo.SeedBrokers("localhost:9092"), kgo.Dialer(f.network.DialContext), kgo.TransactionalID("g-"+id))
			if err != nil {
				f.Error(err)
				return
			}
			defer other.Close()
			if err := errors.Join(other.BeginTransaction(), other.ProduceSync(f.Context(), &kgo.Record{Topic: "offsets", Value: []byte("half")}).FirstErr()); err != nil {
				f.Error(err)
			}
		})
		return nil, nil, false
	})
}
