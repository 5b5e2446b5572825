package push

import (
	"context"
	"errors"
)

// receiver gives what an event is handed to, nil if nobody wants it.
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
	errBusy = errors.New("too many pushes are under way")
	errLate = errors.New("it has taken longer than the vendor waits")
)

// keep hands a push on, unless it has been kept before. It returns when ctx ends
// whatever becomes of it.
func (h *Handler) keep(ctx context.Context, a account, d digest, hand func(context.Context) error) Result {
	for {
		kept, wait, free := h.memory.begin(d)
		switch {
		case kept:
			return Repeat
		case free:
			if err := h.handOn(ctx, d, hand); err != nil {
				h.complain(NotKept, a, "a push could not be kept", "error", err)
				return NotKept
			}
			return OK
		case wait == nil:
			h.complain(NotKept, a, "a push could not be kept", "error", errBusy)
			return NotKept
		}
		// The vendor, who has not heard of its first try, tries again. If that
		// fails, this one is handed on.
		select {
		case <-wait:
		case <-ctx.Done():
			h.complain(NotKept, a, "a push could not be kept", "error", errLate)
			return NotKept
		}
	}
}

// handOn waits for hand until ctx ends. A hand that goes on nevertheless is
// still heard: what it keeps is kept.
func (h *Handler) handOn(ctx context.Context, d digest, hand func(context.Context) error) error {
	done := make(chan error, 1)
	go func() {
		err := hand(ctx)
		h.memory.end(d, err == nil)
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return errLate
	}
}
