package backoff

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// Waits grow to the longest, go on for ever, and begin again after Reset.
func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(time.Second, time.Minute)
		if d := b.Next(); d > 2*time.Second {
			t.Errorf("the first wait is %v", d)
		}
		for range 100 {
			if err := b.Sleep(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if d := b.Next(); d < 30*time.Second || d > 90*time.Second {
			t.Errorf("after a hundred tries: %v", d)
		}
		b.Reset()
		if d := b.Next(); d > 2*time.Second {
			t.Errorf("after Reset: %v", d)
		}
	})
}

func TestSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if err := Sleep(t.Context(), time.Hour); err != nil || time.Since(began) != time.Hour {
			t.Errorf("Sleep = %v after %v", err, time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := Sleep(ctx, time.Hour); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Sleep = %v", err)
		}
		if err := Sleep(ctx, 0); err == nil {
			t.Error("Sleep for nothing went on after the end")
		}
	})
}
