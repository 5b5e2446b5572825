package push

import (
	"context"
	"errors"
)

// receiver returns the function that stores an event, nil if there is none.
func (h *Handler) receiver(event any) func(context.Context) error {
	switch e := event.(type) {
	case Order:
		if h.Order != nil {
			return func(ctx context.Context) error { return h.Order(ctx, e) }
		}
	case Authorization:
		if h.Authorization != nil {
			return func(ctx context.Context) error { return h.Authorization(ctx, e) }
		}
	case Ticket:
		if h.Ticket != nil {
			return func(ctx context.Context) error { return h.Ticket(ctx, e) }
		}
	}
	return nil
}

var (
	errBusy = errors.New("too many pushes in progress")
	errLate = errors.New("took longer than the vendor waits")
)

// deliver passes a push to its function, unless it was stored before. It returns when
// ctx ends, in any case.
func (h *Handler) deliver(ctx context.Context, a account, d digest, hand func(context.Context) error) Result {
	for {
		kept, wait, free := h.seen.begin(d)
		switch {
		case kept:
			return Repeat
		case free:
			if err := h.call(ctx, d, hand); err != nil {
				h.warn(NotKept, a, "cannot store a push; the vendor will send it again", "error", err)
				return NotKept
			}
			return OK
		case wait == nil:
			h.warn(NotKept, a, "cannot store a push; the vendor will send it again", "error", errBusy)
			return NotKept
		}
		// The vendor got no answer to its previous attempt and sends again. If that
		// attempt fails, this one is passed on.
		select {
		case <-wait:
		case <-ctx.Done():
			h.warn(NotKept, a, "cannot store a push; the vendor will send it again", "error", errLate)
			return NotKept
		}
	}
}

// call waits for hand until ctx ends. If hand succeeds later, the push still counts as
// stored.
func (h *Handler) call(ctx context.Context, d digest, hand func(context.Context) error) error {
	done := make(chan error, 1)
	go func() {
		err := hand(ctx)
		h.seen.end(d, err == nil)
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return errLate
	}
}
