package record

import (
	"context"
	"time"
)

// Order is one record.
type Order struct {
	ID string
	Page
}

// Page is what the orders of one page of the list have in common.
type Page struct {
	// Shop is the app ID, Range the kind of time that Start and End are about:
	// create_time or update_time.
	Shop, Range string
	// Start and End are the range that listed the orders, unix seconds.
	Start, End int64
	// ReadAt is when the page was read.
	ReadAt time.Time

	// tail is what the page's values have in common, once it has been encoded.
	tail []byte
}

// Names of the headers that every order record has.
const (
	HeaderShop  = "shop"
	HeaderRange = "time_range"
)

// Encoder writes the values of one topic, and reads them.
type Encoder interface {
	// Append appends an order's value. It cannot fail: an ID is text.
	Append(b []byte, id string, p *Page) []byte
	// Decode reads a value. Values of other formats are an error.
	Decode(value []byte) (Order, error)
}

// Format is a way to write orders.
type Format struct {
	Name string
	// Open makes the encoder of a topic. It is the only place that may wait for
	// something outside, such as a schema registry, until ctx ends; it is called
	// before any of the topic's orders are read from the API.
	Open func(ctx context.Context, topic string) (Encoder, error)
}

// Formats lists all of them, the default first.
func Formats() []Format { return []Format{JSON()} }
