package forecast

import (
	"cmp"
	"math"
	"slices"

	"orderwalk/connector/window"
)

const (
	// sampleOrders is how many orders a window of a sample should hold: many, and
	// seldom more than a page.
	sampleOrders = 50
	// samplePages is how many pages of a window are read if it holds more than
	// its neighbours led to expect, as one with a burst does.
	samplePages = 4
	// sampleCut is into how many pieces a window is cut that is far too full.
	sampleCut = 8
	// sampleEdges is how many windows close in on where the density changes. Those
	// after them spread more evenly, by sampleEven: dense times would be looked at
	// again and again, and quiet ones believed.
	sampleEdges, sampleEven = 20, 8
	// sampleLeast is the least length of a window in seconds: it must not matter
	// much whether the API counts the end of a range in.
	sampleLeast = 4
)

// sampler decides which windows of a range to list, and estimates from the
// answers what the range holds. It is pure: no call, no clock.
//
// It keeps the range as a row of parts without holes. A part that has been read
// holds a known number of orders; one that has not is estimated from the nearest
// read parts on both sides. The next window is put into the part whose estimate
// is most in doubt: a long one, or one between two neighbours that differ. So the
// windows spread evenly over a range that is even, and close in on the second at
// which a shop opened, closed or had its great day.
type sampler struct {
	parts []*stretch
	// window is the part being listed; nil before the first.
	window *stretch
	// aimed is set if neighbours gave the window its length.
	aimed bool
	// beside are the parts that window was cut out of, known to hold a total of
	// held orders together with it.
	beside []*stretch
	held   float64

	tooFull []stretch // ranges that the API refused
	placed  int       // windows so far
	ends    int       // of the range that were asked for
}

// stretch is a time of the range.
type stretch struct {
	start, end int64   // unix seconds, end not included
	orders     float64 // it holds: exactly if read, else at least
	read       bool    // listed to its end
	pages      int     // listed so far
	key        string  // of the next page
}

// seconds is the part's length. Whether its end counts is not documented.
func (p *stretch) seconds() float64 { return max(0.5, float64(p.end-p.start)-0.5) }

func (p *stretch) perSecond() float64 {
	if p == nil {
		return 0
	}
	return p.orders / p.seconds()
}

func newSampler(start, end int64) *sampler {
	return &sampler{parts: []*stretch{{start: start, end: end}}}
}

// next is the window to list a page of; nil when nothing is left to learn.
func (s *sampler) next() *stretch {
	w := s.window
	switch {
	case w == nil || w.read:
	case w.key != "" && w.pages < samplePages && (s.aimed || w.end-w.start <= sampleLeast):
		return w
	case w.end-w.start > sampleLeast:
		length := max(sampleLeast, (w.end-w.start)/sampleCut)
		s.aimed = false
		s.cut(w, s.place(w, length), length)
		return s.window
	default:
		w.read = true // what was listed of it has to do
	}
	s.join()
	if w := s.end(); w != nil {
		return w
	}
	most, doubt := -1, 0.0
	even := square(s.orders()/s.seconds() + 1e-9)
	if s.placed >= sampleEdges {
		even *= sampleEven
	}
	for i, p := range s.parts {
		if !p.read {
			if d := square(p.seconds()) * (s.differ(i) + even); d > doubt {
				most, doubt = i, d
			}
		}
	}
	if most < 0 {
		return nil
	}
	p, length := s.parts[most], s.aim(most)
	s.cut(p, s.place(p, length), length)
	return s.window
}

// end puts the first window at the end of the range and the second at its begin:
// a shop that opened within the range has orders at the one, a shop that closed
// at the other. It returns nil when both are known.
func (s *sampler) end() *stretch {
	p := s.parts[0]
	if s.ends == 2 || p.read {
		return nil
	}
	at, length := p.start, s.aim(0)
	if s.ends++; s.ends == 1 {
		at = p.end - length
	}
	s.cut(p, at, length)
	return s.window
}

// aim is the length of a window in a part that is not read: one that holds
// sampleOrders, judging by its neighbours, but not over four times as long.
func (s *sampler) aim(i int) int64 {
	p, length := s.parts[i], float64(window.Longest)
	before, after := s.neighbours(i)
	s.aimed = false
	for _, n := range []*stretch{before, after} {
		if n != nil {
			length = min(length, sampleOrders*n.seconds()/max(n.orders, sampleOrders/4))
			s.aimed = s.aimed || n.orders > sampleOrders/4
		}
	}
	if p.orders > 0 {
		length = min(length, sampleOrders/p.perSecond())
	}
	whole := p.end - p.start
	if whole <= window.Longest && length > float64(whole)*2/3 {
		return whole
	}
	return min(whole, max(sampleLeast, int64(length)))
}

// cut takes a window out of a part, and makes it the one to list.
func (s *sampler) cut(p *stretch, at, length int64) {
	s.placed++
	w := &stretch{start: at, end: at + length}
	s.window, s.held, s.beside = w, p.orders, nil
	row := []*stretch{w}
	if p.start < w.start {
		row = slices.Insert(row, 0, &stretch{start: p.start, end: w.start})
		s.beside = append(s.beside, row[0])
	}
	if w.end < p.end {
		row = append(row, &stretch{start: w.end, end: p.end})
		s.beside = append(s.beside, row[len(row)-1])
	}
	i := slices.Index(s.parts, p)
	s.parts = slices.Replace(s.parts, i, i+1, row...)
	s.share()
}

// golden is what a row of numbers grows by, each time less its whole part, to
// spread evenly however long it gets.
const golden = 0.6180339887498949

// place puts a window near the middle of a part, each at another time of the
// day, of which the windows together cover the whole: shops sleep.
func (s *sampler) place(p *stretch, length int64) int64 {
	const day = 24 * 3600
	_, phase := math.Modf(golden * float64(s.placed))
	room := p.end - p.start - length
	if room < 2*day {
		return p.start + int64((0.25+phase/2)*float64(room))
	}
	middle := p.start + room/2
	return middle - day/2 + (int64(phase*day)-(middle-day/2)%day+day)%day
}

// listed takes in a page of the window.
func (s *sampler) listed(n int, more bool, key string) {
	w := s.window
	w.orders += float64(n)
	w.pages++
	w.read, w.key = !more, key
	s.share()
}

// refused takes in that the API lists no range with so many orders.
func (s *sampler) refused() {
	w := s.window
	s.tooFull = append(s.tooFull, *w)
	w.pages++
	w.orders, w.key = max(w.orders, 1), ""
	s.share()
}

// share leaves to the parts beside the window what it does not hold itself of
// the orders known to be in all of them.
func (s *sampler) share() {
	var total float64
	for _, p := range s.beside {
		total += p.seconds()
	}
	for _, p := range s.beside {
		p.orders = max(0, s.held-s.window.orders) * p.seconds() / total
	}
}

// join makes one part of neighbours that are not read.
func (s *sampler) join() {
	joined := s.parts[:0]
	for _, p := range s.parts {
		if n := len(joined); n > 0 && !p.read && !joined[n-1].read {
			joined[n-1] = &stretch{start: joined[n-1].start, end: p.end, orders: joined[n-1].orders + p.orders}
			continue
		}
		joined = append(joined, p)
	}
	clear(s.parts[len(joined):])
	s.parts = joined
	s.window, s.beside = nil, nil
}

// neighbours are the nearest read parts before and after one. At an end of the
// range one stands in for the other; nil = nothing is read yet.
func (s *sampler) neighbours(i int) (before, after *stretch) {
	for j := i - 1; j >= 0 && before == nil; j-- {
		if s.parts[j].read {
			before = s.parts[j]
		}
	}
	for j := i + 1; j < len(s.parts) && after == nil; j++ {
		if s.parts[j].read {
			after = s.parts[j]
		}
	}
	return cmp.Or(before, after), cmp.Or(after, before)
}

// density is the orders per second in a part, as far as is known.
func (s *sampler) density(i int) float64 {
	p := s.parts[i]
	if p.read {
		return p.perSecond()
	}
	return max(s.between(i), p.perSecond())
}

// differ is the variance of the density in a part: it is as uncertain as its
// neighbours differ, and as the number of orders in them is limited.
func (s *sampler) differ(i int) float64 {
	if s.parts[i].read {
		return 0
	}
	before, after := s.neighbours(i)
	return square(before.perSecond()-after.perSecond())/2 + square(s.density(i))/sampleOrders + square(s.excess(i))
}

// excess is by how much a part is known to be denser than its neighbours.
func (s *sampler) excess(i int) float64 { return s.density(i) - s.between(i) }

// between is the density in the middle between a part's neighbours.
func (s *sampler) between(i int) float64 {
	before, after := s.neighbours(i)
	return (before.perSecond() + after.perSecond()) / 2
}

func square(x float64) float64 { return x * x }

// seconds is the length of the range.
func (s *sampler) seconds() float64 {
	return (&stretch{start: s.parts[0].start, end: s.parts[len(s.parts)-1].end}).seconds()
}

// orders is the estimate for the whole range.
func (s *sampler) orders() (n float64) {
	for i, p := range s.parts {
		n += s.density(i) * p.seconds()
	}
	return n
}

// doubt is how far the estimate is probably off: two standard deviations, where
// each part may differ inside as much as all do on average, and two orders more
// than were seen. known is false if windows that were too full to be read hold
// too much of it to say.
func (s *sampler) doubt() (orders float64, known bool) {
	var seen, read, rest, spread, excess float64
	for i, p := range s.parts {
		if p.read {
			read += p.seconds()
			seen += p.orders
			continue
		}
		rest += p.seconds()
		spread += p.seconds() * s.differ(i)
		excess += p.seconds() * s.excess(i)
	}
	if rest == 0 {
		return 0, true
	}
	scale := rest / max(1, read)
	variance := square(scale) * seen
	for i, p := range s.parts {
		if !p.read {
			variance += square(p.seconds()) * (s.differ(i) + spread/rest)
		}
	}
	return 2*math.Sqrt(variance) + 2*scale, read > 0 && excess <= s.orders()/4
}
