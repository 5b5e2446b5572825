package forecast

import (
	"cmp"
	"math"
	"slices"

	"orderwalk/connector/window"
)

const (
	// sampleOrders is how many orders a sampled window should hold: many, but seldom
	// more than a page.
	sampleOrders = 50
	// samplePages is how many pages of a window are read if it holds more orders than
	// its neighbours suggested, as in a burst.
	samplePages = 4
	// sampleCut is into how many pieces a window is cut that is far too full.
	sampleCut = 8
	// sampleEdges is how many windows search for changes of the density. Later ones
	// spread more evenly, by sampleEven: otherwise dense times would be sampled again
	// and again and quiet ones never.
	sampleEdges, sampleEven = 20, 8
	// sampleLeast is the least length of a window in seconds: it must hardly matter
	// whether the API includes the end of a range.
	sampleLeast = 4
)

// sampler decides which windows of a range to list, and estimates from the answers what
// the range holds. It is pure: no call, no clock.
//
// It keeps the range as a row of parts without gaps. A part that was read holds a known
// number of orders; any other is estimated from the nearest read parts on both sides.
// The next window goes into the part whose estimate is least certain: a long one, or
// one between two neighbours that differ. So windows spread evenly over an even range,
// and approach the second at which a shop opened, closed or had its busiest day.
type sampler struct {
	parts []*stretch
	// window is the part being listed; nil = none yet.
	window *stretch
	// aimed reports that neighbours determined the window's length.
	aimed bool
	// beside are the parts that window was cut out of. Together with it they are known
	// to hold held orders.
	beside []*stretch
	held   float64

	tooFull []stretch // ranges that the API refused
	placed  int       // windows placed so far
	ends    int       // ends of the range that were listed, 0 to 2
}

// stretch is a part of the range.
type stretch struct {
	start, end int64   // unix seconds, end not included
	orders     float64 // orders in it: exact if read, else a lower bound
	read       bool    // listed to its end
	pages      int     // pages listed so far
	key        string  // page token of the next page
}

// seconds returns the part's length. Half a second accounts for its end, which the API
// may or may not include.
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

// next returns the window to list a page of; nil = nothing is left to learn.
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
		w.read = true // it cannot be cut further: use what was listed
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

// end places the first window at the end of the range and the second at its begin: a
// shop that opened within the range has orders at one of them, a shop that closed at
// the other. It returns nil once both are known.
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

// aim returns the length of a window in a part that was not read: one that holds
// sampleOrders, judging by its neighbours, and at most four times their length.
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

// cut takes a window out of a part and makes it the one to list.
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

// golden is the golden ratio's fraction: its multiples, modulo 1, spread evenly however
// many there are.
const golden = 0.6180339887498949

// place returns the start of a window near the middle of a part. The windows differ in
// their time of day and together cover the whole day, because shops are idle at night.
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

// listed applies a page of the window.
func (s *sampler) listed(n int, more bool, key string) {
	w := s.window
	w.orders += float64(n)
	w.pages++
	w.read, w.key = !more, key
	s.share()
}

// refused notes that the API refused the window as too full.
func (s *sampler) refused() {
	w := s.window
	s.tooFull = append(s.tooFull, *w)
	w.pages++
	w.orders, w.key = max(w.orders, 1), ""
	s.share()
}

// share divides the orders known to be in the window and the parts beside it: what the
// window does not hold goes to those parts.
func (s *sampler) share() {
	var total float64
	for _, p := range s.beside {
		total += p.seconds()
	}
	for _, p := range s.beside {
		p.orders = max(0, s.held-s.window.orders) * p.seconds() / total
	}
}

// join merges neighbours that were not read.
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

// neighbours returns the nearest read parts before and after a part. At an end of the
// range one replaces the other; nil = nothing was read yet.
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

// density returns the estimated orders per second in a part.
func (s *sampler) density(i int) float64 {
	p := s.parts[i]
	if p.read {
		return p.perSecond()
	}
	return max(s.between(i), p.perSecond())
}

// differ returns the variance of the density in a part. It grows with the difference
// between its neighbours, and with the fewer orders they hold.
func (s *sampler) differ(i int) float64 {
	if s.parts[i].read {
		return 0
	}
	before, after := s.neighbours(i)
	return square(before.perSecond()-after.perSecond())/2 + square(s.density(i))/sampleOrders + square(s.excess(i))
}

// excess returns by how much a part is known to be denser than its neighbours.
func (s *sampler) excess(i int) float64 { return s.density(i) - s.between(i) }

// between returns the mean density of a part's neighbours.
func (s *sampler) between(i int) float64 {
	before, after := s.neighbours(i)
	return (before.perSecond() + after.perSecond()) / 2
}

func square(x float64) float64 { return x * x }

// seconds returns the length of the range.
func (s *sampler) seconds() float64 {
	return (&stretch{start: s.parts[0].start, end: s.parts[len(s.parts)-1].end}).seconds()
}

// orders returns the estimate for the whole range.
func (s *sampler) orders() (n float64) {
	for i, p := range s.parts {
		n += s.density(i) * p.seconds()
	}
	return n
}

// doubt returns the probable error of the estimate: two standard deviations, where each
// part may vary inside as much as all parts do on average, and two more orders than
// were seen. known is false if too many of the orders are in windows that were too full
// to be read.
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
