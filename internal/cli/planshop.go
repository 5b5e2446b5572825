package cli

import (
	"context"
	"math"
	"time"

	"orderwalk/connector/window"
	"orderwalk/internal/config"
	"orderwalk/internal/forecast"
	"orderwalk/internal/wechat"
)

// plan is the plan of all shops.
type plan struct {
	Shops []shopPlan `json:"shops"`
	// Total is the sum over all shops that could be planned.
	Total total `json:"total"`

	liveShare float64
	now       time.Time
}

type total struct {
	Orders  int     `json:"orders"`
	Windows int     `json:"windows"`
	Calls   int     `json:"calls"`
	Seconds float64 `json:"seconds"` // of the slowest shop: shops are read in parallel
}

// shopPlan is the plan of one shop. All numbers but the range are estimates.
type shopPlan struct {
	Shop      string `json:"shop"`
	AppID     string `json:"app_id"`
	TimeRange string `json:"time_range"`
	// Start and End are unix seconds. Open reports that the walk continues after End.
	Start int64 `json:"start_time,omitempty"`
	End   int64 `json:"end_time,omitempty"`
	Open  bool  `json:"open_end,omitempty"`

	// Orders is probably between OrdersLow and OrdersHigh. AtLeast reports that
	// the sample gives only the lower bound OrdersLow.
	Orders     int  `json:"orders"`
	OrdersLow  int  `json:"orders_low"`
	OrdersHigh int  `json:"orders_high,omitempty"`
	AtLeast    bool `json:"orders_at_least,omitempty"`
	Wide       bool `json:"orders_unsure,omitempty"` // OrdersLow and OrdersHigh are far apart
	Windows    int  `json:"windows"`
	// Calls is the sum of FirstCalls and SecondCalls.
	Calls       int `json:"calls"`
	FirstCalls  int `json:"first_pass_calls"`
	SecondCalls int `json:"second_pass_calls"`
	// LiveCalls is the number of calls a day to follow the shop afterwards.
	LiveCalls int `json:"live_calls_a_day,omitempty"`
	// Poll is the configured interval between two polls, in seconds.
	Poll float64 `json:"poll_interval_seconds,omitempty"`
	// Seconds is the time until the first passes are finished, including waits
	// for the next day's calls; Calling excludes these waits.
	Seconds float64 `json:"seconds"`
	Calling float64 `json:"calling_seconds"`
	// The inputs of the time: calls a second, windows at once, seconds a call.
	PerSecond   float64 `json:"calls_a_second,omitempty"`
	Concurrency int     `json:"concurrency,omitempty"`
	Latency     float64 `json:"call_seconds,omitempty"`

	Sample *samplePlan `json:"sample,omitempty"`
	Quota  *quotaPlan  `json:"quota,omitempty"`

	Note  string   `json:"note,omitempty"`  // why the plan is empty
	Error string   `json:"error,omitempty"` // why the shop cannot be planned
	Do    []string `json:"do,omitempty"`    // about the error
}

// samplePlan describes the sample.
type samplePlan struct {
	Calls   int     `json:"calls"`
	Windows int     `json:"windows"`
	Orders  int     `json:"orders"`
	Share   float64 `json:"share"` // of the range
	// Most is the most orders the API lists for one range; 0 = limit not reached.
	Most int `json:"orders_a_range,omitempty"`
}

// quotaPlan compares the plan with the daily list calls of the app ID.
type quotaPlan struct {
	Limit     int64 `json:"limit"`
	Remaining int64 `json:"remaining"`
	// Share is the planned calls of all shops of the app ID divided by the
	// remaining calls; above 1 these do not suffice.
	Share float64 `json:"share"`
	// Midnights is the number of times that the backfill waits for the next
	// day's calls; −1 = it gets no calls, because the live walk gets all.
	Midnights int `json:"midnights"`

	ends   time.Time // of the day
	others bool      // Share includes other shops of the app ID
}

// limits sets the call rate and the quota from the configuration and from the
// vendor's answer, if it has them.
func (s *shopPlan) limits(ctx context.Context, client *wechat.Client, shop config.Shop, sharing int) {
	s.PerSecond = shop.RateLimit
	if quota, err := client.Quota(ctx); err == nil {
		if quota.Limit > 0 {
			s.Quota = &quotaPlan{Limit: quota.Limit, Remaining: quota.Remain, ends: time.Now().Add(quota.Left())}
		}
		for _, r := range []wechat.Rate{quota.Rate, quota.PlatformRate} {
			if r.Calls > 0 && r.Within > 0 {
				s.PerSecond = min(s.PerSecond, float64(r.Calls)/r.Within.Seconds())
			}
		}
	}
	s.PerSecond /= float64(sharing)
}

// learn sets the estimates from a sample. open reports whether the walk continues
// after the range.
func (s *shopPlan) learn(policy window.Policy, sample forecast.Sample, now time.Time, open bool) {
	effort := forecast.Play(policy, now, forecast.Pattern{
		Density: sample.Density, Most: sample.Most, Latency: sample.Latency, PerSecond: s.PerSecond,
	})
	s.Orders, s.Windows = sample.Orders, effort.Windows
	s.OrdersLow, s.OrdersHigh, s.AtLeast, s.Wide = sample.Low, sample.High, sample.AtLeast, sample.Wide()
	if s.AtLeast {
		s.OrdersHigh = 0
	}
	s.FirstCalls, s.SecondCalls, s.Calls = effort.First, effort.Second, effort.First+effort.Second
	s.Calling, s.Seconds = effort.Read.Seconds(), effort.Read.Seconds()
	s.Latency = sample.Latency.Seconds()
	s.Sample = &samplePlan{Calls: sample.Calls, Windows: sample.Windows, Orders: sample.Seen, Share: sample.Share, Most: sample.Most}
	if open {
		s.Poll = policy.PollInterval.Seconds()
		day := min(policy.End-policy.Start, 24*3600)
		s.LiveCalls = forecast.LiveCalls(policy, float64(sample.Density.Orders(policy.End-day, policy.End))/float64(day))
	}
}

// divide applies an app ID's daily quota to all of its shops and adds up the
// totals.
func (p *plan) divide() {
	calls := make(map[string]int)
	for _, s := range p.Shops {
		calls[s.AppID] += s.Calls
	}
	for i := range p.Shops {
		s := &p.Shops[i]
		if s.Quota != nil && s.Calls > 0 {
			s.Quota.others = calls[s.AppID] > s.Calls
			s.wait(p.now, float64(calls[s.AppID]), p.liveShare)
		}
		p.Total.Orders += s.Orders
		p.Total.Windows += s.Windows
		p.Total.Calls += s.Calls
		p.Total.Seconds = max(p.Total.Seconds, s.Seconds)
	}
}

// wait adds the days that the calls of an app ID take, given that each day leaves
// the live walk its share.
func (s *shopPlan) wait(now time.Time, calls, liveShare float64) {
	q := s.Quota
	q.Share = calls / float64(max(1, q.Remaining))
	kept := liveShare * float64(q.Limit)
	today, daily := max(0, float64(q.Remaining)-kept), float64(q.Limit)-kept
	if liveShare == 0 {
		today = float64(q.Remaining)
	}
	over := calls - today
	switch {
	case over <= 0:
		return
	case daily < 1:
		q.Midnights = -1
		return
	}
	q.Midnights = int(math.Ceil(over / daily))
	last := over - float64(q.Midnights-1)*daily
	s.Seconds = q.ends.Sub(now).Seconds() + float64(q.Midnights-1)*24*3600 + s.Calling*last/calls
}

func (p *plan) failed() (n int) {
	for _, s := range p.Shops {
		if s.Error != "" {
			n++
		}
	}
	return n
}
