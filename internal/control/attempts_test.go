package control

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func wrong() bool { return false }
func right() bool { return true }

// A peer's wrong tokens are looked at until it has sent too many; waiting helps, and so
// does nothing else.
func TestAttemptsOfOnePeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a attempts
		for i := range ofOne {
			if ok, wait := a.try("a", wrong); ok || wait != 0 {
				t.Fatalf("wrong token %d: %v, wait %s", i, ok, wait)
			}
			if ok, _ := a.try("a", right); !ok && i < ofOne-1 {
				t.Fatalf("the right token after %d wrong ones is refused", i+1)
			}
		}
		looked := false
		ok, wait := a.try("a", func() bool { looked = true; return true })
		if ok || looked || wait <= 0 || wait > regainOne {
			t.Errorf("after too many: %v, looked %v, wait %s", ok, looked, wait)
		}
		if ok, _ := a.try("b", right); !ok {
			t.Error("another peer is refused")
		}
		time.Sleep(wait)
		if ok, wait := a.try("a", right); !ok {
			t.Errorf("after waiting: wait %s", wait)
		}
		if ok, wait := a.try("a", wrong); ok || wait != 0 {
			t.Errorf("one more: %v, wait %s", ok, wait)
		}
		if _, wait := a.try("a", right); wait <= 0 {
			t.Error("and one more is looked at")
		}
	})
}

// Many peers together get few attempts, a bounded memory, and cannot lock out another.
func TestAttemptsOfManyPeers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a attempts
		looked := 0
		count := func() bool { looked++; return false }
		for range 20 {
			for i := range 50 {
				a.try(fmt.Sprint("bot", i), count)
			}
		}
		if looked != ofAll {
			t.Errorf("%d wrong tokens of 50 peers were looked at, want %d", looked, ofAll)
		}
		if ok, _ := a.try("operator", right); !ok {
			t.Error("a peer without wrong tokens is locked out")
		}
		for i := range 3 * maxPeers {
			a.try(fmt.Sprint("flood", i), wrong)
			if len(a.peers) > maxPeers {
				t.Fatalf("%d peers are remembered", len(a.peers))
			}
		}
		if ok, _ := a.try("operator", right); !ok {
			t.Error("a peer without wrong tokens is locked out by a flood")
		}
		// When all is forgiven, the first new peer makes room.
		time.Sleep(time.Duration(4*maxPeers) * regainAll)
		a.try("new", wrong)
		if len(a.peers) != 1 {
			t.Errorf("%d peers are remembered, want 1", len(a.peers))
		}
	})
}
