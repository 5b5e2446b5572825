package connector

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// gateway stands before the API of a life. While it is bad, it answers a share of the list
// calls with a success that says too little.
type gateway struct {
	mu  sync.Mutex
	rnd *rand.Rand
	bad []badGateway
}

type badGateway struct {
	form  string // see distort
	share float64
	// same reports that equal requests get equal answers, as from a cache.
	same bool
	seed uint64
	end  time.Time
}

// drawGateway draws when the gateway is bad. In every third life the API leaves out what
// is empty or false.
func (l *life) drawGateway() {
	rnd := rand.New(rand.NewPCG(l.seed, 14))
	if rnd.IntN(3) == 0 {
		l.silent = true
		l.lasting = append(l.lasting, "order_id_list=absent has_more=absent key_on_last_page=absent")
	}
	if rnd.IntN(2) == 0 {
		return
	}
	l.silent = true
	for range 1 + rnd.IntN(4) {
		from, lasts := time.Duration(rnd.Int64N(int64(l.length))), between(rnd, time.Second, 5*time.Minute)
		b := badGateway{form: draw(rnd, successes...), share: draw(rnd, 1, 0.5, 0.33, 0.1, 0.03), same: rnd.IntN(3) == 0, seed: rnd.Uint64()}
		l.add(from, fmt.Sprintf("%g of the answers are %s for %v (equal requests alike: %v)", b.share, b.form, lasts, b.same), func(s *stage) {
			b.end = time.Now().Add(lasts)
			s.gate.mu.Lock()
			defer s.gate.mu.Unlock()
			s.gate.bad = append(s.gate.bad, b)
		})
	}
}

// play answers a call instead of the API, if it is bad for that call.
func (g *gateway) play(a *stage, w http.ResponseWriter, r *http.Request) bool {
	q, list := peek(a.testbed, r)
	if !list {
		return false
	}
	g.mu.Lock()
	form := ""
	for _, b := range g.bad {
		share := g.rnd.Float64()
		if b.same {
			hash := fnv.New64a()
			fmt.Fprint(hash, b.seed)
			hash.Write(q.body)
			share = rand.New(rand.NewPCG(hash.Sum64(), b.seed)).Float64()
		}
		if share < b.share && time.Now().Before(b.end) {
			form = b.form
		}
	}
	g.mu.Unlock()
	if form == "" {
		return false
	}
	if lasting := a.parse(a.life.lasting); lasting.DateAbsent {
		w.Header()["Date"] = nil
	} else { // its clock is the API's
		w.Header().Set("Date", time.Now().Add(lasting.ClockSkew).UTC().Format(http.TimeFormat))
	}
	distort(a.testbed, w, r, form)
	return true
}

// mend ends all that is bad.
func (g *gateway) mend() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.bad = nil
}
