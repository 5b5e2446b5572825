package record

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"
)

// JSON encodes an order as a flat JSON object:
//
//	{"order_id":"3704612354559743232","shop":"wx…","time_range":"create_time",
//	 "window_start":1658505600,"window_end":1658509200,"observed_at":"2026-11-23T10:00:00.123Z"}
func JSON() Format {
	return Format{Name: "json", Open: func(context.Context, string) (Encoder, error) { return jsonEncoder{}, nil }}
}

type jsonEncoder struct{}

// Append runs once per order, so it is written by hand, and encodes what follows the ID
// once per page.
func (jsonEncoder) Append(b []byte, id string, p *Page) []byte {
	if p.tail == nil {
		p.tail = appendTail(nil, p)
	}
	b = append(b, `{"order_id":`...)
	b = appendText(b, id)
	return append(b, p.tail...)
}

func appendTail(b []byte, p *Page) []byte {
	b = append(b, `,"shop":`...)
	b = appendText(b, p.Shop)
	b = append(b, `,"time_range":"`...)
	b = append(b, p.Range...)
	b = append(b, `","window_start":`...)
	b = strconv.AppendInt(b, p.Start, 10)
	b = append(b, `,"window_end":`...)
	b = strconv.AppendInt(b, p.End, 10)
	b = append(b, `,"observed_at":"`...)
	b = p.ReadAt.UTC().AppendFormat(b, observedForm)
	return append(b, `"}`...)
}

const observedForm = "2006-01-02T15:04:05.000Z"

func (jsonEncoder) Decode(value []byte) (Order, error) {
	var v struct {
		ID       string    `json:"order_id"`
		Shop     string    `json:"shop"`
		Range    string    `json:"time_range"`
		Start    int64     `json:"window_start"`
		End      int64     `json:"window_end"`
		Observed time.Time `json:"observed_at"`
	}
	if err := json.Unmarshal(value, &v); err != nil {
		return Order{}, err
	}
	if v.End == 0 {
		return Order{}, errors.New("the value has no window_end")
	}
	return Order{ID: v.ID, Page: Page{Shop: v.Shop, Range: v.Range, Start: v.Start, End: v.End, ReadAt: v.Observed}}, nil
}

func appendText(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < 0x20 || c >= 0x7f || c == '"' || c == '\\' {
			text, _ := json.Marshal(s) // a string always encodes
			return append(b, text...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
