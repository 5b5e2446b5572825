package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// Windows that touch, paged to their ends, list every order once.
func TestShopListsEveryOrderOnce(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		s := newShop(1+r.IntN(3000), 1_700_000_000, 1+r.Int64N(5000))
		seen := tally{shop: s}
		for from := s.start; from <= s.end(); {
			to := min(from+r.Int64N(s.span), s.end())
			size, key := 1+r.IntN(pageSize), ""
			for more := true; more; {
				body, n := s.page(nil, from, to, size, key)
				var page struct {
					IDs  []string `json:"order_id_list"`
					Next string   `json:"next_key"`
					More bool     `json:"has_more"`
				}
				if err := json.Unmarshal(body, &page); err != nil || n != len(page.IDs) || n > size {
					t.Fatalf("page of %d orders, %d requested, %d reported: %v\n%s", len(page.IDs), size, n, err, body)
				}
				for _, id := range page.IDs {
					second := s.start + int64(s.indexOf([]byte(id)))*s.span/int64(s.orders)
					if second < from || second > to || len(id) != 19 {
						t.Fatalf("order %s of second %d listed for [%d, %d]", id, second, from, to)
					}
					seen.add([]byte(id))
				}
				key, more = page.Next, page.More
			}
			from = to + 1
		}
		if err := seen.check(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestShopRefuses(t *testing.T) {
	s := newShop(1000, 1000, 1000)
	tests := []struct {
		name     string
		from, to int64
		size     int
		key      string
		want     string
	}{
		{"page of 101", 1000, 1999, 101, "", "40097"},
		{"range backwards", 1001, 1000, 100, "", "40097"},
		{"range of more than a week", 1000, 1000 + 7*24*3600 + 1, 100, "", "40097"},
		{"key of another range", 1000, 1999, 100, "100" + keySuffix(1000, 1998), "606006"},
		{"key outside the range", 1000, 1099, 100, "101" + keySuffix(1000, 1099), "606006"},
		{"no key at all", 1000, 1999, 100, "x", "606006"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if body, _ := s.page(nil, tt.from, tt.to, tt.size, tt.key); !strings.Contains(string(body), `"errcode":`+tt.want) {
				t.Errorf("%s, want errcode %s", body, tt.want)
			}
		})
	}
}

func TestTally(t *testing.T) {
	s := newShop(3, 0, 1)
	id := func(i int64) []byte { return fmt.Append(nil, firstID+i*stepID) }
	seen := tally{shop: s}
	if err := seen.check(); err == nil || !strings.Contains(err.Error(), "3 are lost") {
		t.Errorf("nothing seen: %v, want 3 lost", err)
	}
	for _, key := range [][]byte{id(0), id(1), id(1), id(3), []byte("x")} {
		seen.add(key)
	}
	err := seen.check()
	for _, want := range []string{"1 are lost", "1 are there twice", "2 records are of no order"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q in it", err, want)
		}
	}
}
