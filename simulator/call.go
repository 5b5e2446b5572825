package simulator

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// Query parameters for tokens.
const (
	paramToken    = "access_token"
	paramCloud    = "cloudbase_access_token"
	paramPlatform = "component_access_token"
)

// maxBody is the largest request body; longer ones get 45002.
const maxBody = 1 << 20

// call is one API call being handled.
type call struct {
	server     *Server
	req        *http.Request
	path       string
	body       []byte
	faults     *Faults
	token      string    // the access token, on calls that need one
	param      string    // the token's query parameter
	relayed    bool      // without a token, through the hosting's relay
	byPlatform bool      // the token is the platform's, for a shop
	shop       *shop     // nil = the call names no known shop
	draw       uint64    // seed of this call's faults
	began      time.Time // by the local clock
	now        time.Time // by the API's clock, when the call is evaluated
	code       int       // the answer's errcode
	list       *ListCall // set for list calls, for Config.OnList
}

func (s *Server) serveCall(w http.ResponseWriter, r *http.Request) {
	set := s.setting.Load()
	c := &call{server: s, req: r, path: r.URL.Path, faults: &set.faults, began: time.Now()}
	if c.path == pathList {
		c.list = &ListCall{At: c.began}
	}
	if set.err != nil {
		http.Error(w, errMisconfigured.Error()+": "+set.err.Error(), http.StatusInternalServerError)
		return
	}
	if r.Method == http.MethodPost && lengthUnknown(r) {
		s.stats.violation("content_length")
		c.deliverStatus(w, http.StatusPreconditionFailed)
		return
	}
	c.body = readBody(r)
	c.identify()
	switch {
	case c.faults.HTTP403:
		c.countFault("http_403")
		c.deliverStatus(w, http.StatusForbidden)
		return
	case c.hit("http_5xx_rate", c.faults.HTTP5xxRate):
		c.deliverStatus(w, []int{500, 502, 503, 504}[c.draw%4])
		return
	case c.hit("slow_rate", c.faults.SlowRate) && !hold(r.Context(), c.faults.slowHold()),
		c.path == pathList && !hold(r.Context(), s.latency):
		c.done("gone")
		return
	}
	// The faults may have changed during the wait.
	if set = s.setting.Load(); set.err == nil {
		c.faults = &set.faults
	}
	c.now = s.now(c.faults)
	c.deliver(w, s.answer(c))
}

// lengthUnknown reports whether a request has no Content-Length, chunked or not.
func lengthUnknown(r *http.Request) bool {
	return r.ContentLength < 0 || r.ContentLength == 0 && r.Header.Get("Content-Length") == ""
}

func readBody(r *http.Request) []byte {
	if r.Body == nil {
		return nil
	}
	// A truncated body is evaluated as received.
	if r.ContentLength >= 0 && r.ContentLength <= maxBody {
		b := make([]byte, r.ContentLength)
		n, _ := io.ReadFull(r.Body, b)
		return b[:n]
	}
	b, _ := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	return b
}

// identify finds the call's shop, by its token or its app ID.
func (c *call) identify() {
	in := c.req.URL.Query()
	switch c.path {
	case pathPlainToken:
		c.shop = c.server.shops[in.Get("appid")]
	case pathStableToken, pathClearQuotaV2:
		var body struct {
			AppID string `json:"appid"`
		}
		if json.Unmarshal(c.body, &body) == nil {
			c.shop = c.server.shops[body.AppID]
		}
	case pathAuthorizerToken, pathComponentToken, pathQueryAuth, pathAuthorizers, pathStartTickets:
		c.param, c.token = paramPlatform, in.Get(paramPlatform)
		if c.token == "" { // as newer documentation pages say
			c.token = in.Get(paramToken)
		}
		var body struct {
			AppID string `json:"authorizer_appid"`
		}
		if json.Unmarshal(c.body, &body) == nil {
			c.shop = c.server.shops[body.AppID]
		}
	default:
		c.param, c.token = paramToken, in.Get(paramToken)
		if c.token == "" && in.Has(paramCloud) {
			c.param, c.token = paramCloud, in.Get(paramCloud)
		}
		c.shop = c.server.ledger.owner(c.token)
		if c.relayed = c.token == "" && c.server.cloudOpen && c.req.TLS == nil; c.relayed {
			c.shop = c.server.cloud
		}
	}
	if c.shop == nil {
		c.draw = mix(c.server.seed, c.server.others.Add(1))
		return
	}
	c.draw = mix(c.shop.seed, c.shop.calls.Add(1))
	if c.list != nil {
		c.list.AppID = c.shop.appID
	}
}

// answer evaluates a call.
func (s *Server) answer(c *call) answer {
	switch {
	case !known(c.path):
		return c.fail(codeURL, "")
	case c.faults.RequireHTTPS && c.req.TLS == nil && !c.relayed:
		c.countFault("require_https")
		return c.fail(codeNotHTTPS, "")
	case c.hit("system_busy_rate", c.faults.SystemBusyRate):
		return c.fail(codeBusy, "")
	case c.path == pathPlainToken && c.req.Method != http.MethodGet:
		return c.fail(codeNotGet, "")
	case c.path == pathPlainToken:
		return s.plainToken(c)
	case c.req.Method != http.MethodPost:
		return c.fail(codeNotPost, "")
	case len(c.body) == 0:
		return c.fail(codeEmptyBody, "")
	case len(c.body) > maxBody:
		return c.fail(codeTooLarge, "")
	case c.path == pathStableToken:
		return s.stableToken(c)
	case c.path == pathClearQuotaV2:
		return s.clearQuotaV2(c)
	case ofPlatform(c.path):
		return s.platformCall(c)
	}
	if code := c.authorize(); code != 0 {
		return c.fail(code, "")
	}
	switch {
	case c.hit("random_40001_rate", c.faults.Random40001Rate):
		return c.fail(codeToken, "")
	case c.faults.Whitelist == codeAddressShop, c.faults.Whitelist == codeAddressOpen:
		c.countFault("whitelist")
		return c.fail(c.faults.Whitelist, "")
	}
	switch c.path {
	case pathQuotaGet:
		return s.quotaGet(c)
	case pathQuotaClear:
		return s.quotaClear(c)
	case pathClearQuota:
		return s.clearQuota(c)
	case pathRID:
		return s.rid(c)
	}
	return s.list(c)
}

// authorize returns the errcode for a call's token, or for a missing one; 0 = valid.
func (c *call) authorize() (code int) {
	if c.relayed {
		return c.relay()
	}
	if code, c.byPlatform = c.server.ledger.check(c.token, c.param, c.now); code == 0 && c.param == paramCloud {
		code = c.cloudRights()
	}
	return code
}

// deliver sends the answer, subject to faults on the way back.
func (c *call) deliver(w http.ResponseWriter, a answer) {
	f, body, outcome := c.faults, a.body, strconv.Itoa(a.code)
	c.code = a.code
	contentType := "application/json; encoding=utf-8"
	if f.TextPlain {
		contentType = "text/plain"
	}
	switch {
	case c.hit("reset_rate", f.ResetRate):
		c.done("reset")
		reset(w)
		return
	case c.hit("timeout_rate", f.TimeoutRate):
		if !hold(c.req.Context(), f.timeoutHold()) {
			c.done("gone")
			return
		}
	case c.hit("empty_200_rate", f.Empty200Rate):
		body, outcome = nil, "empty"
	case c.hit("html_200_rate", f.HTML200Rate):
		contentType, outcome = "text/html; charset=gbk", "html"
		body = []byte("<html><body><h1>It works!</h1></body></html>")
	case c.hit("truncated_json_rate", f.TruncatedJSONRate):
		body, outcome = body[:1+below(c.draw, int64(len(body)-1))], "truncated"
	}
	c.done(outcome)
	c.write(w, http.StatusOK, contentType, body)
}

// deliverStatus sends an HTTP error, as a gateway does.
func (c *call) deliverStatus(w http.ResponseWriter, status int) {
	c.done("http " + strconv.Itoa(status))
	c.write(w, status, "text/html", []byte("<html><body><h1>"+http.StatusText(status)+"</h1></body></html>"))
}

func (c *call) write(w http.ResponseWriter, status int, contentType string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if c.relayed && status == http.StatusOK && c.code == 0 {
		c.markRelayed(h)
	}
	if c.faults.DateAbsent {
		h["Date"] = nil // documented way to stop net/http from setting it
	} else {
		h.Set("Date", c.server.now(c.faults).UTC().Format(http.TimeFormat))
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that has gone needs no answer
}

// reset closes the connection with RST.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // the closest that net/http allows
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // closes with RST
	}
	_ = conn.Close()
}

// hold waits, and reports whether the client is still connected.
func hold(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// hit draws whether a fault of this rate affects the call, and counts it.
func (c *call) hit(name string, rate float64) bool {
	if rate <= 0 || unit(mix(c.draw, mixString(name))) >= rate {
		return false
	}
	c.countFault(name)
	return true
}

// countFault counts that a fault affected a call.
func (c *call) countFault(name string) { c.server.stats.fault(name) }

// done counts the call and calls Config.OnList.
func (c *call) done(outcome string) {
	c.server.stats.call(c.path, outcome, c.shop, c.list != nil, c.began)
	if c.list != nil && c.server.onList != nil {
		c.list.Outcome = outcome
		c.server.onList(*c.list)
	}
}
