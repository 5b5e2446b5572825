package window

import (
	"time"

	"orderwalk/internal/wechat"
)

// Policy is what of a shop is read, and how: its configuration, and below that what the
// walker has found out.
type Policy struct {
	// Range is the kind of time that windows are slices of.
	Range wechat.Range
	// Start is the first second to read, unix; 0 = the moment of the shop's first
	// start. It has no effect once the shop has a checkpoint.
	Start int64
	// End is the last second to read, unix; 0 = no end.
	End int64
	// Status and OpenID are filters of the list call; zero = not sent.
	Status int
	OpenID string
	// PageSize is 1 to 100.
	PageSize int
	// MaxWindow and MinWindow bound a window's length, in whole seconds.
	MaxWindow, MinWindow time.Duration
	// PollInterval is the length of a live shop's windows.
	PollInterval time.Duration
	// PollIntervalMax is how long polls may stretch while no order comes, or while pushes
	// tell of them; less than PollInterval = not at all.
	PollIntervalMax time.Duration
	// SettleDelay is how far behind now the first pass stays.
	SettleDelay time.Duration
	// Early reports that a live shop's orders are published as soon as they are listed,
	// also those of seconds that SETTLE_DELAY is not over for. See Early.
	Early bool
	// Lookback is the age at which a window is read a second time; 0 = no second
	// pass, but for windows that orders can leave (leaky).
	Lookback time.Duration
	// Concurrency is how many windows of a shop are read at once, 1 or more.
	Concurrency int

	// Nudge, if past the last window, is a second by which there is an order to
	// read, so that a window opens before PollInterval is over. Set by the walker.
	Nudge int64
	// Ends is which ends of a range the API has been seen to count in. Set by the
	// walker.
	Ends Ends
	// Swept is the end of the windows that the latest sweep reads, or has read; 0 = there
	// was none. Sweeping reports that it is in progress. Set by the walker.
	Swept    int64
	Sweeping bool
	// Crowded reports that the process holds as many order IDs as it may, so that
	// windows are kept short. Set by the walker.
	Crowded bool
	// Stretch is how many times as long as configured PollInterval is, at least 1; 0 = 1.
	// Set by the walker.
	Stretch int64
	// Punctual reports that second passes have found no late order for a while. Set by
	// the walker.
	Punctual bool
}

// Ends is which ends of a range the API has been seen to count in, by update time.
type Ends int

const (
	UnseenEnds Ends = iota
	OneEnd          // so new windows need not be asked for a second earlier (lead)
	BothEnds        // so the first second of a window is listed by the one before (After)
)

// firstLength is the length of a shop's first windows, an hour for all that are read
// at once: how many orders there are is not known yet. Windows that are too short cost
// a few calls and grow fourfold while they are empty; one that is too long is read by
// one caller, with all of its IDs in memory.
func (p Policy) firstLength() int64 { return int64(time.Hour/time.Second) / int64(p.Concurrency) }

// Longest is the greatest length of a window in seconds. The API's "may not exceed
// seven days" leaves open whether seven days to the second are allowed, and the range
// that is sent is longer by lead.
const Longest = 7*24*3600 - 1 - lead

// Clamp bounds a length in seconds by the least and the greatest; 0 becomes the length
// of first windows.
func (p Policy) Clamp(length int64) int64 {
	if length <= 0 {
		length = p.firstLength()
	}
	return max(1, seconds(p.MinWindow), min(length, int64(p.MaxWindow/time.Second), Longest))
}

// LastEnd is the end of the last window of a bounded range: a second after the last
// one that is wanted, because a range may not count its end second in.
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

// Horizon is the last second that a first pass may read now.
func (p Policy) Horizon(now time.Time) int64 { return p.LatestEnd(now) - 1 }
