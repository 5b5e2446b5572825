package push

import (
	"crypto/sha256"
	"sync"
)

const (
	// remembered is the number of stored pushes remembered at least; at most it is
	// twice as many, in about 5 MB.
	remembered = 1 << 16
	// maxUnderWay bounds the pushes being delivered at once.
	maxUnderWay = 256
)

// digest identifies an account and a message.
type digest [16]byte

func digestOf(a account, message []byte) digest {
	h := sha256.New()
	for _, part := range [][]byte{[]byte(a.component), []byte(a.shop), message} {
		h.Write([]byte{byte(len(part) >> 16), byte(len(part) >> 8), byte(len(part))})
		h.Write(part)
	}
	return digest(h.Sum(nil))
}

// seenPushes remembers which pushes were stored, and which are being delivered. The
// zero value is ready.
type seenPushes struct {
	mu sync.Mutex
	// recent holds the latest stored pushes. When it is full it becomes older, and the
	// previous older is dropped.
	recent, older map[digest]struct{}
	// underWay has a channel for each push being delivered, closed when the delivery
	// ends.
	underWay map[digest]chan struct{}
}

// begin returns what to do with a push. kept: it was stored before. wait: it is being
// delivered; wait for the channel. free: deliver it, then call end. None of these: too
// many deliveries are in progress.
func (m *seenPushes) begin(d digest) (kept bool, wait <-chan struct{}, free bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, kept = m.recent[d]; kept {
		return true, nil, false
	}
	if _, kept = m.older[d]; kept {
		return true, nil, false
	}
	if ended, ok := m.underWay[d]; ok {
		return false, ended, false
	}
	if len(m.underWay) == maxUnderWay {
		return false, nil, false
	}
	if m.underWay == nil {
		m.underWay = map[digest]chan struct{}{}
	}
	m.underWay[d] = make(chan struct{})
	return false, nil, true
}

// end records the end of a delivery.
func (m *seenPushes) end(d digest, kept bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	close(m.underWay[d])
	delete(m.underWay, d)
	if !kept {
		return
	}
	if m.recent == nil || len(m.recent) == remembered {
		m.recent, m.older = map[digest]struct{}{}, m.recent
	}
	m.recent[d] = struct{}{}
}
