package simulator

import "time"

// Config is a world of shops. Only Shops is required.
type Config struct {
	// Seed decides all that looks random: orders, tokens, faults.
	Seed uint64
	// Shops, each with an app ID of its own.
	Shops []Shop
	// Faults that are on from the start; see Server.SetFaults.
	Faults Faults
	// Latency is waited before each list answer. Defaults to none.
	Latency time.Duration
	// OnList, when set, is told of every list call just before it is answered,
	// possibly from several goroutines at once.
	OnList func(ListCall)
	// Platform is the third-party platform. Defaults to none.
	Platform Platform
	// OnAuthorization, when set, is told of what Authorize and Revoke have done,
	// before they return.
	OnAuthorization func(Authorization)
	// Cloud is the vendor's hosting.
	Cloud Cloud
}

// Shop is one shop: its credentials and its orders.
type Shop struct {
	AppID, Secret string
	// Token is an access token that is always valid. Defaults to none.
	Token string
	// RefreshToken is the platform's authorizer refresh token of a shop that has
	// authorised it from the start. Defaults to one that has not.
	RefreshToken string
	// Backlog are the orders that exist from the start.
	Backlog Backlog
	// Live are the orders that appear while time passes.
	Live Live
}

// Backlog describes orders with creation times spread over [From, To], one of
// them at From and one at To. Those in the future appear when their time has
// come. Every order is a function of (seed, app ID, its number) and of the
// fields below.
type Backlog struct {
	// Orders is how many there are, bursts included.
	Orders int
	// From and To are unix seconds, both inside. To defaults to the time of
	// New, From to seven days before To.
	From, To int64
	// Bursts seconds, picked at random, hold BurstSize orders each.
	Bursts, BurstSize int
	// Statuses to draw from at creation. Defaults to the documented ones and
	// an unknown one, the usual ones more often.
	Statuses []int
	// Changes is how often, on average, an order changes status after its
	// creation, which moves its update time; ChangeWithin is about how long
	// that takes (24 hours by default).
	Changes      float64
	ChangeWithin time.Duration
}

// Live describes orders that keep appearing. How many appear in a second is a
// function of (seed, app ID, second), so it does not matter when or how often
// somebody asks.
type Live struct {
	// Rate is the average number of new orders a second; any one second has
	// between none and twice as many. 0 = no live orders.
	Rate float64
	// Since and Until bound their creation in unix seconds, both inside. Since
	// defaults to the time of New; set it to get the same world again after a
	// restart. Until 0 = for ever.
	Since, Until int64
	// Every BurstEvery seconds BurstSize more orders appear in one second.
	BurstEvery int64
	BurstSize  int
	// Changes is how often, on average, an order changes status after its
	// creation, sometimes backwards; ChangeWithin is about how long that takes
	// (1 hour by default).
	Changes      float64
	ChangeWithin time.Duration
}

// Order is an order as the simulator knows it. Times are unix seconds.
type Order struct {
	// ID is a decimal number that fits 63 bits.
	ID string `json:"id"`
	// Created defaults, in Server.Add, to now. In the future: appears then.
	Created int64 `json:"created"`
	// Updated is when it changed last. Defaults to Created.
	Updated int64 `json:"updated"`
	// Status defaults to 10, to pay.
	Status int    `json:"status"`
	OpenID string `json:"openid,omitempty"`
	// VisibleAt is when list calls begin to show the order, 0 = at once. The
	// order counts as existing (see Server.Orders) from Created on.
	VisibleAt int64 `json:"visible_at,omitempty"`
}

// Change is one moment at which an order got a new update time; an order's
// creation is its first. At is in unix seconds.
type Change struct {
	ID     string `json:"id"`
	At     int64  `json:"at"`
	Status int    `json:"status"`
}
