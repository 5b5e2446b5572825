package txn

import (
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// A partition loses its end between the two requests of a reading, as by an unclean leader
// election. Nothing may be written there before the reading is over, so it must not wait
// for that.
func TestAReadingOfAPartitionThatLosesItsEnd(t *testing.T) {
	for name, ahead := range map[string]bool{"behind open transactions": false, "ahead of them": true} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *fixture) {
				w.mustPublish(w.open(), 1, 60)
				w.ControlKey(int16(kmsg.ListOffsets), func(r kmsg.Request) (kmsg.Response, error, bool) {
					req := r.(*kmsg.ListOffsetsRequest)
					res := req.ResponseKind().(*kmsg.ListOffsetsResponse)
					topic := kmsg.NewListOffsetsResponseTopic()
					topic.Topic = req.Topics[0].Topic
					p := kmsg.NewListOffsetsResponseTopicPartition()
					p.Offset = 100
					topic.Partitions = append(topic.Partitions, p)
					res.Topics = append(res.Topics, topic)
					return res, nil, true
				})
				reader := w.reader()
				reader.Ahead = ahead
				read := 0
				deliver := func(Record) error {
					read++
					return nil
				}
				done := make(chan error, 1)
				go func() {
					_, err := reader.ReadToEnd(t.Context(), offsets, 0, 0, deliver)
					done <- err
				}()
				var refused *Error
				select {
				case err := <-done:
					if !errors.As(err, &refused) || !refused.Retriable || !errors.Is(err, ErrBeyondEnd) || read == 0 {
						t.Errorf("%d records, %v", read, err)
					}
				case <-time.After(time.Hour):
					t.Fatal("it does not end")
				}
				read = 0
				if _, err := reader.ReadToEnd(t.Context(), offsets, 0, 0, deliver); err != nil || read == 0 {
					t.Errorf("again: %d records, %v", read, err)
				}
			})
		})
	}
}

// A partition loses even what was read already: a reading from its beginning may succeed.
func TestAReadingBehindTheEndOfItsPartition(t *testing.T) {
	inBubble(t, func(t *testing.T, w *fixture) {
		w.mustPublish(w.open(), 1, 60)
		var refused *Error
		_, err := w.reader().ReadTo(t.Context(), offsets, 0, 50, 100, func(Record) error { return nil })
		if !errors.As(err, &refused) || !refused.Retriable || !errors.Is(err, ErrBeyondEnd) {
			t.Errorf("ReadTo = %v", err)
		}
	})
}
