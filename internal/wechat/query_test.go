package wechat

import (
	"encoding/json"
	"math"
	"testing"
)

// TestBodyIsWhatEncodingJSONWrites: with any text in the fields that hold one.
func TestBodyIsWhatEncodingJSONWrites(t *testing.T) {
	type times struct {
		Start int64 `json:"start_time"`
		End   int64 `json:"end_time"`
	}
	for _, text := range []string{"", "o-1", `"quoted\ "`, "<&>\u2028", "a\x00b\xffc", "微信小店"} {
		for _, n := range []int{0, 1, 20, 100, math.MaxInt, -5} {
			q := Query{Start: int64(n), End: 1_700_000_000, Status: n, PageSize: n, OpenID: text, Key: text}
			for _, q.Range = range []Range{CreateTime, UpdateTime} {
				var want struct {
					CreateTime *times `json:"create_time_range,omitempty"`
					UpdateTime *times `json:"update_time_range,omitempty"`
					Status     int    `json:"status,omitempty"`
					OpenID     string `json:"openid,omitempty"`
					PageSize   int    `json:"page_size,omitempty"`
					Key        string `json:"next_key,omitempty"`
				}
				if want.CreateTime = (&times{q.Start, q.End}); q.Range == UpdateTime {
					want.CreateTime, want.UpdateTime = nil, want.CreateTime
				}
				want.Status, want.OpenID, want.PageSize, want.Key = q.Status, q.OpenID, q.PageSize, q.Key
				text, err := json.Marshal(want)
				if err != nil {
					t.Fatal(err)
				}
				equal(t, "body", string(q.body()), string(text))
			}
		}
	}
}
