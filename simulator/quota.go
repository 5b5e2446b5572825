package simulator

import (
	"encoding/json"
	"strings"
	"time"
)

const (
	// unlimitedDay is the daily limit that quota/get reports if there is none.
	unlimitedDay       = 10_000_000
	shopClearsADay     = 50
	generalClearsMonth = 10
)

// shanghai is the time zone of the vendor's days and months. The program has its own: the
// simulator shares no code with it.
var shanghai = time.FixedZone("Asia/Shanghai", 8*60*60)

func minuteOf(t time.Time) int64 { return t.Unix() / 60 }

func dayOf(t time.Time) int64 { return (t.Unix() + 8*60*60) / (24 * 60 * 60) }

func monthOf(t time.Time) int64 {
	t = t.In(shanghai)
	return int64(t.Year())*12 + int64(t.Month())
}

// tally counts within a period. A period is a number, such as that of a day or minute.
type tally struct {
	period int64
	n      int
}

// in returns the count in a period.
func (t *tally) in(period int64) int {
	if t.period != period {
		return 0
	}
	return t.n
}

// add counts one more, unless that would exceed limit.
func (t *tally) add(period int64, limit int) bool {
	if t.period != period {
		*t = tally{period: period}
	}
	if t.n >= limit {
		return false
	}
	t.n++
	return true
}

// quota is what a shop has used. The shop's lock guards it.
type quota struct {
	day, minute   tally // list calls
	shopClears    tally // per day
	generalClears tally // per month, both general calls together
}

// spend counts a list call and returns the errcode if it exceeds a limit. Calls that
// it refuses do not count.
func (q *quota) spend(f *Faults, now time.Time) int {
	const any = int(^uint(0) >> 1)
	perDay, perMinute := f.PerDayLimit, f.PerMinuteLimit
	if perDay <= 0 {
		perDay = any
	}
	if perMinute <= 0 {
		perMinute = any
	}
	switch {
	case q.day.in(dayOf(now)) >= perDay:
		return codeDayLimit
	case !q.minute.add(minuteOf(now), perMinute):
		return codeMinuteLimit
	}
	q.day.add(dayOf(now), perDay)
	return 0
}

// quotaGet answers /cgi-bin/openapi/quota/get.
func (s *Server) quotaGet(c *call) answer {
	path, code := c.cgiPath("/")
	if code != 0 {
		return c.fail(code, "")
	}
	limit, used := unlimitedDay, 0
	if c.faults.PerDayLimit > 0 {
		limit = c.faults.PerDayLimit
	}
	if path == pathList { // other calls are not counted
		c.shop.mu.Lock()
		used = c.shop.quota.day.in(dayOf(c.now))
		c.shop.mu.Unlock()
	}
	out := map[string]any{
		"errcode": 0, "errmsg": "ok",
		"quota": map[string]int{"daily_limit": limit, "used": used, "remain": max(limit-used, 0)},
	}
	if c.faults.PerMinuteLimit > 0 {
		out["rate_limit"] = map[string]int{"call_count": c.faults.PerMinuteLimit, "refresh_second": 60}
		if c.byPlatform {
			out["component_rate_limit"] = out["rate_limit"]
		}
	}
	return succeed(out)
}

// quotaClear answers /cgi-bin/openapi/quota/clear, a shop's own reset.
func (s *Server) quotaClear(c *call) answer {
	if _, code := c.cgiPath("/channels/ec/"); code != 0 {
		return c.fail(code, "")
	}
	c.shop.mu.Lock()
	defer c.shop.mu.Unlock()
	if !c.shop.quota.shopClears.add(dayOf(c.now), shopClearsADay) {
		return c.fail(codeClearLimit, "")
	}
	c.shop.quota.day, c.shop.quota.minute = tally{}, tally{}
	return succeed(result{Errmsg: "ok"})
}

// cgiPath returns the path that a quota call is about.
func (c *call) cgiPath(prefix string) (path string, code int) {
	var in struct {
		Path string `json:"cgi_path"`
	}
	switch {
	case json.Unmarshal(c.body, &in) != nil:
		return "", codeBody
	case !strings.HasPrefix(in.Path, prefix):
		return "", codePathMalformed
	case !known(in.Path):
		return "", codePathUnknown
	}
	return in.Path, 0
}

// clearQuota answers /cgi-bin/clear_quota, which resets everything.
func (s *Server) clearQuota(c *call) answer {
	var in struct {
		AppID string `json:"appid"`
	}
	if json.Unmarshal(c.body, &in) != nil {
		return c.fail(codeBody, "")
	}
	if in.AppID != c.shop.appID {
		return c.fail(codeAppID, "")
	}
	return c.clearAll()
}

// clearQuotaV2 answers /cgi-bin/clear_quota/v2, which does the same without a token.
func (s *Server) clearQuotaV2(c *call) answer {
	var in struct {
		AppID  string `json:"appid"`
		Secret string `json:"appsecret"`
	}
	if json.Unmarshal(c.body, &in) != nil {
		return c.fail(codeBody, "")
	}
	if code := c.secret(in.AppID, in.Secret); code != 0 {
		return c.fail(code, "")
	}
	return c.clearAll()
}

func (c *call) clearAll() answer {
	c.shop.mu.Lock()
	defer c.shop.mu.Unlock()
	if !c.shop.quota.generalClears.add(monthOf(c.now), generalClearsMonth) {
		return c.fail(codeClearLimit, "")
	}
	c.shop.quota.day, c.shop.quota.minute = tally{}, tally{}
	return succeed(result{Errmsg: "ok"})
}
