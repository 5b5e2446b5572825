package forecast

import (
	"context"
	"errors"
	"slices"
	"time"

	"orderwalk/connector/window"
	"orderwalk/internal/wechat"
)

// Sample is an estimate of a range, from a few list calls.
type Sample struct {
	Density Density
	// Orders is the estimated number of orders in the range. The true number probably
	// lies between Low and High, judging by the windows that were read; bursts between
	// them are in neither. AtLeast reports that the calls only sufficed for Low.
	Orders, Low, High int
	AtLeast           bool
	// Calls is the number of list calls made, Windows how many windows were read to
	// their end, Seen the orders in them, Share the part of the range that they cover,
	// 0 to 1.
	Calls, Windows, Seen int
	Share                float64
	// Most estimates how many orders the API lists for one range, from the ranges it
	// refused; 0 = it refused none.
	Most int
	// Latency is the median duration of a call.
	Latency time.Duration
}

// Wide reports whether Low and High are so far apart that more calls would help.
func (s Sample) Wide() bool { return s.AtLeast || s.High > 3*s.Low/2+5 }

// Measure estimates how many orders a range holds, and when. It makes between least and
// most list calls, and stops once the estimate is no longer wide.
func Measure(ctx context.Context, client *wechat.Client, p window.Policy, least, most int) (Sample, error) {
	s := newSampler(p.Start, p.End+1)
	var took []time.Duration
	made := 0
	for ; made < most; made++ {
		w := s.next()
		if w == nil || made >= least && !s.sample().Wide() {
			break
		}
		page, err := client.Probe(ctx, wechat.Query{Range: p.Range, Start: w.start, End: w.end - 1,
			Status: p.Status, OpenID: p.OpenID, PageSize: 100, Key: w.key})
		var refusal *wechat.Error
		switch {
		case err == nil:
			took = append(took, page.Took)
			s.listed(len(page.IDs), page.More, page.Next)
		case errors.As(err, &refusal) && refusal.Class == wechat.Shrink:
			s.refused()
		case errors.As(err, &refusal) && refusal.Class == wechat.KeyRefused:
			s.listed(0, true, "")
		default:
			return Sample{}, err
		}
	}
	r := s.sample()
	r.Calls = made
	if slices.Sort(took); len(took) > 0 {
		r.Latency = took[len(took)/2]
	}
	return r, nil
}

// sample returns the estimate so far.
func (s *sampler) sample() Sample {
	var r Sample
	var covered, listed float64
	for i, p := range s.parts {
		r.Density = append(r.Density, Piece{p.start, p.end, s.density(i)})
		if p.read {
			r.Windows++
			listed += p.orders
			covered += p.seconds()
		}
	}
	r.Seen = int(listed)
	r.Share = min(1, covered/s.seconds())
	if r.Windows == len(s.parts) {
		r.Share = 1
	}
	r.Orders = int(s.orders() + 0.5)
	for _, w := range s.tooFull {
		if n := r.Density.Orders(w.start, w.end); r.Most == 0 || n < r.Most {
			r.Most = n
		}
	}
	least := 0.0
	for _, p := range s.parts {
		least += p.orders
	}
	r.Low = int(least + 0.5)
	doubt, known := s.doubt()
	if known {
		r.Low = max(r.Low, int(s.orders()-doubt+0.5))
	}
	r.High, r.AtLeast = int(s.orders()+doubt+0.5), !known
	return r
}
