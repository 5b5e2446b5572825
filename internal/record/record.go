package record

import (
	"context"
	"slices"
	"time"
)

// Order is one order record.
type Order struct {
	ID string
	Page
}

// Page holds what the orders of one page share.
type Page struct {
	// Shop is the app ID. Range is the kind of time of Start and End: create_time or
	// update_time.
	Shop, Range string
	// Start and End are the range sent to the API, unix seconds.
	Start, End int64
	// ReadAt is when the page was read.
	ReadAt time.Time

	// tail caches the encoded part that the page's values share; nil = not encoded yet.
	tail []byte
}

// HeaderShop and HeaderRange are the headers of every order record.
const (
	HeaderShop  = "shop"
	HeaderRange = "time_range"
)

// Encoder encodes and decodes the values of one topic.
type Encoder interface {
	// Append appends an order's value. It cannot fail: an ID is text.
	Append(b []byte, id string, p *Page) []byte
	// Decode decodes a value. A value of another format is an error.
	Decode(value []byte) (Order, error)
}

// Format is a named encoding of orders.
type Format struct {
	Name string
	// Open returns the encoder of a topic. Only Open may wait for an external service,
	// such as a schema registry, until ctx ends. It is called before the topic's orders
	// are read from the API.
	Open func(ctx context.Context, topic string) (Encoder, error)
}

// Formats lists all formats, the default first.
func Formats() []Format { return []Format{JSON()} }

// Planned lists formats that the contract names and this version does not have.
func Planned() []string {
	return []string{"json_envelope", "avro", "json_schema", "protobuf", "cloudevents"}
}

// Names lists the names of all formats.
func Names() (names []string) {
	for _, f := range Formats() {
		names = append(names, f.Name)
	}
	return names
}

// Named returns the format of a name, which must be one of Names.
func Named(name string) Format {
	formats := Formats()
	return formats[slices.IndexFunc(formats, func(f Format) bool { return f.Name == name })]
}
