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
	StateWaiting   State = "waiting"   // needs an act at the vendor's side; tried again
	StateExhausted State = "exhausted" // the day's list calls are used up; resumes at midnight
	StatePaused    State = "paused"    // by Pause
	StateDone      State = "done"      // its bounded range is published
	StateFailed    State = "failed"    // stopped; the reason says why
	StateElsewhere State = "elsewhere" // another worker owns its lane, or no worker yet
)

// ended reports whether the shop is not walked any more in this process.
func (s State) ended() bool { return s == StateDone || s == StateFailed || s == StateElsewhere }

// ShopStatus is the state of one shop at one moment.
type ShopStatus struct {
	Name, AppID, Range string
	Lane               int
	State              State
	// Reason is why the shop waits or failed, or what of its range is not read.
	Reason string
	// Held reports that a backfill waits for more of the day's list calls.
	Held bool
	// Start is where the walk began in this process, Watermark how far it is committed,
	// Target how far the first pass may go now. All are unix seconds, 0 until the shop
	// is walked here.
	Start, Watermark, Target int64
	// Since is what Lag counts from until the shop is walked, unix seconds: its start
	// time, or when this process first saw it.
	Since int64
	// Away reports that another worker owns the shop's lane and knows more.
	Away bool
	// Windows is how many windows are being read, Length the seconds of the one opened
	// last.
	Windows int
	Length  int64
	// Counts since this process started, as read and committed by it.
	Pages, Published, Late, Repeats int64
}

// Lag returns how far the watermark is behind now, in any state. For a shop without a
// watermark it counts from Since.
func (s ShopStatus) Lag(now time.Time) time.Duration {
	from := cmp.Or(s.Watermark, s.Since)
	if from == 0 {
		return 0
	}
	return max(0, now.Sub(time.Unix(from, 0)))
}

// Progress returns the share of the range that has been read, 0 to 1.
func (s ShopStatus) Progress() float64 {
	if s.State == StateDone || s.State == StateLive {
		return 1
	}
	if s.Target <= s.Start {
		return 0
	}
	return min(1, max(0, float64(s.Watermark-s.Start)/float64(s.Target-s.Start)))
}

// shopState is the state of one shop, for status and metrics.
type shopState struct {
	lateness prometheus.Observer
	toRecord prometheus.Observer
	onChange func()
	quota    *budget.Budget     // shared by the app ID
	explain  func(error) string // see Config.explain; nil = the error's text

	mu sync.Mutex
	s  ShopStatus
	// held reports that windows of the shop wait for calls: see walker.hold.
	held bool
	// unread is the time that is not read although the start time asks for it; nil =
	// none.
	unread *UnreadError
	// nextState is the state that a waiting shop gets once a page arrives.
	nextState State
	// pushed are the seconds of events that await their records, none before from.
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

// due sets what the shop's lag counts from until it is walked. since is when this
// process first saw the shop.
func (h *shopState) due(p window.Policy, since int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.s.Since = cmp.Or(p.Start, h.s.Since, since)
}

// started notes where a walk continues.
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

// planned notes a plan. A shop is live once its watermark has reached the second live,
// the windows of a poll or two behind the horizon. A shop that waits for the vendor
// stays waiting while it only tries a call, but not if the budget keeps it from trying.
func (h *shopState) planned(c *offsets.Checkpoint, horizon, live int64, windows int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.s.Target, h.s.Windows = horizon, windows
	h.nextState = StateBackfill
	if c.Watermark >= live {
		h.nextState = StateLive
	}
	if h.s.State != StateWaiting || h.held {
		h.s.State, h.s.Reason = h.nextState, ""
	}
}

func (h *shopState) page(s window.Deduped) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.s.Pages++
	h.s.Repeats += int64(s.Repeats)
	if h.s.State == StateWaiting {
		h.s.State, h.s.Reason = h.nextState, ""
	}
}

// committed notes a walker's share of a committed transaction.
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
