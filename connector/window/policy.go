package window

import (
	"time"

	"orderwalk/internal/wechat"
)

// Policy says what of a shop is read, and how.
type Policy struct {
	// Range is the kind of time that windows are about.
	Range wechat.Range
	// Start is the first second to read, unix; 0 = the moment of the shop's first
	// start (see walker.begin). Once anything was read it has no effect.
	Start int64
	// End is the last second to read, unix; 0 = none, walk on for ever.
	End int64
	// Status and OpenID are passed on as filters; zero = not sent.
	Status int
	OpenID string
	// PageSize is 1 to 100.
	PageSize int
	// MaxWindow and MinWindow bound a window's length, in whole seconds.
	MaxWindow, MinWindow time.Duration
	// PollInterval is how often a live shop's next window closes.
	PollInterval time.Duration
	// SettleDelay keeps the first pass this far behind now.
	SettleDelay time.Duration
	// Lookback is how old a window is when it is read a second time; 0 = no
	// second pass.
	Lookback time.Duration
	// Concurrency is how many windows of a shop are read at once.
	Concurrency int
	// Nudge, if past the last window, is a second by which there is an order to
	// read: no need to wait for PollInterval. The walker sets it.
	Nudge int64
	// Tight says that the API has shown that it counts one end of a range in, so
	// that new windows need not be asked for a second earlier (lead). The walker
	// sets it.
	Tight bool
	// Crowded says that the process holds as many order IDs as it may: windows
	// are kept short. The walker sets it.
	Crowded bool
}

// firstLength is the length of a shop's first windows, an hour for all that are
// read at once: nothing is known yet of how many orders it holds. Windows that
// are too short cost a few calls, and grow fourfold while they are empty; one
// that is too long is read to its end by one caller, with all of its IDs in
// memory.
func (p Policy) firstLength() int64 { return int64(time.Hour/time.Second) / int64(p.Concurrency) }

// Longest is the longest window. "May not exceed seven days" leaves open whether
// seven days to the second are allowed, and the range that is sent is longer by
// lead; two seconds less cost nothing.
const Longest = 7*24*3600 - 1 - lead

func (p Policy) Clamp(length int64) int64 {
	if length <= 0 {
		length = p.firstLength()
	}
	return max(1, seconds(p.MinWindow), min(length, int64(p.MaxWindow/time.Second), Longest))
}

// LastEnd is the end of the last window of a bounded range. Nobody documents
// whether the end second of a range is inside, so it lies one second behind
// the last one that is wanted.
func (p Policy) LastEnd() int64 { return p.End + 1 }

// LiveFrom is the watermark from which a shop counts as live: the windows of a poll
// or two behind the horizon.
func (p Policy) LiveFrom(horizon int64) int64 { return horizon - 2*max(1, seconds(p.PollInterval)) }

// LatestEnd is the latest end a window may have now.
func (p Policy) LatestEnd(now time.Time) int64 {
	h := now.Add(-p.SettleDelay).Unix()
	if p.End > 0 {
		h = min(h, p.LastEnd())
	}
	return h
}

// Horizon is how far a walk may read now: the last second of its first passes.
func (p Policy) Horizon(now time.Time) int64 { return p.LatestEnd(now) - 1 }
