package push

import (
	"context"
	"encoding/json"
	"time"

	"orderwalk/internal/grouplog"
)

// kindOrder is the kind of record that tells of an order to look for.
const kindOrder grouplog.Kind = "order"

// Orders tells every worker of the group what has happened to orders: a push may
// reach any of them.
type Orders struct{ log *grouplog.Log }

type orderValue struct {
	V     int    `json:"v"`
	At    int64  `json:"at"`              // unix seconds
	Event string `json:"event,omitempty"` // the vendor's name of what has happened
}

// NewOrders has what is posted by any worker, also in the past, given to heard, which
// must not block: a shop, the vendor's name of what has happened, and when.
func NewOrders(log *grouplog.Log, heard func(shop, event string, at time.Time)) *Orders {
	log.On(func(r grouplog.Record) {
		var v orderValue
		if json.Unmarshal(r.Value, &v) == nil && v.V <= 1 && v.At > 0 {
			heard(r.Name.Shop, v.Event, time.Unix(v.At, 0))
		}
	}, kindOrder)
	return &Orders{log}
}

// Post returns nil once every worker will hear of it.
func (o *Orders) Post(ctx context.Context, shop, event string, at time.Time) error {
	return o.log.Post(ctx, grouplog.Entry{Name: grouplog.Name{Shop: shop, Kind: kindOrder},
		Value: grouplog.Encode(orderValue{V: 1, At: at.Unix(), Event: event})})
}
