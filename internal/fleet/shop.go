package fleet

import (
	"math"
	"time"

	"orderwalk/connector"
	"orderwalk/internal/desired"
)

// Unknown is the state of a shop whose worker does not answer, or that has no worker at
// the moment.
const Unknown connector.State = "unknown"

// Shop is one shop as its worker reports it. The names of the fields are promised: workers
// of one group may have different versions, and commands read them.
type Shop struct {
	Name  string `json:"name"`
	AppID string `json:"app_id"`
	Range string `json:"time_range"`
	Topic string `json:"topic"`
	// Worker is the ID of the worker that walks the shop; empty = none is known.
	Worker string          `json:"worker,omitempty"`
	Lane   int             `json:"lane"`
	State  connector.State `json:"state"`
	// Reason is why the shop waits or failed, or what of its range is not read.
	Reason string `json:"reason,omitempty"`
	// Since is when State began, unix seconds.
	Since int64 `json:"since,omitempty"`
	// Target is what an operator wants of the shop.
	Target desired.Target `json:"target"`
	// Watermark is the unix second up to which every order is published; 0 = unknown.
	Watermark int64 `json:"watermark,omitempty"`
	// Lag is how far the watermark is behind now, in seconds.
	Lag float64 `json:"lag_seconds"`
	// Progress is the share of the range that has been read, 0 to 1.
	Progress float64 `json:"progress"`
	// Published and Pages count since the worker's process started.
	Published int64 `json:"orders_published"`
	Pages     int64 `json:"pages"`
	// Rate is how many orders a second are published, over the last half minute or so.
	Rate float64 `json:"orders_per_second"`
	// CallsLeft is how many list calls the app ID has left of its day; nil = unknown.
	CallsLeft *int64 `json:"quota_remaining,omitempty"`
	// CallsEnd is the unix second at which they run out at the rate of the last minutes;
	// 0 = they last for the day.
	CallsEnd int64 `json:"quota_exhausted_at,omitempty"`
	// Poll is how often a live shop is polled, in seconds; PollWhy is why that is not the
	// configured interval: "idle", "pushes" or "quota".
	Poll    float64 `json:"poll_interval_seconds,omitempty"`
	PollWhy string  `json:"poll_interval_reason,omitempty"`
}

// report returns this worker's report about a shop.
func (f *Fleet) report(s connector.ShopStatus, topic string, now time.Time) Shop {
	shop := Shop{
		Name: s.Name, AppID: s.AppID, Range: s.Range, Topic: topic, Worker: f.cfg.Worker, Lane: s.Lane,
		State: s.State, Reason: s.Reason, Since: s.Changed, Target: f.desired.Of(s.Name).Target,
		Watermark: s.Watermark, Lag: s.Lag(now).Seconds(), Progress: s.Progress(), Published: s.Published, Pages: s.Pages,
		Rate: math.Round(s.Rate*1000) / 1000, CallsEnd: int64(s.CallsEnd),
		Poll: s.Poll.Seconds(), PollWhy: s.PollWhy,
	}
	if !math.IsNaN(s.CallsLeft) {
		left := int64(s.CallsLeft)
		shop.CallsLeft = &left
	}
	return shop
}
