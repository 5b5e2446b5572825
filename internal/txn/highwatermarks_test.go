package txn

import (
	"errors"
	"maps"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The records of an open transaction count: a partition that has only those is not empty.
func TestHighWatermarksTakeARequestForEachLeader(t *testing.T) {
	inBubble(t, func(t *testing.T, w *fixture) {
		for p := range int32(6) {
			w.MoveTopicPartition(orders, p, p%3)
		}
		client := w.franz()
		defer client.Close()
		w.produce(client, "1", "2", "3")
		open := w.franz(kgo.TransactionalID("a"))
		defer open.Close()
		w.begin(open)
		w.produce(open, "open")
		counts := w.requests()
		want := map[int32]int64{0: 4, 1: 0, 2: 0, 3: 0, 4: 0, 5: 0}
		if got := w.reader().HighWatermarks(t.Context(), orders); !maps.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		if n := counts[kmsg.ListOffsets]; n != 3 {
			t.Errorf("%d requests to 3 leaders", n)
		}
		w.end(open, kgo.TryAbort)

		// Broker 2 does not answer: its partitions are missing.
		w.ControlKey(int16(kmsg.ListOffsets), func(kmsg.Request) (kmsg.Response, error, bool) {
			w.KeepControl()
			if w.CurrentNode() == 2 {
				return nil, errors.New("the connection breaks"), true
			}
			return nil, nil, false
		})
		want = map[int32]int64{0: 5, 1: 0, 3: 0, 4: 0}
		if got := w.reader().HighWatermarks(t.Context(), orders); !maps.Equal(got, want) {
			t.Errorf("with a broker that does not answer: got %v, want %v", got, want)
		}
	})
}
