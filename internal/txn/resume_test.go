package txn

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// leaveOpen makes Kafka confirm the next commit and leave its records open.
func (w *fixture) leaveOpen() {
	w.ControlKey(int16(kmsg.EndTxn), func(r kmsg.Request) (kmsg.Response, error, bool) {
		if !r.(*kmsg.EndTxnRequest).Commit {
			w.KeepControl()
			return nil, nil, false
		}
		return r.ResponseKind(), nil, true
	})
}

// A confirmed commit whose markers are missing is committed, whatever becomes of the
// requests of the transaction that follows.
func TestNoAbortTakesAConfirmedCommitAlong(t *testing.T) {
	for what, f := range map[string]fate{
		"no record of the next arrives":          {do: lose},
		"its records arrive, the answers do not": {do: cut},
		"they arrive when it has been given up":  {do: late, delay: 17 * time.Second},
	} {
		for _, lasting := range []time.Duration{time.Second, 20 * time.Second} {
			t.Run(fmt.Sprint(what, " for ", lasting), func(t *testing.T) {
				inBubble(t, func(t *testing.T, w *fixture) {
					var until time.Time
					w.disturb(func(key kmsg.Key, _ int) fate {
						if key == kmsg.Produce && time.Now().Before(until) {
							return f
						}
						return fate{}
					})
					writer := w.open()
					w.mustPublish(writer, 1, 60)
					w.leaveOpen()
					w.mustPublish(writer, 61, 120)
					until = time.Now().Add(lasting)
					w.mustPublish(writer, 121, 180)
					w.mustPublish(writer, 181, 240)
					w.disturbed.quiet.Store(true)
					w.expect(240)
				})
			})
		}
	}
}

// If Kafka ends the transaction that follows, for its age, the Writer cannot save the
// confirmed one before it. It fails, so that its owner reads what is committed.
func TestAWriterFailsWhenItsConfirmedCommitIsGone(t *testing.T) {
	inBubble(t, func(t *testing.T, w *fixture) {
		var until time.Time
		w.disturb(func(key kmsg.Key, _ int) fate {
			if key == kmsg.Produce && time.Now().Before(until) {
				return fate{do: lose}
			}
			return fate{}
		})
		writer := w.open()
		w.mustPublish(writer, 1, 60)
		w.leaveOpen()
		w.mustPublish(writer, 61, 120)
		until = time.Now().Add(2 * time.Minute)
		if err := w.publish(writer, 121, 180); !errors.Is(err, ErrFenced) {
			t.Errorf("publish: %v, want ErrFenced", err)
		}
		w.disturbed.quiet.Store(true)
		w.open()
		w.expect(60)
	})
}
