package txn

import (
	"reflect"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A broker that does not know a topic for a moment, as after a start, shows nothing that is
// open there. The Writer looks again before it writes.
func TestATopicThatIsUnknownForAMomentIsLookedAtLater(t *testing.T) {
	for name, unknown := range map[string]kfake.Fault{
		"in the metadata": {Keys: []kmsg.Key{kmsg.Metadata}, Topic: orders, Err: kerr.UnknownTopicOrPartition, Count: -1},
		"to its leaders":  {Keys: []kmsg.Key{kmsg.DescribeProducers}, Topic: orders, Err: kerr.UnknownTopicOrPartition, Count: -1},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *fixture) {
				older := w.open()
				w.mustPublish(older, 1, 60)
				w.transport.CloseIdleConnections()
				w.transport = w.newTransport()
				fault := w.Fault(unknown)
				writer := w.open()
				fault.Remove()
				if fault.Hits() == 0 {
					t.Fatal("the topic was never unknown")
				}
				h := &danglingKafka{id: older.ProducerID(), left: []map[string]sent{{"orders/1": {0, 9}}}}
				h.in(w)
				w.mustPublish(writer, 61, 120)
				all := "add offsets/0 orders/0 orders/1 orders/2 orders/3 orders/4 orders/5"
				if got, want := h.took(w), []string{"add orders/1", "commit", all, "commit"}; !reflect.DeepEqual(got, want) {
					t.Errorf("done: %q, want %q", got, want)
				}
				w.expect(120)
			})
		})
	}
}
