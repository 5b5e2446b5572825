package push

import (
	"crypto/sha256"
	"sync"
)

const (
	// remembered is how many kept pushes are remembered at least; at most it is
	// twice as many, in about 5 MB.
	remembered = 1 << 16
	// maxUnderWay is how many pushes are handed on at once.
	maxUnderWay = 256
)

// digest stands for an account and a message.
type digest [16]byte

func digestOf(a account, message []byte) digest {
	h := sha256.New()
	for _, part := range [][]byte{[]byte(a.component), []byte(a.shop), message} {
		h.Write([]byte{byte(len(part) >> 16), byte(len(part) >> 8), byte(len(part))})
		h.Write(part)
	}
	return digest(h.Sum(nil))
}

// memory knows which pushes have been kept, and which are being handed on. The
// zero value is ready.
type memory struct {
	mu sync.Mutex
	// recent is what was kept of late. When it is full it becomes older, and
	// what was older is forgotten.
	recent, older map[digest]struct{}
	// underWay has a channel for each push that is being handed on. It is closed
	// when that has come to an end.
	underWay map[digest]chan struct{}
}

// begin says what to do with a push: nothing, as it was kept before; wait, as
// it is being handed on already; hand it on, to be followed by end; or refuse
// it, as too many are under way.
func (m *memory) begin(d digest) (kept bool, wait <-chan struct{}, free bool) {
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

// end says how the handing on of a push has ended.
func (m *memory) end(d digest, kept bool) {
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
