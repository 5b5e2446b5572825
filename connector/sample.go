package connector

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"orderwalk/internal/wechat"
)

// Sample is what a few list calls tell of a range.
type Sample struct {
	Density Density
	// Orders is about how many there are in the range.
	Orders int
	// Calls were made, and Windows read to their end with Seen orders in them,
	// a Share of the range from 0 to 1.
	Calls, Windows, Seen int
	Share                float64
	// Most is how many orders the API lists for one range, by those it has
	// refused; 0 = none were.
	Most int
	// Latency is how long a call takes.
	Latency time.Duration
}

const (
	// strata is how many parts a range is sampled in.
	strata = 8
	// sampleOrders is how many orders a window of a sample shall hold: many, and
	// seldom more than a page.
	sampleOrders = 70
	// samplePages is how many pages of a window are read before a piece of it,
	// one of samplePieces, has to tell how many more there are.
	samplePages, samplePieces = 2, 16
	// sampleLeast is the least length of a window in seconds: whether its end
	// counts must not matter much.
	sampleLeast = 4
)

// Measure lists some short windows all over a range, by so many calls at most,
// to learn how many orders it holds and where.
func Measure(ctx context.Context, client *wechat.Client, p Policy, calls int) (Sample, error) {
	s := sampler{client: client, policy: p, left: calls}
	n := max(1, min(strata, (p.End-p.Start)/sampleLeast))
	for i := range n {
		s.parts = append(s.parts, stratum{start: p.Start + (p.End-p.Start)*i/n, end: p.Start + (p.End-p.Start)*(i+1)/n})
	}
	err := s.run(ctx)
	return s.sample(calls), err
}

// stratum is one part of the range, and the windows of it that count.
type stratum struct {
	start, end int64
	probes     []*probe
}

// probe is one window of a sample.
type probe struct {
	start, length int64
	n             int     // orders listed so far
	key           string  // of the next page
	whole         bool    // read to its end
	refused       bool    // as too full
	guess         float64 // how many orders it holds, by a piece of it; 0 = none was read
}

// seconds is how long the window is: whether its end counts nobody knows.
func (w *probe) seconds() float64 { return float64(w.length) - 0.5 }

// orders is how many it holds, as far as is known.
func (w *probe) orders() float64 {
	if w.whole {
		return float64(w.n)
	}
	return max(float64(w.n), w.guess)
}

// found is what the windows of a part held, and how long they were together.
func (p *stratum) found() (orders, seconds float64) {
	for _, w := range p.probes {
		orders += w.orders()
		seconds += w.seconds()
	}
	return orders, seconds
}

type sampler struct {
	client *wechat.Client
	policy Policy
	left   int // calls that may be made
	parts  []stratum
	length int64 // of the next window; 0 = nothing is known yet
	placed int   // windows so far

	tooFull []*probe // that were refused
	took    []time.Duration
}

// run visits every part once, and then spends what is left: on windows that had
// a burst in them and were not read to their end, then on more windows.
func (s *sampler) run(ctx context.Context) error {
	for i := range s.parts {
		if err := s.visit(ctx, &s.parts[i], len(s.parts)-1-i); err != nil {
			return err
		}
		s.aim(s.parts[max(0, i-2) : i+1])
	}
	for s.left > 0 {
		i, burst := s.next()
		var err error
		switch {
		case burst != nil:
			err = s.page(ctx, burst)
		case i >= 0:
			s.aim(s.parts[max(0, i-1):min(len(s.parts), i+2)])
			err = s.visit(ctx, &s.parts[i], 0)
		default:
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// visit reads a window of a part. It keeps a call for each of so many others.
func (s *sampler) visit(ctx context.Context, p *stratum, others int) error {
	w := s.place(p)
	pages := samplePages
	if s.length == 0 {
		pages = 1
	}
	if err := s.read(ctx, w, pages, others); err != nil {
		return err
	}
	for !w.whole && w.length > sampleLeast && s.left > others {
		piece, err := s.piece(ctx, w, others)
		if err == nil && !piece.whole && s.length > 0 {
			// Is all of it so full, or was that a burst?
			piece, err = s.piece(ctx, w, others)
		}
		if err != nil {
			return err
		}
		if piece.whole && s.length > 0 {
			w.guess = float64(piece.n) / piece.seconds() * w.seconds()
			break
		}
		w = piece // which says more than a window that is out of scale
	}
	p.probes = append(p.probes, w)
	return nil
}

// read reads so many pages of a window at most.
func (s *sampler) read(ctx context.Context, w *probe, pages, others int) error {
	for ; pages > 0 && s.left > others && !w.whole && !w.refused; pages-- {
		if err := s.page(ctx, w); err != nil {
			return err
		}
	}
	return nil
}

// next is a window that had a burst in it, to be read on, or else the part to
// read another window of: the one of which the least is read; −1 = none.
func (s *sampler) next() (part int, burst *probe) {
	part = -1
	least := 0.5
	for i, p := range s.parts {
		for _, w := range p.probes {
			if !w.whole && w.key != "" && w.guess > 0 && w.guess < float64(w.n) {
				return i, w
			}
		}
		if _, seconds := p.found(); seconds/float64(p.end-p.start) < least {
			part, least = i, seconds/float64(p.end-p.start)
		}
	}
	return part, nil
}

// golden is what a row of numbers grows by, each time less its whole part, to
// be spread evenly however long it gets.
const golden = 0.6180339887498949

// place puts a window into a part, each at another time of the day, of which
// they cover the whole: shops sleep.
func (s *sampler) place(p *stratum) *probe {
	const day = 24 * 3600
	s.placed++
	_, at := math.Modf(golden * float64(s.placed))
	width := p.end - p.start
	length := min(longest, width)
	if s.length > 0 {
		length = min(length, s.length)
	}
	room := width - length
	if room < day {
		return &probe{start: p.start + int64(at*float64(room)), length: length}
	}
	first := (int64(at*day) - p.start%day + day) % day
	_, other := math.Modf(golden * golden * float64(s.placed))
	days := int64(other * float64((room-first)/day+1))
	return &probe{start: p.start + first + days*day, length: length}
}

// piece reads a page of a part of a window.
func (s *sampler) piece(ctx context.Context, w *probe, others int) (*probe, error) {
	s.placed++
	_, at := math.Modf(golden * float64(s.placed))
	length := max(sampleLeast, w.length/samplePieces)
	piece := &probe{start: w.start + int64(at*float64(w.length-length)), length: length}
	return piece, s.read(ctx, piece, 1, others)
}

// aim sets the length of the next window by what the windows of some parts
// held: the one in the middle, so that bursts do not count, unless most were
// empty.
func (s *sampler) aim(parts []stratum) {
	var held []float64
	var orders, seconds float64
	for i := range parts {
		for _, w := range parts[i].probes {
			held = append(held, w.orders()/w.seconds())
		}
		n, d := parts[i].found()
		orders, seconds = orders+n, seconds+d
	}
	if len(held) == 0 {
		return
	}
	slices.Sort(held)
	perSecond := held[len(held)/2]
	if perSecond == 0 {
		perSecond = max(1, orders) / seconds
	}
	s.length = int64(max(sampleLeast, min(longest, sampleOrders/perSecond)))
}

// page makes one list call.
func (s *sampler) page(ctx context.Context, w *probe) error {
	s.left--
	page, err := s.client.Probe(ctx, wechat.Query{Range: s.policy.Range, Start: w.start, End: w.start + w.length - 1,
		Status: s.policy.Status, OpenID: s.policy.OpenID, PageSize: 100, Key: w.key})
	var verdict *wechat.Error
	switch {
	case err == nil:
	case errors.As(err, &verdict) && verdict.Class == wechat.Shrink:
		w.refused = true
		s.tooFull = append(s.tooFull, w)
		return nil
	case errors.As(err, &verdict) && verdict.Class == wechat.KeyRefused:
		w.key = "" // what was listed so far has to do
		return nil
	default:
		return err
	}
	s.took = append(s.took, page.Took)
	w.n += len(page.IDs)
	w.whole, w.key = !page.More, page.Next
	return nil
}

// sample sums up.
func (s *sampler) sample(calls int) Sample {
	r := Sample{Calls: calls - s.left}
	var orders, seconds float64
	for i := range s.parts {
		n, d := s.parts[i].found()
		orders, seconds = orders+n, seconds+d
	}
	for i := range s.parts {
		p := &s.parts[i]
		n, d := p.found()
		r.Windows += len(p.probes)
		for _, w := range p.probes {
			r.Seen += w.n
		}
		r.Share += d / float64(max(1, s.policy.End-s.policy.Start))
		if d == 0 { // not one call was left for it
			n, d = orders, max(1, seconds)
		}
		r.Density = append(r.Density, Piece{p.start, p.end, n / d})
	}
	r.Share = min(1, r.Share)
	r.Orders = r.Density.Orders(s.policy.Start, s.policy.End)
	for _, w := range s.tooFull {
		if n := r.Density.Orders(w.start, w.start+w.length); r.Most == 0 || n < r.Most {
			r.Most = n
		}
	}
	if slices.Sort(s.took); len(s.took) > 0 {
		r.Latency = s.took[len(s.took)/2]
	}
	return r
}
