package control

import (
	"sync"
	"time"
)

// Limits on wrong tokens. A token is not guessed at these rates in any time, and an
// operator who mistypes one is not locked out.
const (
	// ofOne wrong tokens of one peer are looked at, and one more every regainOne.
	ofOne     = 10
	regainOne = 10 * time.Second
	// ofAll wrong tokens of all peers together are looked at, and one more every
	// regainAll. Beyond that a peer without a recent wrong token is still looked at, so
	// that many addresses cannot lock out another one.
	ofAll     = 100
	regainAll = time.Second
	// maxPeers bounds the peers that are remembered.
	maxPeers = 4096
)

// attempts counts wrong tokens by peer (see httpserve.PeerOf). Its zero value is ready.
//
// A count is kept as a time, its debt: when all wrong tokens so far are forgiven. Each
// one moves it on by the time in which one is regained; it is too far when more than the
// allowed number is open.
type attempts struct {
	mu    sync.Mutex
	all   time.Time
	peers map[string]time.Time
}

// try reports whether a peer's token is right. If the peer has to wait, it does not call
// right, so that the answer says nothing about the token.
func (a *attempts) try(peer string, right func() bool) (ok bool, wait time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	debt := a.peers[peer]
	wait = over(debt, now, ofOne, regainOne)
	if wait == 0 && debt.After(now) {
		wait = over(a.all, now, ofAll, regainAll)
	}
	if wait > 0 {
		return false, wait
	}
	if right() {
		return true, 0
	}
	a.all = later(a.all, now).Add(regainAll)
	a.remember(peer, later(debt, now).Add(regainOne), now)
	return false, 0
}

// remember sets the debt of a peer. When there are too many peers, it forgets those
// without a debt, or else the one with the smallest.
func (a *attempts) remember(peer string, debt, now time.Time) {
	if a.peers == nil {
		a.peers = map[string]time.Time{}
	}
	if _, known := a.peers[peer]; !known && len(a.peers) >= maxPeers {
		least := ""
		for other, d := range a.peers {
			switch {
			case !d.After(now):
				delete(a.peers, other)
			case least == "" || d.Before(a.peers[least]):
				least = other
			}
		}
		if len(a.peers) >= maxPeers {
			delete(a.peers, least)
		}
	}
	a.peers[peer] = debt
}

// over returns how long it takes until a debt allows another attempt.
func over(debt, now time.Time, allowed int, regain time.Duration) time.Duration {
	return max(0, max(0, debt.Sub(now))-time.Duration(allowed-1)*regain)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
