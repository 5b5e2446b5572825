package main

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// pageSize is how many orders a page has; the API allows no more.
const pageSize = 100

// Order ids are 19 digits and rise, as the real ones do.
const (
	firstID = int64(3704612354559743232)
	stepID  = int64(1000003)
	idBytes = len(`"3704612354559743232",`)
)

// shop holds orders spread evenly over span seconds from start.
type shop struct {
	orders int
	start  int64 // unix seconds
	span   int64
	ids    []byte // every id quoted and followed by a comma
}

func newShop(orders int, start, span int64) *shop {
	s := &shop{orders: orders, start: start, span: span, ids: make([]byte, 0, orders*idBytes)}
	for i := range orders {
		s.ids = append(s.ids, '"')
		s.ids = strconv.AppendInt(s.ids, firstID+int64(i)*stepID, 10)
		s.ids = append(s.ids, '"', ',')
	}
	return s
}

// end is the last second with orders.
func (s *shop) end() int64 { return s.start + s.span - 1 }

// indexOf is the inverse of the ids; −1 for what is not the shop's.
func (s *shop) indexOf(id []byte) int {
	n, err := strconv.ParseInt(string(id), 10, 64)
	i := (n - firstID) / stepID
	if err != nil || n < firstID || (n-firstID)%stepID != 0 || i >= int64(s.orders) {
		return -1
	}
	return int(i)
}

// before counts the orders of the seconds before second.
func (s *shop) before(second int64) int {
	offset := max(0, min(second-s.start, s.span))
	// Order i is of second i·span/orders, rounded down.
	return int((offset*int64(s.orders) + s.span - 1) / s.span)
}

// page appends the answer to a list call for [from, to], both inside, and
// returns how many orders it holds.
func (s *shop) page(b []byte, from, to int64, size int, key string) ([]byte, int) {
	first, end := s.before(from), s.before(to+1)
	if size < 1 || size > pageSize || from > to || to-from > 7*24*3600 {
		return append(b, `{"errcode":40097,"errmsg":"invalid parameters rid: 6566bde8-00000000-00000000"}`...), 0
	}
	if key != "" {
		// A key names the place it stands for and the range it was issued for.
		at, err := strconv.Atoi(strings.TrimSuffix(key, keySuffix(from, to)))
		if err != nil || at < first || at > end {
			return append(b, `{"errcode":606006,"errmsg":", next_key mismatch rid: 6566bde8-00000000-00000000"}`...), 0
		}
		first = at
	}
	stop := min(first+size, end)
	b = append(b, `{"errcode":0,"errmsg":"ok","order_id_list":[`...)
	if stop > first {
		b = append(b, s.ids[first*idBytes:stop*idBytes-1]...)
	}
	b = append(b, `],"next_key":"`...)
	if stop < end {
		b = strconv.AppendInt(b, int64(stop), 10)
		b = append(b, keySuffix(from, to)...)
	}
	b = append(b, `","has_more":`...)
	b = strconv.AppendBool(b, stop < end)
	return append(b, '}'), stop - first
}

func keySuffix(from, to int64) string {
	return "-" + strconv.FormatInt(from, 36) + "-" + strconv.FormatInt(to, 36)
}

// tally says what a topic lacks of the shop's orders, or has more than once.
type tally struct {
	shop  *shop
	count []uint8
	alien int
}

func (t *tally) add(key []byte) {
	i := t.shop.indexOf(bytes.TrimSpace(key))
	if i < 0 {
		t.alien++
		return
	}
	if t.count == nil {
		t.count = make([]uint8, t.shop.orders)
	}
	if t.count[i] < 255 {
		t.count[i]++
	}
}

func (t *tally) check() error {
	lost, twice := t.shop.orders-len(t.count), 0
	for _, n := range t.count {
		switch {
		case n == 0:
			lost++
		case n > 1:
			twice++
		}
	}
	if lost+twice+t.alien > 0 {
		return fmt.Errorf("of %d orders %d are lost, %d are there twice; %d records are of no order",
			t.shop.orders, lost, twice, t.alien)
	}
	return nil
}
