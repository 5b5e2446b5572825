package platform

import (
	"context"
	"strings"
	"testing"
	"time"

	"orderwalk/simulator"
)

// TestTheLastTicketIsKept: a ticket comes by file, by push and from an operator. The
// last one stays over changes of keepers and keys, however the clocks differ; the file's
// counts again when it has changed.
func TestTheLastTicketIsKept(t *testing.T) {
	story(t, simulator.Faults{}, func(w *fixture) {
		reader := w.start("reader", false)
		keeper := w.start("desk", true)
		file := func(ticket string) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.file = ticket
		}
		holds := func(what, want string) {
			w.Helper()
			for range 3 { // keepers
				time.Sleep(15 * time.Minute)
				if s, _ := reader.store.snapshot(); s.ticket.text != want {
					w.Errorf("%s: the ticket is %q, want %q", what, s.ticket.text, want)
				}
				keeper.stop()
				keeper = w.start("desk", true)
			}
		}
		give := func(ticket string, at time.Time) {
			w.Helper()
			if err := reader.Ticket(w.Context(), ticket, at); err != nil {
				w.Fatal(err)
			}
		}
		file("ticket-in-a-file")
		holds("from a file", "ticket-in-a-file")
		give("ticket-of-a-push", time.Now().Add(4*time.Minute)) // the vendor's clock is ahead
		give("ticket-by-hand", time.Time{})
		give("ticket-that-came-late", time.Now())
		holds("by hand", "ticket-by-hand")
		w.mu.Lock()
		w.keys = keysOf(2, 1)
		w.mu.Unlock()
		holds("sealed anew", "ticket-by-hand")
		file("ticket-in-a-file-that-has-changed")
		holds("from a file that has changed", "ticket-in-a-file-that-has-changed")
		keeper.stop()
		reader.stop()
	})
}

// secret is the platform's secret.
func (w *fixture) secret() (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.wrong {
		return "reset-since", nil
	}
	return "platform-secret", nil
}

// TestACorrectedPlatformSecretIsUsedAtOnce: a corrected secret is used at once,
// however long the wrong one has been retried.
func TestACorrectedPlatformSecretIsUsedAtOnce(t *testing.T) {
	story(t, simulator.Faults{}, func(w *fixture) {
		w.wrong = true
		k := w.start("a", true)
		k.ticket()
		time.Sleep(time.Hour)
		if err := k.list("wx1"); err == nil || !strings.Contains(w.log.String(), "40125") {
			w.Errorf("with a wrong secret: %v", err)
		}
		w.mu.Lock()
		w.wrong = false
		w.mu.Unlock()
		time.Sleep(2 * lookEvery)
		ctx, cancel := context.WithTimeout(w.Context(), time.Second)
		defer cancel()
		if _, err := k.Tokens("wx1")(ctx, ""); err != nil {
			w.Errorf("%v after it was mended: %v", 2*lookEvery, err)
		}
		k.stop()
	})
}
