package txn

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestReaderOutlastsTheNetwork(t *testing.T) {
	for name, trouble := range map[string]func(w *fixture){
		"offsets lost":      func(w *fixture) { w.once(kmsg.ListOffsets, 0, fate{do: lose}) },
		"offsets swallowed": func(w *fixture) { w.once(kmsg.ListOffsets, 0, fate{do: swallow}) },
		"fetch cut":         func(w *fixture) { w.once(kmsg.Fetch, 0, fate{do: cut}) },
		"fetch swallowed":   func(w *fixture) { w.once(kmsg.Fetch, 0, fate{do: swallow}) },
		"not leader": func(w *fixture) {
			w.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch, kmsg.ListOffsets}, Err: kerr.NotLeaderForPartition, Count: 5})
		},
		"offset not available": func(w *fixture) {
			w.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Err: kerr.OffsetNotAvailable, Count: 5})
		},
		"topic still unknown": func(w *fixture) {
			w.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Err: kerr.UnknownTopicOrPartition, Count: 5})
		},
		"beyond a quota": func(w *fixture) {
			left := 5
			w.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
				w.KeepControl()
				if left--; left < 0 {
					return nil, nil, false
				}
				res := req.ResponseKind().(*kmsg.FetchResponse)
				res.ThrottleMillis = 100 // and no topic
				return res, nil, true
			})
		},
		"leader moves": func(w *fixture) { w.values(0); w.MoveTopicPartition(orders, 0, 2) },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *fixture) {
				client := w.franz()
				w.produce(client, "1", "2")
				client.Close()
				trouble(w)
				if got, next := w.values(0); !reflect.DeepEqual(got, []string{"1", "2"}) || next != 2 {
					t.Errorf("read %q up to %d", got, next)
				}
			})
		})
	}
}

func TestReaderGivesUpOnARefusal(t *testing.T) {
	for topic, c := range map[string]struct {
		trouble func(w *fixture)
		code    kafka.Error
	}{
		"nosuch": {func(*fixture) {}, kafka.UnknownTopicOrPartition},
		orders: {func(w *fixture) {
			w.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Err: kerr.TopicAuthorizationFailed, Count: -1})
		}, kafka.TopicAuthorizationFailed},
	} {
		t.Run(topic, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *fixture) {
				client := w.franz()
				w.produce(client, "1", "2")
				client.Close()
				c.trouble(w)
				_, err := w.reader().ReadToEnd(t.Context(), topic, 0, 0, func(Record) error { return nil })
				var refused *Error
				if !errors.As(err, &refused) || refused.Code != c.code || refused.TransactionalID != "" {
					t.Errorf("ReadToEnd = %v", err)
				}
			})
		})
	}
}

// Compaction removes records and leaves holes, also at the end of a batch.
func TestReaderCrossesCompaction(t *testing.T) {
	const compacted = "compacted"
	inBubble(t, func(t *testing.T, w *fixture) {
		if err := w.CreateTopic(compacted, 1, map[string]string{
			"cleanup.policy": "compact", "segment.bytes": "1000", "min.cleanable.dirty.ratio": "0", "segment.ms": "1000",
		}); err != nil {
			t.Fatal(err)
		}
		writer := w.open()
		for i := range 60 {
			tx := writer.Begin()
			for k := range 5 {
				tx.Append(compacted, 0, time.Now(), []byte(fmt.Sprint("k", k*(1+i%2))), []byte(fmt.Sprint(i)), nil)
			}
			if err := writer.Commit(t.Context(), tx); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		w.Compact()
		read, last := 0, map[string]string{}
		next, err := w.reader().ReadToEnd(t.Context(), compacted, 0, 0, func(r Record) error {
			read++
			last[string(r.Key)] = string(r.Value)
			return nil
		})
		if err != nil || next != 360 {
			t.Errorf("read to %d, %v, want 360", next, err)
		}
		if read >= 300 {
			t.Errorf("%d of 300 records: nothing was compacted", read)
		}
		want := map[string]string{"k0": "59", "k1": "58", "k2": "59", "k3": "58", "k4": "59", "k6": "59", "k8": "59"}
		if !reflect.DeepEqual(last, want) {
			t.Errorf("last values %v, want %v", last, want)
		}
	})
}
