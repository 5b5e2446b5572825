package push

import (
	"context"
	"encoding/json"
	"time"

	"orderwalk/internal/grouplog"
)

// kindOrder is the kind of a record about an order event.
const kindOrder grouplog.Kind = "order"

// Orders passes order events to every worker of the group, because a push may reach
// any worker.
type Orders struct{ log *grouplog.Log }

type orderValue struct {
	V     int    `json:"v"`
	At    int64  `json:"at"`              // unix seconds
	Event string `json:"event,omitempty"` // the vendor's event name
	Order string `json:"order,omitempty"` // the order's ID
}

// NewOrders calls heard with every event that any worker posts or has posted: the
// shop, the vendor's event name, the order's ID if it is known, and the event's time. heard
// must not block.
func NewOrders(log *grouplog.Log, heard func(shop, event, order string, at time.Time)) *Orders {
	log.On(func(r grouplog.Record) {
		var v orderValue
		if json.Unmarshal(r.Value, &v) == nil && v.V <= 1 && v.At > 0 {
			heard(r.Name.Shop, v.Event, v.Order, time.Unix(v.At, 0))
		}
	}, kindOrder)
	return &Orders{log}
}

// Post writes an event. It returns nil once every worker will receive it.
func (o *Orders) Post(ctx context.Context, event Order) error {
	return o.log.Post(ctx, grouplog.Entry{Name: grouplog.Name{Shop: event.Shop, Kind: kindOrder},
		Value: grouplog.Encode(orderValue{V: 1, At: event.Created.Unix(), Event: event.Event, Order: event.ID})})
}
