package forecast

import (
	"math/rand/v2"
	"testing"
)

// TestDensityAddsUp: however a range is cut, its parts add up to the whole.
func TestDensityAddsUp(t *testing.T) {
	rnd := rand.New(rand.NewPCG(54, 54))
	for range 1000 {
		var d Density
		at := rnd.Int64N(1000)
		begin := at
		for range 1 + rnd.IntN(8) {
			next := at + 1 + rnd.Int64N(1000)
			d = append(d, Piece{at, next, rnd.Float64() * rnd.Float64()})
			at = next
		}
		sum, cut := 0, begin-10
		for cut < at+10 {
			next := cut + 1 + rnd.Int64N(300)
			sum += d.Orders(cut, next)
			cut = next
		}
		if whole := d.Orders(begin, at); sum != whole {
			t.Fatalf("parts of %v hold %d, the whole %d", d, sum, whole)
		}
	}
	if n := (Density{{100, 200, 0.5}}).Orders(120, 160); n != 20 {
		t.Errorf("40 seconds of an order every two hold %d", n)
	}
}
