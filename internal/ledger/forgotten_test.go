package ledger

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"orderwalk/simulator"
)

// TestANoticeAfterALongSilence: Kafka has forgotten the transactional ID of a
// worker that was told nothing for a week. The next notice is kept.
func TestANoticeAfterALongSilence(t *testing.T) {
	story(t, simulator.Faults{}, func(w *world) {
		k := w.start("a", false)
		k.ticket()
		w.kafka.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.AddPartitionsToTxn}, Err: kerr.InvalidProducerIDMapping, Count: 1})
		if err := k.Order(w.Context(), "wx1", "channels_ec_order_pay", time.Now()); err != nil {
			t.Errorf("the notice was not kept: %v", err)
		}
		k.stop()
	})
}
