package simulator

import "time"

// ListCall describes a list call and its outcome. Fields that the call did not reach
// are zero.
type ListCall struct {
	AppID string // "" = unknown access token
	At    time.Time
	// Create and Update are the requested time ranges; nil = not requested.
	Create, Update *Range
	Status         *int64
	OpenID         string
	PageSize       int // 10 = the default
	NextKey        string
	// Outcome is the errcode that the client got ("0" for a page), or "http 503" and
	// the like, "reset", "empty", "html", "truncated", or "gone" if the client
	// disconnected.
	Outcome string
	// OrderIDs, Next and HasMore are the page, even if the client did not get it.
	OrderIDs []string
	Next     string
	HasMore  bool
}

// list answers /channels/ec/order/list/get.
func (s *Server) list(c *call) answer {
	shop, f := c.shop, c.faults
	shop.mu.Lock()
	defer shop.mu.Unlock()
	if f.Unauthorised {
		c.countFault("unauthorised")
		return c.fail(codeUnauthorised, "")
	}
	if f.MissingSet131 && c.byPlatform {
		c.countFault("missing_set_131")
		return c.fail(codeSetMissing, "")
	}
	switch code := shop.quota.spend(f, c.now); code {
	case codeDayLimit:
		c.countFault("per_day_limit")
		return c.fail(code, "")
	case codeMinuteLimit:
		c.countFault("per_minute_limit")
		return c.fail(code, "")
	}
	if f.UnknownErrcode != 0 && (f.UnknownErrcodeRate == 0 || c.hit("unknown_errcode_rate", f.UnknownErrcodeRate)) {
		c.countFault("unknown_errcode")
		return c.fail(f.UnknownErrcode, "")
	}
	q, bad := parseQuery(object(c.body), f)
	c.list.setQuery(q)
	if bad.code != 0 {
		s.stats.violation(bad.violation)
		return c.fail(bad.code, bad.detail)
	}
	if q.create != nil && q.update != nil { // accepted, but still a violation
		s.stats.violation("both_ranges")
	}
	if q.nullRange {
		s.stats.violation("null_range")
	}
	k, code := c.openKey(q)
	if code != 0 {
		return c.fail(code, "")
	}
	shop.book.play(c.now)
	rows := shop.book.selection(q, f, c.now)
	rows.desc = k.flags&keyDesc != 0
	if f.MaxOrdersPerRequest > 0 && rows.exceeds(f.MaxOrdersPerRequest) {
		c.countFault("max_orders_per_request")
		return c.fail(codeTooManyOrders, "")
	}
	p := c.nextPage(q, k, rows)
	if s.onList != nil {
		c.list.setPage(p)
	}
	return answer{body: p.appendJSON(nil, f)}
}

// openKey decodes the position of a list call, or returns the errcode.
func (c *call) openKey(q query) (key, int) {
	f, s := c.faults, c.server
	start := key{query: q.hash(), flags: keyStart}
	if f.Order == "desc" || f.Order == "unstable" && c.draw&1 != 0 {
		start.flags |= keyDesc
	}
	if f.OffsetKeys {
		start.flags |= keyOffset
	}
	if q.nextKey == "" {
		return start, 0
	}
	k, ok := openKey(c.shop.seed, q.nextKey)
	switch {
	case !ok:
		s.stats.violation("next_key_unknown")
	case k.query != start.query:
		s.stats.violation("next_key_parameters")
	case f.KeyTTL > 0 && c.now.UnixMilli()-k.issued > f.KeyTTL.Milliseconds():
		c.countFault("key_ttl")
	case c.hit("random_606006_rate", f.Random606006Rate):
	case f.SingleUseKey && c.shop.keysUsed.use(k.serial):
		c.countFault("single_use_key")
	default:
		return k, 0
	}
	return key{}, codeKey
}

// nextPage returns the page that follows k.
func (c *call) nextPage(q query, k key, rows selection) page {
	f, size := c.faults, int(q.pageSize)
	repeat := f.RepeatIDAcrossPages && size > 1 && k.flags&keyStart == 0
	skip := uint64(0)
	switch {
	case k.flags&keyOffset != 0:
		skip = uint64(k.after)
		if repeat && skip > 0 {
			skip--
		}
	case k.flags&keyStart == 0:
		rows.resume(k.after, repeat)
	}
	if c.hit("empty_page_rate", f.EmptyPageRate) {
		next := c.newKey(k)
		return page{next: &next, hasMore: true}
	}
	found, more := rows.collect(skip, size)
	p := page{ids: make([]uint64, len(found)), hasMore: more}
	for i, e := range found {
		p.ids[i] = c.shop.book.rows[e.row()].id
	}
	switch {
	case k.flags&keyOffset != 0:
		k.after = entry(skip) + entry(len(found))
		k.flags &^= keyStart
	case len(found) > 0:
		k.after = found[len(found)-1]
		k.flags &^= keyStart
	}
	if f.Order == "unstable" {
		shuffle(p.ids, c.draw)
	}
	p.next = c.nextKey(q, k, more)
	return p
}

// nextKey returns the page's next_key; nil = left out.
func (c *call) nextKey(q query, k key, more bool) *string {
	f, next := c.faults, ""
	switch {
	case more && c.hit("missing_next_key_rate", f.MissingNextKeyRate):
		return nil
	case more && q.nextKey != "" && c.hit("repeated_next_key_rate", f.RepeatedNextKeyRate):
		next = q.nextKey
	case more || f.KeyOnLastPage == "non-empty":
		next = c.newKey(k)
	case f.KeyOnLastPage == "absent":
		return nil
	}
	return &next
}

// newKey seals a key with the current time; no two are alike.
func (c *call) newKey(k key) string {
	k.issued, k.serial = c.now.UnixMilli(), c.shop.keysIssued
	c.shop.keysIssued++
	return k.seal(c.shop.seed)
}

func (l *ListCall) setQuery(q query) {
	l.Create, l.Update, l.Status = q.create, q.update, q.status
	l.OpenID, l.PageSize, l.NextKey = q.openID, int(q.pageSize), q.nextKey
}

func (l *ListCall) setPage(p page) {
	l.HasMore = p.hasMore
	if p.next != nil {
		l.Next = *p.next
	}
	for _, id := range p.ids {
		l.OrderIDs = append(l.OrderIDs, formatID(id))
	}
}
