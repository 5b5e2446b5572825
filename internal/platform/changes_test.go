package platform

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"orderwalk/internal/wechat"
	"orderwalk/simulator"
)

// TestTwoChangesInOneSecond: the vendor's times are whole seconds, and pushes come in any
// order. The vendor's answer to the next call decides the outcome of two changes in one
// second, in whatever order they arrived.
func TestTwoChangesInOneSecond(t *testing.T) {
	for _, before := range []bool{false, true} { // authorised before the changes
		for _, truth := range []bool{false, true} { // authorised after them
			for _, inOrder := range []bool{false, true} {
				for _, apart := range []time.Duration{0, 20 * time.Second} {
					t.Run(fmt.Sprintf("before %v, in the end %v, in order %v, heard %v apart", before, truth, inOrder, apart), func(t *testing.T) {
						story(t, simulator.Faults{}, func(w *fixture) { w.twoChanges(before, truth, inOrder, apart) })
					})
				}
			}
		}
	}
}

func (w *fixture) twoChanges(before, truth, inOrder bool, apart time.Duration) {
	type change struct {
		what, code string
		ends       time.Time
	}
	var happened []change
	authorize := func() {
		a, err := w.api.Authorize("wx2")
		if err != nil {
			w.Fatal(err)
		}
		happened = append(happened, change{a.InfoType, a.Code, a.Expires})
	}
	revoke := func() {
		if err := w.api.Revoke("wx2"); err != nil {
			w.Fatal(err)
		}
		happened = append(happened, change{what: "unauthorized"})
	}
	reader := w.start("reader", false)
	reader.ticket()
	keeper := w.start("desk", true)
	if before {
		authorize()
		if err := reader.Authorization(w.Context(), "wx2", happened[0].what, happened[0].code, happened[0].ends, time.Now()); err != nil {
			w.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		reader.works("wx2")
		happened = nil
	}
	time.Sleep(time.Minute) // the list of authorizers has been requested recently
	at := time.Now()
	if before != truth { // it would take three changes to end in the first state
		authorize()
		if !truth {
			revoke()
		}
		if len(happened) == 1 {
			happened = append(happened, happened[0]) // a duplicate
		}
	} else if truth {
		revoke()
		authorize()
	} else {
		authorize()
		revoke()
	}
	if !inOrder {
		happened[0], happened[1] = happened[1], happened[0]
	}
	if apart == 0 {
		keeper.stop()
	}
	for i, c := range happened {
		if i > 0 {
			time.Sleep(apart)
		}
		if err := reader.Authorization(w.Context(), "wx2", c.what, c.code, c.ends, at); err != nil {
			w.Fatal(err)
		}
	}
	if apart == 0 {
		keeper = w.start("another", true)
	}
	time.Sleep(20 * time.Second)
	err := reader.list("wx2")
	var waits *wechat.Error
	if truth && err != nil || !truth && (!errors.As(err, &waits) || waits.Class != wechat.Wait || waits.Code != 61003 && waits.Code != 61023) {
		w.Errorf("authorised: %v, and the list call says %v\n%s", truth, err, w.log.String())
	}
	if !truth {
		time.Sleep(20 * time.Second) // its own call may have been refused first
		if err := reader.list("wx2"); !errors.As(err, &waits) || waits.Class != wechat.Wait {
			w.Errorf("a list call later: %v", err)
		}
	}
	keeper.stop()
	reader.stop()
}
