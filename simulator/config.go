package simulator

import "time"

// Config configures a Server. Only Shops is required.
type Config struct {
	// Seed determines everything that looks random: orders, tokens, faults.
	Seed uint64
	// Shops are the simulated shops, each with a different app ID.
	Shops []Shop
	// Faults are the switches at the start; see Server.SetFaults.
	Faults Faults
	// Latency is the delay of each list answer. Defaults to 0.
	Latency time.Duration
	// OnList, if set, is called for every list call just before it is answered,
	// possibly from several goroutines at once.
	OnList func(ListCall)
	// Platform is the third-party platform. Defaults to none.
	Platform Platform
	// OnAuthorization, if set, is called with the result of Authorize and Revoke
	// before they return.
	OnAuthorization func(Authorization)
	// Cloud is the vendor's hosting.
	Cloud Cloud
}

// Shop configures one shop: its credentials and its orders.
type Shop struct {
	AppID, Secret string
	// Token is an access token that is always valid. Defaults to none.
	Token string
	// RefreshToken is the authorizer refresh token of a shop that has authorised the
	// platform from the start. Empty = the shop has not.
	RefreshToken string
	// Backlog describes the orders that exist from the start.
	Backlog Backlog
	// Live describes the orders that are created while time passes.
	Live Live
}

// Backlog describes orders with creation times spread over [From, To], one of them at
// From and one at To. Orders in the future appear when their time comes. Every order
// is a function of seed, app ID, its number and the fields below.
type Backlog struct {
	// Orders is the number of orders, bursts included.
	Orders int
	// From and To are unix seconds, both inclusive. To defaults to the time of New,
	// From to seven days before To.
	From, To int64
	// Bursts is the number of randomly chosen seconds that hold BurstSize orders each.
	Bursts, BurstSize int
	// Statuses are the statuses to draw from at creation. Defaults to the documented
	// ones and an unknown one, the common ones more often.
	Statuses []int
	// Changes is how often, on average, an order changes status after its creation,
	// which moves its update time. ChangeWithin is about how long that takes (24
	// hours by default).
	Changes      float64
	ChangeWithin time.Duration
}

// Live describes orders that are created continuously. The number of orders in a
// second is a function of seed, app ID and second, independent of when and how often
// calls come.
type Live struct {
	// Rate is the average number of new orders a second; each second has between none
	// and twice as many. 0 = none.
	Rate float64
	// Since and Until bound their creation in unix seconds, both inclusive. Since
	// defaults to the time of New; set it to get the same orders again after a
	// restart. Until 0 = no end.
	Since, Until int64
	// Every BurstEvery seconds, BurstSize additional orders are created in one second.
	BurstEvery int64
	BurstSize  int
	// Changes is how often, on average, an order changes status after its creation,
	// sometimes backwards. ChangeWithin is about how long that takes (1 hour by
	// default).
	Changes      float64
	ChangeWithin time.Duration
}

// Order is a simulated order. Times are unix seconds.
type Order struct {
	// ID is a decimal number of at most 63 bits.
	ID string `json:"id"`
	// Created is the creation time; in the future = the order appears then. Server.Add
	// sets it to now by default.
	Created int64 `json:"created"`
	// Updated is the time of the last change. Defaults to Created.
	Updated int64 `json:"updated"`
	// Status defaults to 10, to pay.
	Status int    `json:"status"`
	OpenID string `json:"openid,omitempty"`
	// VisibleAt is when list calls begin to show the order; 0 = at once. The order
	// exists (see Server.Orders) from Created on.
	VisibleAt int64 `json:"visible_at,omitempty"`
}

// Change is a change of an order's update time; the first one is its creation. At is
// in unix seconds.
type Change struct {
	ID     string `json:"id"`
	At     int64  `json:"at"`
	Status int    `json:"status"`
}
