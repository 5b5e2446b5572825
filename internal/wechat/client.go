package wechat

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Ways to come by access tokens, for Config.Auth.
const (
	AuthStableToken = "stable_token" // asked for by app ID and secret; takes none from others
	AuthToken       = "token"        // the same by the older call, which ends the token before
	AuthStatic      = "static"       // given, kept fresh by something else
	AuthCloudFile   = "cloud_file"   // the file that the vendor's hosting keeps fresh
	AuthCloudOpen   = "cloud_open"   // none: the hosting's relay adds it
	AuthComponent   = "component"    // of a third-party platform, kept by Config.Tokens
)

// What a client can be waiting for, as State tells it; "" is nothing.
const (
	StateRateLimited    = "rate_limited"
	StateQuotaExhausted = "quota_exhausted"
	StateRetrying       = "retrying"
	// StateExamining is a call that waits for the examination of a silent answer,
	// which serves all the calls that wait for it.
	StateExamining = "examining"
)

// ListOp is the Op of errors of the list call itself.
const ListOp = "list orders"

const listPath = "/channels/ec/order/list/get"

// Config is what a Client needs to know.
type Config struct {
	// Host is shared by the clients of all shops. Defaults to one of its own.
	Host *Host
	// AppID is the shop's.
	AppID string
	// Auth is one of the ways above. Defaults to AuthStableToken.
	Auth string
	// Secret is the app secret, for AuthStableToken and AuthToken: read at each
	// token call, so that a changed file counts. Secret and Token may be called
	// from several goroutines at once.
	Secret func() (string, error)
	// SecretInFile says that Secret may come to be another one: one that is
	// refused is waited for then, and stops the calls otherwise.
	SecretInFile bool
	// Token is the access token, for AuthStatic and AuthCloudFile: read at each
	// call.
	Token func() (string, error)
	// Tokens is for AuthComponent. It is asked before each call and returns the
	// shop's access token, fetching one first if there is none or if its time is
	// up; so it must be quick where there is one. refused is the token that the
	// API has just refused, or empty: if that is still the one it has, another
	// must be fetched, and otherwise the newer one be returned. A client asks one
	// question at a time, clients of other shops meanwhile.
	//
	// Its error ends the list call, except that an *Error (of a Platform, say)
	// of class Retry, Token, Throttled or Quota is waited out and asked again.
	Tokens func(ctx context.Context, refused string) (token string, err error)
	// RateLimit is in list calls a second. Defaults to 50.
	RateLimit float64
	// Log should name the shop. Defaults to none.
	Log *slog.Logger
	// OnCall, if set, is told of each attempt of a list call: the range it was
	// for, its result, from a bounded set ("ok", a known errcode, "other_errcode", "http_502",
	// "bad_body", "silent", "timeout", "reset", "refused", "dns", "tls", "network",
	// "canceled"), and how long it took.
	OnCall func(r Range, result string, took time.Duration)
	// OnTokenRefresh, if set, is told of each attempt of a token call: the
	// same results, or "unreadable" for a secret that cannot be read.
	OnTokenRefresh func(result string)
}

// Client is one app ID. All walkers of that app ID share it: one token, one
// rate limit, one quota pause. Safe for concurrent use.
type Client struct {
	host           *Host
	log            *slog.Logger
	onCall         func(r Range, result string, took time.Duration)
	onTokenRefresh func(result string)

	auth    string
	given   func() (string, error) // the secret or token of the configuration
	tokens  tokenSource
	pace    *callRate
	trouble trouble
	made    atomic.Int64
	// examining is how many calls wait as StateExamining has it.
	examining atomic.Int64
	// What closed the minute and the day, for State.
	overRate, overQuota atomic.Pointer[Error]

	redact redactor
	// refused is why no call can be made at all: configuration.
	refused *Error
	// shown is what lists have shown of orders, to test answers that are silent.
	shown exhibits
	// unrelayed warns, once, of answers that no relay has marked.
	unrelayed sync.Once
}

// New returns the client of one app ID. It makes no call; a configuration that
// cannot work is the error of every call.
func New(cfg Config) *Client {
	c := &Client{
		host:           orDefault(cfg.Host, &Host{}),
		log:            orDefault(cfg.Log, slog.New(slog.DiscardHandler)),
		onCall:         cfg.OnCall,
		onTokenRefresh: cfg.OnTokenRefresh,
		pace:           newPace(cfg.RateLimit),
		auth:           orDefault(cfg.Auth, AuthStableToken),
	}
	c.trouble.log = c.log
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
			kept.ask, kept.sparing = calls.plain, true
		}
		c.given, c.tokens = cfg.Secret, kept
	case AuthStatic, AuthCloudFile:
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
		if !openHost(c.host.base) {
			refuse("cloud_open does not call "+c.host.base.Host, "the API URL must be http://"+vendorHost+" or http and a loopback address")
		}
		c.tokens = noTokens{}
	case AuthComponent:
		if cfg.Tokens == nil {
			refuse("nobody keeps the tokens", "component needs Tokens")
		}
		c.given, c.tokens = cfg.Secret, &externalTokens{client: c, ask: cfg.Tokens, turn: make(chan struct{}, 1)}
	default:
		refuse(fmt.Sprintf("way to authorise %q is not known", c.auth), "use stable_token, token, static, cloud_file, cloud_open or component")
	}
	return c
}

// Hear makes one cheap call if the API's clock has not been heard.
func (c *Client) Hear(ctx context.Context) error {
	if _, heard := c.host.Now(); heard && c.refused == nil {
		return nil
	}
	return c.HearAgain(ctx)
}

// HearAgain makes one cheap call for the API's clock: for a token if one must be
// asked for, else a list call for one second of a minute ago.
func (c *Client) HearAgain(ctx context.Context) error {
	if c.refused != nil {
		return c.refused
	}
	before := c.host.LastHeard()
	if _, err := c.tokens.get(ctx); err != nil {
		return err
	}
	if c.host.LastHeard().After(before) {
		return nil
	}
	now, _ := c.host.Now()
	end := max(now.Add(-time.Minute).Unix(), 2) // whatever its clock says
	_, err := c.Look(ctx, Query{Range: CreateTime, Start: end - 1, End: end, PageSize: 1})
	var v *Error
	if errors.As(err, &v) && (v.Class == Shrink || v.Class == KeyRefused) {
		return nil // both are about orders, which nobody asked for
	}
	return err
}

// State tells what the client is waiting for, and why: StateQuotaExhausted and
// StateRateLimited with their end, StateRetrying, StateExamining, or "" for nothing.
func (c *Client) State() (state string, until time.Time, why error) {
	state, until = c.pace.closed(time.Now())
	v := c.trouble.lastError()
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

// Calls is how many list calls this client has made, those that failed
// included: what counts down the day between two answers of Quota.
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
	if perSecond, first := c.pace.throttle(sent, c.host.theirs()); first {
		c.log.Warn("throttled, going on slower in the next minute", "error", v, "calls_per_second", perSecond)
	}
}

func (c *Client) exhausted(v *Error) {
	c.overQuota.Store(v)
	if until, first := c.pace.exhaust(c.host.theirs()); first {
		c.log.Warn("daily quota used up, pausing", "error", v, "until", until)
	}
}

// Queue is how long a list call made now would wait for the rate limit, because
// of others that wait already.
func (c *Client) Queue() time.Duration { return c.pace.queue() }

// Share makes a part, above 0 and up to 1, of the configured rate limit this
// client's: other workers call for the same app ID and have the rest.
func (c *Client) Share(part float64) { c.pace.share(part) }
