package wechat

import (
	"encoding/json"
	"fmt"
	"time"
)

// Range selects which time of an order a list call filters by.
type Range string

const (
	CreateTime Range = "create_time"
	UpdateTime Range = "update_time"
)

// Query describes one list call: a page of the orders of one range of time.
type Query struct {
	Range      Range
	Start, End int64  // unix seconds, at most 7 days apart
	Status     int    // 0 = any
	OpenID     string // "" = any buyer
	PageSize   int    // 1–100, 0 = the API's default
	// Edge reports that the query needs the second of Start too; usually that belongs
	// to the range before. It is not sent. It says for which seconds a silent answer
	// must be confirmed.
	Edge bool
	// Key is Next of the previous page, which must have been requested with otherwise
	// the same query; "" = first page.
	Key string
}

// Page is one answer. The IDs are substrings of the answer's text.
type Page struct {
	IDs []string
	// Next is the Key of the next page. The API may send one with the last page, and
	// may send none although there is another page: only More says whether to
	// continue.
	Next string
	More bool
	// ReadAt is when the answer was read, by the local clock. Took is how long the
	// call took, without the waits before it.
	ReadAt time.Time
	Took   time.Duration
	// Silent is set by Look only: the answer leaves out a required field.
	Silent bool
}

// check returns an error for a query that no call can be made for.
func (q Query) check() *Error {
	if q.Range != CreateTime && q.Range != UpdateTime {
		return &Error{Op: ListOp, Class: Stop, Message: fmt.Sprintf("unknown time range %q", q.Range), Hint: "use create_time or update_time"}
	}
	return nil
}

// body leaves out unset fields: the API refuses null for some, and does not document
// whether "" is the first page for next_key.
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
	}
	request.Status, request.OpenID, request.PageSize, request.Key = q.Status, q.OpenID, q.PageSize, q.Key
	body, err := json.Marshal(request)
	if err != nil {
		return nil, &Error{Op: ListOp, Class: Stop, Message: "encode the request: " + err.Error()}
	}
	return body, nil
}
