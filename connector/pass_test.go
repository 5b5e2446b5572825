package connector

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"orderwalk/internal/wechat"
	"orderwalk/offsets"
)

// A pass that uses the IDs of its window decides as one that keeps its own, also after it
// began again.
func TestAPassMayUseTheIDsOfItsWindow(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var win offsets.Window
		borrowing, keeping := newPass(&win.Seen), newPass(nil)
		kinds := rnd.IntN(60) + 1 // few IDs: pages soon repeat
		for i := range 200 {
			page := wechat.Page{More: true, Next: fmt.Sprint(i)}
			for range rnd.IntN(4) {
				page.IDs = append(page.IDs, fmt.Sprint(rnd.IntN(kinds)))
			}
			got, want := borrowing.check(page), keeping.check(page)
			if !errors.Is(got, want) || borrowing.repeats != keeping.repeats || borrowing.empty != keeping.empty || borrowing.pause() != keeping.pause() {
				t.Fatalf("seed %d, page %d: %v, %d repeats; want %v, %d", seed, i, got, borrowing.repeats, want, keeping.repeats)
			}
			for _, id := range page.IDs {
				win.See(id)
			}
			if got != nil || rnd.IntN(100) == 0 {
				borrowing.clear()
				keeping.clear()
			}
		}
	}
}

// What a window has seen before its pass does not count as listed by the pass.
func TestASecondPassKeepsItsOwnIDs(t *testing.T) {
	win := offsets.Window{Pass: 2}
	win.See("1")
	pass := newPass(&win.Seen)
	for i, want := range []int{0, 1, 2} {
		if err := pass.check(wechat.Page{More: true, Next: fmt.Sprint(i), IDs: []string{"1"}}); err != nil || pass.repeats != want {
			t.Errorf("page %d: %d repeats, %v; want %d", i, pass.repeats, err, want)
		}
	}
}
