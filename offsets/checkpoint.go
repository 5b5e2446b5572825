package offsets

import "fmt"

// State is where a tracked window stands in its current pass.
type State string

// The states of a window. A window is open while it is paged, waiting between
// its first and second pass, and settled when it will not be read again.
const (
	Open    State = "open"
	Waiting State = "waiting"
	Settled State = "settled"
)

// Checkpoint is the source offset of one source partition: all that is needed
// to go on exactly where it stopped.
type Checkpoint struct {
	// Watermark is the unix second before which every window has been read to
	// its end once.
	Watermark int64
	// Begin is where the walk began, unix; 0 = not known: an earlier version
	// began it.
	Begin int64
	// Unheard says that Begin is the moment of the first start by the local clock,
	// and that the API's clock, which may make it earlier, has not been heard yet.
	// No window has been opened then.
	Unheard bool
	// Length is the length the next backfill window shall have, in seconds.
	Length int64
	// Windows are the windows still tracked: open, waiting for their second
	// pass, or settled but needed to drop the repeats of a neighbour. They are
	// in order and share their boundary seconds, without a gap. They are changed
	// by the methods in row.go, which know what a commit has to write.
	Windows []*Window

	known *row
}

// Window is a slice of the source's time under the very parameters its page
// token was issued for. Start, End and the parameters never change while it is
// paged.
type Window struct {
	Start, End int64 // unix seconds; neighbours share them
	// From is where the range begins that is sent to the API, unix; it ends at
	// End. 0 is Start: so it was before this field was.
	From     int64
	State    State
	Pass     int    // 1, or 2 for the second pass
	Key      string // page token for the next page; empty = first page
	Pages    int    // pages read in this pass
	PageSize int
	Status   int    // filter; 0 = none
	OpenID   string // filter; empty = none
	// Opened is the API's time when the first pass asked for its first page;
	// 0 = not yet asked.
	Opened int64

	// Seen are the IDs the API has listed for this window, in any pass. Those of
	// a settled window between settled ones are forgotten: no listing of theirs
	// can come again.
	Seen IDs
	// Reach, if not 0, is the end of the longer window that this one was cut
	// from: Seen holds what was listed for all of that, so it counts for every
	// window that starts between this one and Reach.
	Reach int64
	// Fresh are those of Seen that no part on the topic holds yet.
	Fresh []string
	// Late says that this second pass has listed an ID that no pass before it
	// had.
	Late bool

	held *int // see row.held; nil while not tracked
}

// Frontier is where the next window begins.
func (c *Checkpoint) Frontier() int64 {
	if n := len(c.Windows); n > 0 {
		return c.Windows[n-1].End
	}
	return c.Watermark
}

// See notes that the API listed id for the window and reports whether that is
// new.
func (w *Window) See(id string) bool {
	if !w.Seen.Add(id) {
		return false
	}
	w.Fresh = append(w.Fresh, id)
	if w.held != nil {
		*w.held++
	}
	return true
}

// Asked is the first second of the range that is sent to the API.
func (w *Window) Asked() int64 {
	if w.From > 0 {
		return w.From
	}
	return w.Start
}

// Finished reports whether the window's first pass is over.
func (w *Window) Finished() bool { return w.State != Open || w.Pass > 1 }

// check refuses what this program cannot have written.
func (c *Checkpoint) check() error {
	finished := true
	watermark := c.Watermark
	for i, w := range c.Windows {
		switch {
		case w.Start >= w.End:
			return fmt.Errorf("window_end %d is not after window_start %d", w.End, w.Start)
		case w.From < 0 || w.From > w.Start:
			return fmt.Errorf("asked_from %d is not at or before window_start %d", w.From, w.Start)
		case w.State != Open && w.State != Waiting && w.State != Settled:
			return fmt.Errorf("unknown state %q", w.State)
		case w.Pass != 1 && w.Pass != 2:
			return fmt.Errorf("unknown pass %d", w.Pass)
		case w.PageSize < 1 || w.PageSize > 100:
			return fmt.Errorf("page_size %d is not between 1 and 100", w.PageSize)
		case w.Reach != 0 && w.Reach < w.End:
			return fmt.Errorf("seen_until %d is before window_end %d", w.Reach, w.End)
		case i > 0 && w.Start != c.Windows[i-1].End:
			return fmt.Errorf("windows do not meet: one ends at %d, the next starts at %d", c.Windows[i-1].End, w.Start)
		}
		if finished && !w.Finished() {
			finished, watermark = false, w.Start
		}
	}
	if finished && len(c.Windows) > 0 {
		watermark = c.Frontier()
	}
	if c.Watermark != watermark {
		return fmt.Errorf("watermark %d does not fit the windows stored beside it (they say %d)", c.Watermark, watermark)
	}
	return nil
}
