package simulator

import "time"

// Faults are the switches for what the real service does, may do, or is suspected to
// do. The zero value is a service without faults that resolves every undocumented
// question the lenient way. Each switch has a text name, in its tag, for ParseFault,
// the JSON of /simulator/faults and Stats.Faults; see FaultNames for the list.
//
// Rates are probabilities, 0 to 1. Whether a fault affects a call is a function of the
// seed, the app ID, the switch, and the number of the shop's earlier calls.
type Faults struct {
	// Requests.
	NullRange      string `fault:"null_range" want:"accept,reject" help:"a time range that is null: treated as missing, or 40097"`
	BothRanges     string `fault:"both_ranges" want:"and,empty,40097" help:"both time ranges at once: orders within both, none, or 40097"`
	EndExclusive   bool   `fault:"end_exclusive" help:"a range excludes its end second"`
	StartExclusive bool   `fault:"start_exclusive" help:"a range excludes its start second"`
	PointRange     string `fault:"point_range" want:"allow,empty,40097" help:"a range that ends the second it begins: that second, no orders, or 40097"`
	MaxSpanExact   string `fault:"max_span_exact" want:"allow,deny" help:"a range of exactly 7 days: allowed, or 40097"`

	// Paging.
	KeyTTL              time.Duration `fault:"key_ttl" help:"a next_key older than this gets 606006 (0: never)"`
	SingleUseKey        bool          `fault:"single_use_key" help:"a next_key works once, even if the answer was lost"`
	Random606006Rate    float64       `fault:"random_606006_rate" help:"list calls with a valid next_key refused with 606006; the key stays valid"`
	EmptyPageRate       float64       `fault:"empty_page_rate" help:"pages without orders and with has_more=true; the next page goes on"`
	KeyOnLastPage       string        `fault:"key_on_last_page" want:"empty,absent,non-empty" help:"next_key of the last page: \"\", left out, or a key"`
	OrderIDList         string        `fault:"order_id_list" want:"empty,null,absent" help:"order_id_list of a page without orders: [], null, or left out"`
	HasMore             string        `fault:"has_more" want:"bool,number,text,absent" help:"has_more is true or false, 1 or 0, either as a string, or left out when it is false"`
	IDsAsNumber         bool          `fault:"ids_as_number" help:"order IDs are JSON numbers"`
	Order               string        `fault:"order" want:"asc,desc,unstable" help:"order of pages: oldest first, newest first, or either, and shuffled within each page"`
	RepeatIDAcrossPages bool          `fault:"repeat_id_across_pages" help:"a page begins with the last order of the previous page (unless page_size is 1)"`
	MissingNextKeyRate  float64       `fault:"missing_next_key_rate" help:"pages with has_more=true and no next_key"`
	RepeatedNextKeyRate float64       `fault:"repeated_next_key_rate" help:"pages with has_more=true and the next_key they were asked for with"`
	OffsetKeys          bool          `fault:"offset_keys" help:"next_key is a count of orders, so an order that leaves or enters the range shifts all that follow: loses data"`
	MaxOrdersPerRequest int           `fault:"max_orders_per_request" help:"a list call that matches more orders gets 31042 (0: never)"`
	VisibilityLag       time.Duration `fault:"visibility_lag" help:"lists show an order only after a delay from its creation or change, up to this long and different for each order"`
	UnknownErrcode      int           `fault:"unknown_errcode" help:"list calls answer this errcode (0: never)"`
	UnknownErrcodeRate  float64       `fault:"unknown_errcode_rate" help:"share of list calls that answer unknown_errcode (0: all)"`
	SystemBusyRate      float64       `fault:"system_busy_rate" help:"calls that answer -1"`
	PerMinuteLimit      int           `fault:"per_minute_limit" help:"list calls of a shop in a clock minute; more get 45011 (0: unlimited)"`
	PerDayLimit         int           `fault:"per_day_limit" help:"list calls of a shop in a day of Asia/Shanghai; more get 45009 (0: unlimited)"`
	Unauthorised        bool          `fault:"unauthorised" help:"list calls get 48001"`
	RequireHTTPS        bool          `fault:"require_https" help:"plain http gets 43003"`
	Whitelist           int           `fault:"whitelist" want:"0,40164,45035,61004" help:"the caller's address is not in the whitelist: 40164 on token calls, or 45035 or 61004 on all others"`
	TokenError          int           `fault:"token_error" help:"token calls answer this errcode, such as 40125, 40013 or 40164 (0: none)"`
	TokenTTL            time.Duration `fault:"token_ttl" help:"lifetime of new tokens (0: 2h)"`
	Random40001Rate     float64       `fault:"random_40001_rate" help:"calls whose valid access token is refused with 40001; it stays valid"`

	// Time.
	ClockSkew  time.Duration `fault:"clock_skew" help:"how far the API's clock, for orders and the Date header, is ahead (negative: behind)"`
	DateAbsent bool          `fault:"date_absent" help:"answers have no Date header"`

	// Transport.
	HTTP403           bool          `fault:"http_403" help:"every call gets HTTP 403"`
	HTTP5xxRate       float64       `fault:"http_5xx_rate" help:"calls that get HTTP 500, 502, 503 or 504"`
	ResetRate         float64       `fault:"reset_rate" help:"calls that take effect and whose connection is then reset"`
	TimeoutRate       float64       `fault:"timeout_rate" help:"calls that take effect and whose answer is delayed by timeout_hold, or until the client disconnects"`
	TimeoutHold       time.Duration `fault:"timeout_hold" help:"see timeout_rate (0: 1m)"`
	SlowRate          float64       `fault:"slow_rate" help:"calls that are delayed by slow_hold before they take effect"`
	SlowHold          time.Duration `fault:"slow_hold" help:"see slow_rate (0: 1s)"`
	Empty200Rate      float64       `fault:"empty_200_rate" help:"calls that take effect and are answered with HTTP 200 and no body"`
	HTML200Rate       float64       `fault:"html_200_rate" help:"calls that take effect and are answered with HTTP 200 and a web page"`
	TruncatedJSONRate float64       `fault:"truncated_json_rate" help:"calls that take effect and whose answer is truncated"`
	TextPlain         bool          `fault:"text_plain" help:"answers have Content-Type text/plain"`

	WayFaults
	PushFaults
}

// Chaos returns the faults of a service that misbehaves in every way at once while its
// data stays complete: a careful client gets every order. Level 0 is no faults. Above
// 0 all unusual answer formats are on, and the share of failing calls grows with the
// level, up to 1: then about one list call in six fails, so that reading 50,000 orders
// meets each fault many times.
//
// Not included are switches that lose data (offset_keys, push_drop_rate), that stop
// everything (http_403, unauthorised, whitelist, token_error, per_day_limit,
// platform_error, authorizers_short_rate, missing_set_131, cloud_unlisted,
// push_no_tickets), that interfere with kill tests (single_use_key, key_ttl), and that
// a test should choose itself (clock_skew, date_absent, relay_delay, push_delay).
// MaxOrdersPerRequest is 2000; more orders than that in one second could never be
// listed.
func Chaos(level float64) Faults {
	level = min(max(level, 0), 1)
	if level == 0 {
		return Faults{}
	}
	return Faults{
		NullRange:           "reject",
		BothRanges:          "40097",
		EndExclusive:        true,
		PointRange:          "40097",
		MaxSpanExact:        "deny",
		Random606006Rate:    0.03 * level,
		EmptyPageRate:       0.05 * level,
		KeyOnLastPage:       "non-empty",
		OrderIDList:         "null",
		IDsAsNumber:         true,
		Order:               "unstable",
		RepeatIDAcrossPages: true,
		MissingNextKeyRate:  0.01 * level,
		RepeatedNextKeyRate: 0.01 * level,
		MaxOrdersPerRequest: 2000,
		VisibilityLag:       time.Duration(5 * level * float64(time.Second)),
		UnknownErrcode:      987654,
		UnknownErrcodeRate:  0.01 * level,
		SystemBusyRate:      0.02 * level,
		PerMinuteLimit:      3000,
		TokenTTL:            310 * time.Second,
		Random40001Rate:     0.01 * level,
		HTTP5xxRate:         0.02 * level,
		ResetRate:           0.02 * level,
		TimeoutRate:         0.01 * level,
		TimeoutHold:         time.Second,
		SlowRate:            0.02 * level,
		SlowHold:            100 * time.Millisecond,
		Empty200Rate:        0.01 * level,
		HTML200Rate:         0.01 * level,
		TruncatedJSONRate:   0.01 * level,
		TextPlain:           true,
		WayFaults:           chaosAuth(),
		PushFaults:          allPushFaults(level),
	}
}

// AllFaults returns Chaos(1).
func AllFaults() Faults { return Chaos(1) }

func (f *Faults) tokenTTL() time.Duration    { return orDefault(f.TokenTTL, 2*time.Hour) }
func (f *Faults) timeoutHold() time.Duration { return orDefault(f.TimeoutHold, time.Minute) }
func (f *Faults) slowHold() time.Duration    { return orDefault(f.SlowHold, time.Second) }

func orDefault(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}
