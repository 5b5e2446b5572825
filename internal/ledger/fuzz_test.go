package ledger

import (
	"bytes"
	"io"
	"log/slog"
	"testing"
	"time"

	"orderwalk/internal/txn"
)

// FuzzRecords: whatever stands in the topic, two records of a ledger are read to
// their end. A key that is taken is the one encoding of its name, and the latest
// of a key counts, whichever comes first.
func FuzzRecords(f *testing.F) {
	keys := keysOf(1)
	for _, r := range []record{
		{name{Component: "wxc", Kind: kindTicket}, value{At: 5}, []byte("ticket@@@1")},
		{name{Component: "wxc", Shop: "wx1", Kind: kindTokens}, value{At: 5, Expires: 7205, Handled: 3, Known: "k"}, []byte(`{"access":"a","refresh":"r"}`)},
		{name{Component: "wxc", Shop: "wx1", Kind: kindAuthorized}, value{At: 5, Change: "authorized", Expires: 3605}, []byte("code")},
		{name{Component: "wxc", Shop: "wx1", Kind: kindRefused}, value{At: 5, Token: "0011223344556677"}, nil},
		{name{Shop: "wx1", Kind: kindOrder}, value{At: 5, Event: "channels_ec_order_pay"}, nil},
	} {
		key, val, err := r.encode("g", keys)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(key, val, key, []byte(`{"v":1,"at":6}`))
		f.Add(key, val, key, []byte(nil))
	}
	f.Add([]byte(`["g",{"shop":"wx1","range":"create_time"}]`), []byte(`{"v":1}`), []byte(`["g",{"ledger":"new"}]`), []byte(`{"v":2}`))
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	f.Fuzz(func(t *testing.T, k1, v1, k2, v2 []byte) {
		for _, key := range [][]byte{k1, k2} {
			if n, ours := parseName("g", key); ours && !bytes.Equal(n.bytes("g"), key) {
				t.Fatalf("%q was taken as %+v", key, n)
			}
		}
		first, second := txn.Record{Offset: 3, Key: k1, Value: v1}, txn.Record{Offset: 7, Key: k2, Value: v2}
		read := func(records ...txn.Record) *book {
			b := newBook("g", keys, log, func(string, string, time.Time) {})
			for _, r := range records {
				if err := b.add(r); err != nil {
					t.Fatal(err)
				}
			}
			b.again()
			b.complain()
			return b
		}
		straight, back := read(first, second, first), read(second, first)
		if straight.position() != 8 || back.position() != 8 {
			t.Fatalf("positions %d and %d", straight.position(), back.position())
		}
		if bytes.Equal(k1, k2) {
			a, _ := straight.snapshot()
			b, _ := back.snapshot()
			// Revocations add up within a second; all else is the latest alone.
			if a.ticket != b.ticket || a.token != b.token {
				t.Fatalf("%+v, and the other way round %+v", a, b)
			}
		}
	})
}
