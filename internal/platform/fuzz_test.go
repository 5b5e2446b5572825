package platform

import (
	"bytes"
	"io"
	"log/slog"
	"testing"
	"time"

	"orderwalk/internal/grouplog"
)

// FuzzRecords checks for every content of the topic that two records of a platform are
// read to their end, and that only the latest of a key counts.
func FuzzRecords(f *testing.F) {
	keys := keysOf(1)
	for _, r := range []record{
		{grouplog.Name{Component: "wxc", Kind: kindTicket}, value{At: 5}, []byte("ticket@@@1")},
		{grouplog.Name{Component: "wxc", Shop: "wx1", Kind: kindTokens}, value{At: 5, Expires: 7205, Handled: 3, Known: "k"}, []byte(`{"access":"a","refresh":"r"}`)},
		{grouplog.Name{Component: "wxc", Shop: "wx1", Kind: kindAuthorized}, value{At: 5, Change: "authorized", Expires: 3605}, []byte("code")},
		{grouplog.Name{Component: "wxc", Shop: "wx1", Kind: kindRefused}, value{At: 5, Token: "0011223344556677"}, nil},
	} {
		e, err := r.entry("g", keys)
		if err != nil {
			f.Fatal(err)
		}
		key := e.Name.Bytes("g")
		f.Add(key, e.Value, key, []byte(`{"v":1,"at":6}`))
		f.Add(key, e.Value, key, []byte(nil))
	}
	f.Add([]byte(`["g",{"shop":"wx1","range":"create_time"}]`), []byte(`{"v":1}`), []byte(`["g",{"ledger":"new"}]`), []byte(`{"v":2}`))
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	f.Fuzz(func(t *testing.T, k1, v1, k2, v2 []byte) {
		first, ours := recordOf(k1, v1)
		second, also := recordOf(k2, v2)
		if !ours || !also {
			return
		}
		read := func(records ...grouplog.Record) state {
			b := newStore("g", keys, log, func(string, time.Time) {})
			for _, r := range records {
				b.add(r)
			}
			b.retryUnread()
			b.logUnread()
			s, _ := b.snapshot()
			return s
		}
		both, last := read(first, second), read(second)
		// Revocations add up within a second; otherwise only the latest counts.
		if bytes.Equal(k1, k2) && (both.ticket != last.ticket || both.token != last.token) {
			t.Fatalf("%+v, and without the first %+v", both, last)
		}
	})
}

// recordOf returns the record that the log delivers; false if it is not one of the log.
func recordOf(key, value []byte) (grouplog.Record, bool) {
	n, ours := grouplog.Parse("g", key)
	return grouplog.Record{Name: n, Key: key, Value: value}, ours
}
