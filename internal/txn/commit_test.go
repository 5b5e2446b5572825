package txn

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestCommitPublishesOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		writer := w.open()
		for page := range 10 {
			w.mustPublish(writer, page*100+1, page*100+100)
		}
		w.expect(1000)
	})
}

func TestCommitAsksNoMoreThanItMust(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		writer := w.open()
		w.mustPublish(writer, 1, 100)
		counts := w.requests()
		w.mustPublish(writer, 101, 200)
		delete(counts, kmsg.ApiVersions)
		want := map[kmsg.Key]int{kmsg.AddPartitionsToTxn: 1, kmsg.Produce: 3, kmsg.EndTxn: 1}
		for key, n := range want {
			if counts[key] != n {
				t.Errorf("%d requests of %s, want %d (one Produce for each of 3 leaders)", counts[key], key.Name(), n)
			}
		}
		if len(counts) != len(want) {
			t.Errorf("requests = %v, want %v", counts, want)
		}
	})
}
