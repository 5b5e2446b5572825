package offsets

import "fmt"

// State is the state of a tracked window.
type State string

// A window is open while it is paged, waiting between its first and second pass, and
// settled when it will not be read again.
const (
	Open    State = "open"
	Waiting State = "waiting"
	Settled State = "settled"
)

// Checkpoint is the source offset of one source partition: everything needed to resume
// exactly.
type Checkpoint struct {
	// Watermark is the unix second before which every window's first pass is over.
	Watermark int64
	// Begin is where the walk began, unix; 0 = unknown, because an earlier version
	// began it.
	Begin int64
	// Unheard reports that Begin is the moment of the first start by the local clock.
	// The API has not answered yet; its clock may make Begin earlier. No window is open
	// then.
	Unheard bool
	// Length is the length of the next backfill window, in seconds.
	Length int64
	// Windows are the tracked windows: open, waiting for their second pass, or settled
	// but needed to drop the repeats of a neighbour. They are in order, without gaps,
	// and share their boundary seconds. Change them with the methods in row.go, which
	// record what the next commit must write.
	Windows []*Window

	cache *row
}

// Window is a slice of the source's time, with the parameters its page token was issued
// for. Start, End and the parameters never change while it is paged.
type Window struct {
	Start, End int64 // unix seconds; neighbours share them
	// From is the begin of the range sent to the API, unix; the range ends at End. 0 =
	// Start, as in records of versions without this field.
	From     int64
	State    State
	Pass     int    // 1 or 2
	Key      string // page token of the next page; empty = first page
	Pages    int    // pages read in this pass
	PageSize int
	Status   int    // filter; 0 = none
	OpenID   string // filter; empty = none
	// Opened is the API's time when the first pass requested its first page; 0 = not
	// requested yet.
	Opened int64

	// Seen are the IDs the API has listed for this window, in any pass. A settled
	// window between settled windows forgets them: they cannot be listed again.
	Seen IDs
	// Reach, if not 0, is where what was listed for this window ends: later than End if it
	// was cut from a longer one, or asked for up to Until. So Seen counts for every window
	// that starts before Reach.
	Reach int64
	// Fresh are the IDs of Seen that no part on the topic holds yet.
	Fresh []string
	// After reports that the first page of this pass is asked for from the second after
	// Start. It is not stored.
	After bool
	// Until, if not 0, is the end of the range that is sent for the only page of this pass,
	// later than End. It is not stored.
	Until int64
	// Late reports that this second pass has listed an ID that no earlier pass had.
	Late bool

	held *int // see row.held; nil = not tracked
}

// Frontier returns the start of the next window.
func (c *Checkpoint) Frontier() int64 {
	if n := len(c.Windows); n > 0 {
		return c.Windows[n-1].End
	}
	return c.Watermark
}

// See notes that the API listed id for the window, and reports whether it is new.
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

// Asked returns the first second of the range sent to the API.
func (w *Window) Asked() int64 {
	if w.After {
		return w.Start + 1
	}
	if w.From > 0 {
		return w.From
	}
	return w.Start
}

// AskedTo returns the end of the range sent to the API.
func (w *Window) AskedTo() int64 { return max(w.End, w.Until) }

// Finished reports whether the window's first pass is over.
func (w *Window) Finished() bool { return w.State != Open || w.Pass > 1 }

// check returns an error for a checkpoint that this program cannot have written.
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
		return fmt.Errorf("watermark %d does not fit the stored windows (%d by them)", c.Watermark, watermark)
	}
	return nil
}
