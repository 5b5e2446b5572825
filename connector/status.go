package connector

import (
	"cmp"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"orderwalk/connector/window"
	"orderwalk/internal/budget"
	"orderwalk/offsets"
)

// State is what a shop is doing.
type State string

// The states of a shop.
const (
	StateStarting  State = "starting"  // its lane is being opened
	StateBackfill  State = "backfill"  // reading history
	StateLive      State = "live"      // caught up
	StateWaiting   State = "waiting"   // somebody must act at the vendor's side; looked at again
	StateExhausted State = "exhausted" // the day's list calls are used up; goes on at midnight
	StatePaused    State = "paused"    // told not to go on
	StateDone      State = "done"      // a bounded range is published
	StateFailed    State = "failed"    // stopped; the reason says why
	StateElsewhere State = "elsewhere" // its lane is another worker's, or nobody's yet
)

// ended says that nothing more will come of the shop in this process.
func (s State) ended() bool { return s == StateDone || s == StateFailed || s == StateElsewhere }

// ShopStatus is one shop at one moment.
type ShopStatus struct {
	Name, AppID, Range string
	Lane               int
	State              State
	// Reason says why a shop waits or failed, or what of it is not read.
	Reason string
	// Held says that a backfill waits for more of the day's list calls.
	Held bool
	// Start is where this process found the shop's range to begin, Watermark
	// how far it is committed, Target where the first pass may go now. All are
	// unix seconds, 0 until the shop has been walked.
	Start, Watermark, Target int64
	// Since is what Lag counts from until the shop has been walked, unix: its start
	// time, or else when this process came to know it.
	Since int64
	// Away says that another worker has the shop's lane, and tells more of it.
	Away bool
	// Windows is how many windows are being read, Length the seconds of the one
	// opened last.
	Windows int
	Length  int64
	// What this process has read and committed so far.
	Pages, Published, Late, Repeats int64
}

// Lag is how far the watermark is behind now, whatever the shop's state. A shop
// that has none yet is behind since it was to be walked.
func (s ShopStatus) Lag(now time.Time) time.Duration {
	from := cmp.Or(s.Watermark, s.Since)
	if from == 0 {
		return 0
	}
	return max(0, now.Sub(time.Unix(from, 0)))
}

// Progress is the share of the range that has been read, 0 to 1.
func (s ShopStatus) Progress() float64 {
	if s.State == StateDone || s.State == StateLive {
		return 1
	}
	if s.Target <= s.Start {
		return 0
	}
	return min(1, max(0, float64(s.Watermark-s.Start)/float64(s.Target-s.Start)))
}

// shopState is the state of one shop, as status and metrics show it.
type shopState struct {
	lateness prometheus.Observer
	toRecord prometheus.Observer
	onChange func()
	quota    *budget.Budget     // of the app ID
	explain  func(error) string // see Config.explain; nil = the error's text

	mu sync.Mutex
	s  ShopStatus
	// held reports that the shop has windows that wait for calls: see walker.hold.
	held bool
	// unread is what of the shop is not read although its start time says so.
	unread *UnreadError
	// ahead is the state of a shop that waits, once a page shows that it need not.
	ahead State
	// pushed are the seconds of events whose records are awaited, none before from.
	pushed []int64
	from   int64
}

func newShopState(shop Shop, m *Metrics, changed func()) *shopState {
	m.of(shop.Name)
	return &shopState{lateness: m.lateness, toRecord: m.pushToRecord, onChange: changed,
		s: ShopStatus{Name: shop.Name, AppID: shop.AppID, Range: string(shop.Policy.Range), State: StateElsewhere}}
}

func (h *shopState) snapshot() ShopStatus {
	h.mu.Lock()
	s, held := h.s, h.held
	missing := h.unread
	h.mu.Unlock()
	h.budgeted(&s, held)
	if missing != nil && s.Reason == "" && s.State != StateElsewhere {
		s.Reason = h.reason(missing)
	}
	return s
}

func (h *shopState) name() string { return h.snapshot().Name }

func (h *shopState) set(state State, reason error) {
	h.mu.Lock()
	h.s.State, h.s.Reason = state, ""
	if reason != nil {
		h.s.Reason = h.reason(reason)
	}
	if state.ended() {
		h.pushed = nil
	}
	if state.ended() || state == StateWaiting {
		h.s.Windows = 0
	}
	h.mu.Unlock()
	h.onChange()
}

// reason is the text of an error, with what to do about it.
func (h *shopState) reason(err error) string {
	if h.explain == nil {
		return err.Error()
	}
	return h.explain(err)
}

func (h *shopState) placed(lane int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.s.Lane = lane
}

// due notes what the shop's lag counts from until it has been walked.
// since is when this process came to know it.
func (h *shopState) due(p window.Policy, since int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.s.Since = cmp.Or(p.Start, h.s.Since, since)
}

// started notes where a walk goes on.
func (h *shopState) started(watermark int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.s.Start == 0 || watermark < h.s.Start {
		h.s.Start = watermark
	}
	h.s.Watermark = watermark
}

func (h *shopState) opened(last window.Span) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.s.Length = last.End - last.Start
}

// planned notes a plan. A shop is live when its watermark has come up to the
// second given, the windows of a poll or two behind the horizon. One that waits
// for somebody's act and only tries whether it may go on waits still; not so one
// that is held back from trying.
func (h *shopState) planned(c *offsets.Checkpoint, horizon, live int64, windows int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.s.Target, h.s.Windows = horizon, windows
	h.ahead = StateBackfill
	if c.Watermark >= live {
		h.ahead = StateLive
	}
	if h.s.State != StateWaiting || h.held {
		h.s.State, h.s.Reason = h.ahead, ""
	}
}

func (h *shopState) page(s window.Deduped) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.s.Pages++
	h.s.Repeats += int64(s.Repeats)
	if h.s.State == StateWaiting {
		h.s.State, h.s.Reason = h.ahead, ""
	}
}

// committed notes what a transaction has made true.
func (h *shopState) committed(r receipt) {
	for _, age := range r.ages {
		h.lateness.Observe(age)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.s.Published += int64(r.orders)
	h.s.Late += int64(r.late)
	h.s.Watermark = r.watermark
	h.recorded(r, time.Now())
}
