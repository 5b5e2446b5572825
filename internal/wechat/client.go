package wechat

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"orderwalk/internal/incident"
)

// Ways to get access tokens, for Config.Auth.
const (
	AuthStableToken = "stable_token" // by app ID and secret; other systems' tokens stay valid
	AuthToken       = "token"        // by app ID and secret with the older call, which ends the previous token
	AuthStatic      = "static"       // configured; another system renews it
	AuthCloudFile   = "cloud_file"   // in a file that the vendor's hosting rewrites
	AuthCloudOpen   = "cloud_open"   // none: the hosting's relay adds it to each call
	AuthComponent   = "component"    // of a third-party platform; Config.Tokens stores it
)

// What a client is waiting for, as returned by State; "" = nothing.
const (
	StateRateLimited    = "rate_limited"
	StateQuotaExhausted = "quota_exhausted"
	StateRetrying       = "retrying"
	// StateExamining: a call waits for the examination of an answer that leaves out
	// whether there are orders. One call examines on behalf of all that wait.
	StateExamining = "examining"
)

// ListOp is the Op of list call errors.
const ListOp = "list orders"

const listPath = "/channels/ec/order/list/get"

// Config configures a Client.
type Config struct {
	// Host is shared by the clients of all shops. Defaults to a new Host.
	Host *Host
	// AppID is the shop's.
	AppID string
	// Auth is one of the Auth constants. Defaults to AuthStableToken.
	Auth string
	// Secret returns the app secret, for AuthStableToken and AuthToken. It is called
	// before each token call, so that a changed file takes effect. Secret and Token
	// may be called concurrently.
	Secret func() (string, error)
	// SecretInFile reports that the secret comes from a file and may change. A refused
	// secret then is an error of class Wait, otherwise of class Stop.
	SecretInFile bool
	// Token returns the access token, for AuthStatic and AuthCloudFile. It is called
	// before each API call.
	Token func() (string, error)
	// Server, if set, gives the access token for AuthStatic instead of Token.
	Server *TokenServer
	// Tokens returns the shop's access token, for AuthComponent. It is called before
	// each API call and must be quick unless it has to fetch a token, because there is
	// none or it has expired. refused is the token that the API has just refused, or
	// empty: if Tokens still has that one, it must fetch another; otherwise it returns
	// the newer one. A client makes one call of Tokens at a time; clients of different
	// shops call concurrently.
	//
	// An error ends the list call, except an *Error (of a Platform, for example) of
	// class Retry, Token, Throttled or Quota: the client waits and calls Tokens again.
	Tokens func(ctx context.Context, refused string) (token string, err error)
	// RateLimit is in list calls a second. Defaults to 50.
	RateLimit float64
	// Log receives what concerns this client alone. Defaults to no logging.
	Log *slog.Logger
	// Shop is the shop's name in lines of Log, unless Log has it. Clients seldom log: ten
	// thousand loggers would take 3 MB.
	Shop string
	// Incidents, if set, receives what other shops may have at the same time: failing
	// calls, a used up quota. Defaults to lines of Log about this client alone.
	Incidents *incident.Source
	// OnCall, if set, is called after each attempt of a list call, with the kind of
	// range, the result and the duration. result is from a bounded set: "ok", a known
	// errcode, "other_errcode", "http_502", "bad_body", "silent", "timeout", "reset",
	// "refused", "dns", "tls", "network", "canceled".
	OnCall func(r Range, result string, took time.Duration)
	// OnTokenRefresh, if set, is called after each attempt of a token call, with the
	// same results, or "unreadable" for a secret that cannot be read.
	OnTokenRefresh func(result string)
}

// Client makes the calls for one app ID. All walkers of that app ID share it: one
// token, one rate limit, one quota pause. Safe for concurrent use.
type Client struct {
	host           *Host
	logs           *slog.Logger
	shop           string // see Config.Shop
	incidents      *incident.Source
	onCall         func(r Range, result string, took time.Duration)
	onTokenRefresh func(result string)

	auth     string
	given    func() (string, error) // the configured secret or token
	tokens   tokenSource
	callRate *callRate
	failures failureLog
	made     atomic.Int64
	// examining counts the calls in StateExamining.
	examining atomic.Int64
	// The errors that closed the minute and the day, for State.
	overRate, overQuota atomic.Pointer[Error]

	redact redactor
	// refused is the configuration error that every call returns; nil = none.
	refused *Error
	// evidence keeps which ranges have listed orders, to examine silent answers.
	evidence evidence
	// ends is how the API says where a list ends.
	ends ends
	// unrelayed limits the warning about answers without the relay's mark to one.
	unrelayed sync.Once
}

// New returns the client of one app ID. It makes no call. Every call of a client with
// a wrong configuration returns an error.
func New(cfg Config) *Client {
	c := &Client{
		host:           orDefault(cfg.Host, &Host{}),
		logs:           orDefault(cfg.Log, slog.New(slog.DiscardHandler)),
		shop:           cfg.Shop,
		onCall:         cfg.OnCall,
		onTokenRefresh: cfg.OnTokenRefresh,
		callRate:       newCallRate(cfg.RateLimit),
		auth:           orDefault(cfg.Auth, AuthStableToken),
	}
	if c.incidents = cfg.Incidents; c.incidents == nil {
		c.incidents = incident.New(c.log()).Of("")
	}
	c.failures.report = c.incidents
	refuse := func(message, hint string) {
		c.refused = &Error{Op: ListOp, Class: Stop, Message: message, Hint: hint}
	}
	if err := c.host.open(); err != nil {
		refuse("API URL cannot be used: "+err.Error(), "check the API URL")
		return c
	}
	switch calls := (&tokenCalls{client: c, appID: cfg.AppID, secret: cfg.Secret, inFile: cfg.SecretInFile}); c.auth {
	case AuthStableToken, AuthToken:
		if cfg.AppID == "" || cfg.Secret == nil {
			refuse("no app ID or no app secret", c.auth+" needs both")
		}
		kept := &fetchedTokens{client: c, ask: calls.stable}
		if c.auth == AuthToken {
			kept.ask, kept.revoking = calls.plain, true
		}
		c.given, c.tokens = cfg.Secret, kept
	case AuthStatic, AuthCloudFile:
		if c.auth == AuthStatic && cfg.Server != nil {
			asks, err := newServerCalls(c, cfg.AppID, *cfg.Server)
			if err != nil {
				refuse("access token URL cannot be used: "+err.Error(), "check the access token URL")
				return c
			}
			c.auth = serverAuth
			c.given, c.tokens = cfg.Server.Secret, &fetchedTokens{client: c, ask: asks.ask, lending: true}
			break
		}
		if cfg.Token == nil {
			refuse("no access token", c.auth+" needs one")
		}
		read := &fileTokens{param: "access_token", what: "access token", read: cfg.Token, redact: &c.redact,
			absent: "provide a readable access token", dead: "the given access token is dead: provide a fresh one"}
		if c.auth == AuthCloudFile {
			read.param, read.what, read.absent, read.dead = "cloudbase_access_token", "cloud token's file", hintCloudFile, hintCloudDead
		}
		c.given, c.tokens = cfg.Token, read
	case AuthCloudOpen:
		if !allowsOpenCalls(c.host.base) {
			refuse("cloud_open does not call "+c.host.base.Host, "the API URL must be http://"+vendorHost+" or http and a loopback address")
		}
		c.tokens = noTokens{}
	case AuthComponent:
		if cfg.Tokens == nil {
			refuse("no token keeper", "component needs Config.Tokens")
		}
		c.given, c.tokens = cfg.Secret, &externalTokens{client: c, ask: cfg.Tokens, sem: make(chan struct{}, 1)}
	default:
		refuse(fmt.Sprintf("unknown auth %q", c.auth), "use stable_token, token, static, cloud_file, cloud_open or component")
	}
	return c
}

// Hear makes one cheap call if the API's clock is not known yet.
func (c *Client) Hear(ctx context.Context) error {
	if _, heard := c.host.Now(); heard && c.refused == nil {
		return nil
	}
	return c.HearAgain(ctx)
}

// undatedLists is how many list answers without a Date, and none with one, show that the
// API sends none: one gateway of several may leave it out.
const undatedLists = 3

// HearAgain makes one cheap call to read the API's clock: a token call if a token is
// needed, otherwise a list call for one second of a minute ago; more of these while no
// answer at all has had a Date.
func (c *Client) HearAgain(ctx context.Context) error {
	if c.refused != nil {
		return c.refused
	}
	before := c.host.lastDated()
	if _, err := c.tokens.get(ctx); err != nil {
		return err
	}
	for range undatedLists {
		if c.host.lastDated().After(before) {
			return nil
		}
		if err := c.lookForDate(ctx); err != nil || !before.IsZero() {
			return err
		}
	}
	if c.host.lastDated().IsZero() {
		c.host.noteUndated()
	}
	return nil
}

// lookForDate makes a list call whose answer is used for its Date only.
func (c *Client) lookForDate(ctx context.Context) error {
	now, _ := c.host.Now()
	end := max(now.Add(-time.Minute).Unix(), 2) // also if the clock is wrong
	_, err := c.Look(ctx, Query{Range: CreateTime, Start: end - 1, End: end, PageSize: 1})
	var v *Error
	if errors.As(err, &v) && (v.Class == Shrink || v.Class == KeyRefused) {
		return nil // about orders, which do not matter here
	}
	return err
}

// State returns what the client is waiting for, until when, and why:
// StateQuotaExhausted and StateRateLimited have an end; "" = nothing.
func (c *Client) State() (state string, until time.Time, why error) {
	state, until = c.callRate.closed(time.Now())
	v := c.failures.lastError()
	switch {
	case state == StateQuotaExhausted:
		v = c.overQuota.Load()
	case state == StateRateLimited:
		v = c.overRate.Load()
	case v != nil:
		state = StateRetrying
	}
	if state == "" && c.examining.Load() > 0 {
		state = StateExamining
	}
	if v == nil {
		return state, until, nil
	}
	return state, until, v
}

// Calls returns how many list calls this client has made, failed ones included. It
// estimates the use of the daily quota between two calls of Quota.
func (c *Client) Calls() int64 { return c.made.Load() }

func (c *Client) called(r Range, v *Error, took time.Duration) {
	c.made.Add(1)
	if c.onCall == nil {
		return
	}
	result := "ok"
	if v != nil {
		result = v.result
	}
	c.onCall(r, result, took)
}

func (c *Client) refreshed(result string) {
	if c.onTokenRefresh != nil {
		c.onTokenRefresh(result)
	}
}

func (c *Client) throttled(v *Error, sent time.Time) {
	c.overRate.Store(v)
	if perSecond, first := c.callRate.throttle(sent, c.host.APINow()); first {
		// The next minute may be throttled again.
		c.incidents.BeginUntil(time.Now().Add(2*time.Minute), rateLowered, "error", v, "calls_per_second", perSecond)
	}
}

func (c *Client) exhausted(v *Error) {
	c.overQuota.Store(v)
	if until, first := c.callRate.exhaust(c.host.APINow()); first {
		c.incidents.BeginUntil(until, quotaUsedUp, "error", v, "until", until)
	}
}

// log returns the log that names the shop.
func (c *Client) log() *slog.Logger {
	if c.shop == "" {
		return c.logs
	}
	return c.logs.With("shop", c.shop)
}

// Queue returns how long a list call made now would wait for the rate limit, behind
// calls that are waiting already.
func (c *Client) Queue() time.Duration { return c.callRate.queue() }

// Share sets this client's part of the configured rate limit, above 0 and up to 1.
// Other workers that call for the same app ID use the rest.
func (c *Client) Share(part float64) { c.callRate.share(part) }
