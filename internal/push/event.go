package push

import (
	"cmp"
	"encoding/xml"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"time"
)

// Order is an event about an order.
type Order struct {
	// Shop is the app ID of the shop, from the address the push came to.
	Shop string
	// Event is the vendor's event name, such as channels_ec_order_new.
	Event string
	// ID is the order ID; empty if the event has none.
	ID string
	// Created is when the event happened, to the second.
	Created time.Time
	// Type is the type, cancel_type, confirm_type or finish_delivery of the event;
	// mostly empty.
	Type string
}

// Change is a change of a shop's authorisation.
type Change string

// The values of Change.
const (
	Authorized   Change = "authorized"
	Updated      Change = "updateauthorized"
	Unauthorized Change = "unauthorized"
)

// Authorization reports that a shop has authorised a platform, changed its
// permissions, or withdrawn the authorisation. Use Created to ignore late and repeated
// events.
type Authorization struct {
	// Component and Shop are the app IDs of the platform and of the shop.
	Component, Shop string
	Change          Change
	// Code is the authorization code to exchange for tokens before Expires. It is
	// empty, and Expires zero, if Change is Unauthorized.
	Code    Secret
	Expires time.Time
	// Created is when the event happened, to the second.
	Created time.Time
}

// Ticket is a platform's verify ticket. The one with the latest Created is the valid
// one, for 12 hours from then on.
type Ticket struct {
	Component string
	Ticket    Secret
	Created   time.Time
}

// Secret is a text that is hidden when printed, logged or encoded; only string(s)
// reveals it.
type Secret string

// String hides the secret.
func (Secret) String() string { return hidden }

// GoString hides the secret.
func (Secret) GoString() string { return hidden }

// MarshalText hides the secret in JSON and the like.
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// LogValue hides the secret.
func (Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

var errStale = errors.New("its CreateTime is more than 4 hours old or 5 minutes ahead")

const (
	orderEvents = "channels_ec_order_"
	ticketInfo  = "component_verify_ticket"
	// The vendor calls AuthorizationCodeExpiredTime a time and describes it as a
	// number of seconds. A number below this is taken for a duration.
	leastUnixTime = 30 * 24 * 60 * 60
)

// parse decodes a message to an account. The event is an Order, an Authorization, a
// Ticket, or nil if it is of another kind. One that is not recent is errStale.
func parse(a account, message []byte, recent func(time.Time) bool) (event any, err error) {
	var head struct {
		XMLName    xml.Name `json:"-" xml:"xml"`
		Event      text     `json:"Event" xml:"Event"`
		InfoType   text     `json:"InfoType" xml:"InfoType"`
		CreateTime text     `json:"CreateTime" xml:"CreateTime"`
	}
	if err := decode(message, &head); err != nil {
		return nil, err
	}
	name, info := string(head.Event), string(head.InfoType)
	isOrder := a.shop != "" && strings.HasPrefix(name, orderEvents)
	isInfo := a.shop == "" && (info == ticketInfo || isChange(Change(info)))
	if !isOrder && !isInfo {
		return nil, nil
	}
	created, err := unixTime(head.CreateTime)
	if err != nil {
		return nil, err
	}
	if isOrder {
		event, err = parseOrder(message, Order{Shop: a.shop, Event: name, Created: created})
	} else {
		event, err = parseInfo(a, message, info, created)
	}
	// The signature covers the sorted values, so it stays valid with timestamp and
	// nonce swapped. A nonce that looks like a time would let an old push pass;
	// CreateTime is checked against that.
	if err == nil && !recent(created) {
		return nil, errStale
	}
	return event, err
}

func isChange(c Change) bool { return c == Authorized || c == Updated || c == Unauthorized }

func unixTime(t text) (time.Time, error) {
	seconds, err := strconv.ParseUint(string(t), 10, 40)
	if err != nil || seconds == 0 {
		return time.Time{}, errors.New("its CreateTime is not a unix time")
	}
	return time.Unix(int64(seconds), 0), nil
}

func parseOrder(message []byte, o Order) (Order, error) {
	type info struct {
		OrderID        text `json:"order_id" xml:"order_id"`
		Type           text `json:"type" xml:"type"`
		CancelType     text `json:"cancel_type" xml:"cancel_type"`
		ConfirmType    text `json:"confirm_type" xml:"confirm_type"`
		FinishDelivery text `json:"finish_delivery" xml:"finish_delivery"`
	}
	var in struct {
		XMLName xml.Name `json:"-" xml:"xml"`
		Info    info     `json:"order_info" xml:"order_info"`
	}
	if err := decode(message, &in); err != nil {
		return Order{}, err
	}
	o.ID = string(in.Info.OrderID)
	o.Type = string(cmp.Or(in.Info.Type, in.Info.CancelType, in.Info.ConfirmType, in.Info.FinishDelivery))
	switch {
	case !isName(o.Event):
		return Order{}, errors.New("its Event is not a name")
	case o.ID != "" && !isName(o.ID):
		return Order{}, errors.New("its order_id is not an ID")
	case o.Type != "" && !isName(o.Type):
		return Order{}, errors.New("its type in order_info is not a name")
	}
	return o, nil
}

// parseInfo decodes an event about the platform itself.
func parseInfo(a account, message []byte, info string, created time.Time) (any, error) {
	var in struct {
		XMLName         xml.Name `json:"-" xml:"xml"`
		AppID           text     `json:"AppId" xml:"AppId"`
		AuthorizerAppID text     `json:"AuthorizerAppid" xml:"AuthorizerAppid"`
		Code            text     `json:"AuthorizationCode" xml:"AuthorizationCode"`
		Expires         text     `json:"AuthorizationCodeExpiredTime" xml:"AuthorizationCodeExpiredTime"`
		Ticket          text     `json:"ComponentVerifyTicket" xml:"ComponentVerifyTicket"`
	}
	if err := decode(message, &in); err != nil {
		return nil, err
	}
	if string(in.AppID) != a.component {
		return nil, errAppID
	}
	if info == ticketInfo {
		if in.Ticket == "" {
			return nil, errors.New("its ComponentVerifyTicket is empty")
		}
		return Ticket{Component: a.component, Ticket: Secret(in.Ticket), Created: created}, nil
	}
	out := Authorization{Component: a.component, Shop: string(in.AuthorizerAppID), Change: Change(info), Created: created}
	if !isName(out.Shop) {
		return nil, errors.New("its AuthorizerAppid is not an app ID")
	}
	if out.Change == Unauthorized {
		return out, nil
	}
	if in.Code == "" {
		return nil, errors.New("its AuthorizationCode is empty")
	}
	out.Code = Secret(in.Code)
	if seconds, err := strconv.ParseUint(string(in.Expires), 10, 40); err == nil && seconds > 0 {
		out.Expires = time.Unix(int64(seconds), 0)
		if seconds < leastUnixTime {
			out.Expires = created.Add(time.Duration(seconds) * time.Second)
		}
	}
	return out, nil
}
