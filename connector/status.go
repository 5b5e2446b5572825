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
	StatePaused    State = "paused"    // an operator wants it; its state stays in memory
	StateStopped   State = "stopped"   // an operator wants it; nothing of it stays in memory
	StateDone      State = "done"      // its bounded range is published
	StateFailed    State = "failed"    // stopped; the reason says why
	StateElsewhere State = "elsewhere" // another worker owns its lane, or no worker yet
)

// ended reports whether the shop is not walked any more in this process.
func (s State) ended() bool { return s == StateDone || s == StateFailed || s == StateElsewhere }

// rests reports whether the shop is not walked here, for now or for good.
func (s State) rests() bool { return s.ended() || s == StatePaused || s == StateStopped }

// ShopStatus is the state of one shop at one moment.
type ShopStatus struct {
	Name, AppID, Range string
	Lane               int
	State              State
	// Reason is why the shop waits or failed, or what of its range is not read.
	Reason string
	// Changed is when State changed, unix seconds.
	Changed int64
	// Held reports that a backfill waits for more of the day's list calls.
	Held bool
	// Start is where the walk began, Watermark how far it is committed, Target how far
	// the first pass may go now. All are unix seconds, 0 until the shop is walked here;
	// the watermark is also known of a shop that is paused or stopped.
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
	// Poll is how often a shop that has caught up is polled, 0 = it has not, and PollWhy
	// why that is not the configured interval.
	Poll    time.Duration
	PollWhy string
	// Rate is how many orders a second are published, over the last half minute or so.
	Rate float64
	// CallsLeft is how many list calls the app ID has left today, and CallsEnd the unix
	// time when they run out at the present rate, 0 = they last for the day: see
	// [budget.Budget.Outlook]. NaN = unknown.
	CallsLeft, CallsEnd float64
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

	mu   sync.Mutex
	s    ShopStatus
	rate rate
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
	told   int // orders found in a row that a push had told of
	// untold is how many orders of the latest early list no push has told of yet, up to
	// the second untoldTo.
	untold   int
	untoldTo int64
}

func newShopState(shop Shop, m *Metrics, changed func()) *shopState {
	m.of(shop.Name)
	return &shopState{lateness: m.lateness, toRecord: m.pushToRecord, onChange: changed,
		s: ShopStatus{Name: shop.Name, AppID: shop.AppID, Range: string(shop.Policy.Range), State: StateElsewhere, Changed: time.Now().Unix()}}
}

func (h *shopState) snapshot() ShopStatus {
	h.mu.Lock()
	s, held := h.s, h.held
	if !s.State.rests() {
		s.Rate = h.rate.of(time.Now())
	}
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
	h.change(state)
	if reason != nil {
		h.s.Reason = h.reason(reason)
	}
	if state.ended() {
		h.pushed = nil
	}
	if state.rests() || state == StateWaiting {
		h.s.Windows = 0
	}
	h.mu.Unlock()
	h.onChange()
}

// change sets the state, without a reason. The caller holds mu.
func (h *shopState) change(state State) {
	if h.s.State != state {
		h.s.State, h.s.Changed = state, time.Now().Unix()
	}
	h.s.Reason = ""
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

// started notes where a walk continues, and where it began, in another process maybe. A
// checkpoint of an earlier version does not say that.
func (h *shopState) started(c *offsets.Checkpoint) {
	h.mu.Lock()
	defer h.mu.Unlock()
	begin := min(cmp.Or(c.Begin, c.Watermark), c.Watermark)
	if h.s.Start == 0 || begin < h.s.Start {
		h.s.Start = begin
	}
	h.s.Watermark = c.Watermark
	h.rate.begin(time.Now())
}

// stored notes how far a shop that is not walked here has come.
func (h *shopState) stored(watermark int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.s.State == StatePaused || h.s.State == StateStopped {
		h.s.Watermark = watermark
	}
}

// unseen reports that nothing is known of how far the shop has come.
func (h *shopState) unseen() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.s.Watermark == 0
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
		h.change(h.nextState)
	}
}

// paced notes how often the shop is polled.
func (h *shopState) paced(pace window.Pace) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.s.Poll, h.s.PollWhy = 0, ""
	if h.nextState == StateLive {
		h.s.Poll, h.s.PollWhy = pace.Interval, pace.Why
	}
}

func (h *shopState) page(s window.Deduped) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.s.Pages++
	h.s.Repeats += int64(s.Repeats)
	if h.s.State == StateWaiting {
		h.change(h.nextState)
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
	h.rate.add(r.orders, time.Now())
	h.s.Late += int64(r.late)
	h.s.Watermark = r.watermark
	h.recorded(r, time.Now())
}
