package wechat

import (
	"encoding/json"
	"fmt"
	"time"
)

// Range is the time of an order that a list call selects by.
type Range string

const (
	CreateTime Range = "create_time"
	UpdateTime Range = "update_time"
)

// Query is one list call: orders of one range of time, a page of them.
type Query struct {
	Range      Range
	Start, End int64  // unix seconds, at most 7 days apart
	Status     int    // 0 = any
	OpenID     string // "" = any buyer
	PageSize   int    // 1–100, 0 = the API's default
	// Edge says that the second of Start counts as much as the others; it is that of
	// the range before otherwise. It is not sent: it says what an answer that leaves
	// things out must be confirmed for.
	Edge bool
	// Key is Next of the page before, which must have been asked with the same
	// query otherwise; "" = first page.
	Key string
}

// Page is one answer. The IDs are parts of one string, the answer's text.
type Page struct {
	IDs []string
	// Next is the Key of the next page. The API may send one with the last
	// page, or none although there is More: More alone tells whether to go on.
	Next string
	More bool
	// ReadAt is when the answer was read, by the local clock, Took how long that
	// took from the begin of the call, without what it waited for before.
	ReadAt time.Time
	Took   time.Duration
	// Silent is set by Look alone: the answer leaves out what it must say.
	Silent bool
}

// body leaves out what is not set: null is refused for some fields, and
// whether "" is the first page for next_key is nowhere stated.
func (q Query) body() ([]byte, *Error) {
	type times struct {
		Start int64 `json:"start_time"`
		End   int64 `json:"end_time"`
	}
	var request struct {
		CreateTime *times `json:"create_time_range,omitempty"`
		UpdateTime *times `json:"update_time_range,omitempty"`
		Status     int    `json:"status,omitempty"`
		OpenID     string `json:"openid,omitempty"`
		PageSize   int    `json:"page_size,omitempty"`
		Key        string `json:"next_key,omitempty"`
	}
	switch q.Range {
	case CreateTime:
		request.CreateTime = &times{q.Start, q.End}
	case UpdateTime:
		request.UpdateTime = &times{q.Start, q.End}
	default:
		return nil, &Error{Op: ListOp, Class: Stop, Message: fmt.Sprintf("time range %q is not known", q.Range), Hint: "use create_time or update_time"}
	}
	request.Status, request.OpenID, request.PageSize, request.Key = q.Status, q.OpenID, q.PageSize, q.Key
	body, err := json.Marshal(request)
	if err != nil {
		return nil, &Error{Op: ListOp, Class: Stop, Message: "encode the request: " + err.Error()}
	}
	return body, nil
}
