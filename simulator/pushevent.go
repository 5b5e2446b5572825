package simulator

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ticketEvery is how often a verify ticket is pushed.
const ticketEvery = 10 * time.Minute

// pushEvent is an event to push.
type pushEvent struct {
	Push             // passed to OnPush
	key   *pushKey   // signs it
	url   string     // where to send it
	head  string     // the envelope's first field, ToUserName or AppId
	name  string     // value of that field
	xml   bool       // XML instead of JSON
	body  string     // the message
	draw  uint64     // seed of its faults
	extra *pushEvent // another event that is pushed with it
}

// pushSource produces the events of one shop, for the shop itself or for a platform.
type pushSource struct {
	key   *pushKey
	appID string
	url   string
	xml   bool
	seed  uint64
	mark  int    // length of the part of the shop's log already pushed
	n     uint64 // number of events so far
	born  map[uint32]bool
}

func (p *Pusher) addSource(key *pushKey, appID, url string, xml bool) error {
	if p.server.shops[appID] == nil {
		return fmt.Errorf("unknown shop %q", appID)
	}
	for _, s := range p.sources {
		if s.key == key && s.appID == appID {
			return nil
		}
	}
	s := &pushSource{
		key: key, appID: appID, url: strings.ReplaceAll(url, "$APPID$", appID), xml: xml,
		seed: mix(p.seed, mixString(key.appID), mixString(appID)), born: map[uint32]bool{},
	}
	s.skip(p.server)
	p.sources = append(p.sources, s)
	return nil
}

func (p *Pusher) dropSource(key *pushKey, appID string) {
	for i, s := range p.sources {
		if s.key == key && s.appID == appID {
			p.sources = append(p.sources[:i:i], p.sources[i+1:]...)
			return
		}
	}
}

// skip ignores the events so far.
func (s *pushSource) skip(of *Server) {
	_ = of.withBook(s.appID, func(b *book) error {
		s.mark = len(b.log)
		return nil
	})
}

// due returns the events since the last call.
func (s *pushSource) due(of *Server, faults *Faults) (events []pushEvent) {
	_ = of.withBook(s.appID, func(b *book) error {
		for _, c := range b.log[s.mark:] {
			r := b.rows[c.row]
			birth := c.at == r.created && !s.born[c.row]
			if birth {
				s.born[c.row] = true
			}
			for _, what := range orderEvents(c.status, birth, mix(s.seed, s.n)) {
				events = append(events, s.event(b, c, what, faults))
			}
		}
		s.mark = len(b.log)
		for n := range s.born {
			if int64(b.rows[n].created) < b.now/1000-60 {
				delete(s.born, n)
			}
		}
		return nil
	})
	return events
}

// orderEvent is one event that reports a change of an order.
type orderEvent struct {
	event string
	// text reports whether the vendor's example has order_id as text.
	text bool
	// more holds the other fields of order_info, by name.
	more [][2]string
}

// orderEvents returns the events for an order's creation, or for its new status.
func orderEvents(status int32, birth bool, h uint64) []orderEvent {
	const prefix = "channels_ec_order_"
	if birth {
		return []orderEvent{{event: prefix + "new"}}
	}
	cancel := func(kind int64) []orderEvent {
		return []orderEvent{{prefix + "cancel", true, [][2]string{{"cancel_type", strconv.FormatInt(kind, 10)}}}}
	}
	switch status {
	case statusToShip:
		return []orderEvent{{prefix + "pay", true, [][2]string{{"pay_time", ""}}}, {event: prefix + "wait_shipping"}}
	case statusPartShipped:
		return []orderEvent{{prefix + "deliver", false, [][2]string{{"finish_delivery", "0"}}}}
	case statusToReceive:
		return []orderEvent{{prefix + "deliver", false, [][2]string{{"finish_delivery", "1"}}}}
	case statusDone:
		return []orderEvent{
			{prefix + "confirm", true, [][2]string{{"confirm_type", strconv.FormatInt(1+below(h, 2), 10)}}},
			{prefix + "settle", true, [][2]string{{"settle_time", ""}}},
		}
	case statusCancelledOversold:
		return cancel(4)
	case statusCancelledRefunded:
		return cancel(3)
	case statusCancelled:
		return cancel(1 + below(h, 2))
	}
	return []orderEvent{{prefix + "ext_info_update", false, [][2]string{{"type", strconv.FormatInt(1+below(h, 23), 10)}}}}
}

// event encodes an event of an order. A field without value is a time.
func (s *pushSource) event(b *book, c change, what orderEvent, faults *Faults) pushEvent {
	s.n++
	e := pushEvent{
		Push: Push{
			Account: s.key.appID, Shop: s.appID, Event: what.event,
			OrderID: formatID(b.rows[c.row].id), CreateTime: int64(c.at),
		},
		key: s.key, url: s.url, xml: s.xml, draw: mix(s.seed, s.n),
		head: "ToUserName", name: fmt.Sprintf("gh_%012x", mix(b.seed)>>16),
	}
	text := what.text && faults.PushOrderID != "number" || faults.PushOrderID == "string"
	fields := [][2]string{{"order_id", e.OrderID}}
	for _, f := range what.more {
		if f[1] == "" {
			f[1] = strconv.FormatInt(e.CreateTime, 10)
		}
		fields = append(fields, f)
	}
	e.body = e.write(b.openID(b.rows[c.row].buyer), "order_info", fields, text)
	if unit(mix(e.draw, mixString("push_other_rate"))) < faults.PushOtherRate {
		other := e
		other.Event, other.OrderID = "channels_ec_aftersale_update", ""
		other.draw = mix(e.draw, mixString(other.Event))
		id := strconv.FormatUint(other.draw>>16, 10)
		other.body = other.write(b.openID(b.rows[c.row].buyer), "finder_shop_aftersale_status_update", [][2]string{{"after_sale_order_id", id}, {"status", "MERCHANT_REFUND_SUCCESS"}}, true)
		e.extra = &other
	}
	return e
}

// write encodes the message of an event that contains one object.
func (e *pushEvent) write(openID, object string, fields [][2]string, text bool) string {
	var b strings.Builder
	if e.xml {
		fmt.Fprintf(&b, "<xml><ToUserName><![CDATA[%s]]></ToUserName>\n<FromUserName><![CDATA[%s]]></FromUserName>\n<CreateTime>%d</CreateTime>\n"+
			"<MsgType><![CDATA[event]]></MsgType>\n<Event><![CDATA[%s]]></Event>\n<%s>", e.name, openID, e.CreateTime, e.Event, object)
		for _, f := range fields {
			fmt.Fprintf(&b, "<%s>%s</%s>", f[0], f[1], f[0])
		}
		fmt.Fprintf(&b, "</%s>\n</xml>", object)
		return b.String()
	}
	fmt.Fprintf(&b, `{"ToUserName":%q,"FromUserName":%s,"CreateTime":%d,"MsgType":"event","Event":%q,%q:{`, e.name, quoteJSON(openID), e.CreateTime, e.Event, object)
	for i, f := range fields {
		if i > 0 {
			b.WriteByte(',')
		}
		value := f[1]
		if _, err := strconv.ParseUint(value, 10, 64); err != nil || text {
			value = quoteJSON(value)
		}
		fmt.Fprintf(&b, "%q:%s", f[0], value)
	}
	b.WriteString("}}")
	return b.String()
}

func quoteJSON(s string) string {
	text, _ := json.Marshal(s) // cannot fail for a string
	return string(text)
}

// ticket encodes the platform's verify ticket.
func (of *pushPlatform) ticket(now time.Time, text string) pushEvent {
	of.tickets++
	return of.event(now, "component_verify_ticket", "", mix(of.seed, mixString("ticket"), of.tickets),
		"<ComponentVerifyTicket><![CDATA["+text+"]]></ComponentVerifyTicket>\n")
}

// authorization encodes a change of a shop's authorisation.
func (of *pushPlatform) authorization(a Authorization) pushEvent {
	of.info++
	more := "<AuthorizerAppid>" + a.AppID + "</AuthorizerAppid>\n"
	if a.InfoType != "unauthorized" {
		more += fmt.Sprintf("<AuthorizationCode>%s</AuthorizationCode>\n<AuthorizationCodeExpiredTime>%d</AuthorizationCodeExpiredTime>\n"+
			"<PreAuthCode>preauthcode@@@%x</PreAuthCode>\n", a.Code, a.Expires.Unix(), mix(of.seed, of.info))
	}
	return of.event(a.At, a.InfoType, a.AppID, mix(of.seed, mixString("info"), of.info), more)
}

func (of *pushPlatform) event(now time.Time, infoType, appID string, draw uint64, more string) pushEvent {
	return pushEvent{
		Push: Push{Account: of.AppID, Shop: appID, Event: infoType, CreateTime: now.Unix()},
		key:  of.key, url: of.AuthURL, xml: true, draw: draw, head: "AppId", name: of.AppID,
		body: fmt.Sprintf("<xml><AppId><![CDATA[%s]]></AppId>\n<CreateTime>%d</CreateTime>\n<InfoType><![CDATA[%s]]></InfoType>\n%s</xml>",
			of.AppID, now.Unix(), infoType, more),
	}
}
