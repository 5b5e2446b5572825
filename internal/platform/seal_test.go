package platform

import (
	"bytes"
	"encoding/base64"
	"log/slog"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"orderwalk/internal/grouplog"
	"orderwalk/simulator"
)

func keysOf(fill ...byte) Keys {
	var keys [][]byte
	for _, b := range fill {
		keys = append(keys, bytes.Repeat([]byte{b}, 32))
	}
	return func() ([][]byte, error) { return keys, nil }
}

func TestSealedOnlyOpensWhereItBelongs(t *testing.T) {
	record, text := []byte(`["g",{"component":"wxc","ledger":"ticket"}]`), "ticket@@@secret"
	v := value{V: 1, At: 7, Expires: 8}
	sealed, err := keysOf(1).seal(record, v, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(sealed, "secret") {
		t.Error("the text can be read")
	}
	again, _ := keysOf(1).seal(record, v, []byte(text))
	if again == sealed {
		t.Error("two seals of one text are the same")
	}
	for _, c := range []struct {
		what   string
		keys   Keys
		record string
		first  bool
		opens  bool
	}{
		{"the key", keysOf(1), string(record), true, true},
		{"an older key", keysOf(2, 1), string(record), false, true},
		{"another key", keysOf(2), string(record), false, false},
		{"another record", keysOf(1), string(record) + " ", false, false},
		{"no keys", nil, string(record), false, false},
	} {
		got, by, err := c.keys.open([]byte(c.record), sealedAs(v, sealed))
		first := false
		if c.keys != nil {
			now, err := c.keys.first()
			first = err == nil && by == now
		}
		if (err == nil) != c.opens || c.opens && (first != c.first || string(got) != text) {
			t.Errorf("%s: %q, %v, %v", c.what, got, first, err)
		}
	}
	raw, _ := base64.StdEncoding.DecodeString(sealed)
	for i := range raw {
		broken := bytes.Clone(raw)
		broken[i] ^= 1
		if _, _, err := keysOf(1).open(record, sealedAs(v, base64.StdEncoding.EncodeToString(broken))); err == nil {
			t.Errorf("opens with byte %d changed", i)
		}
		if _, _, err := keysOf(1).open(record, sealedAs(v, base64.StdEncoding.EncodeToString(raw[:i]))); err == nil {
			t.Errorf("opens cut off after %d bytes", i)
		}
	}
}

func sealedAs(v value, sealed string) value { v.Sealed = sealed; return v }

// A seal covers its whole record: if a writer of the topic alters anything, the record is
// rejected.
func TestSealBindsTheWholeValue(t *testing.T) {
	record := []byte(`["g",{"component":"wxc","shop":"wx1","ledger":"tokens"}]`)
	v := value{V: 1, At: 7, Expires: 8, Problem: "p", Errcode: 9, Handled: 10, Known: "k", Given: "g"}
	sealed, err := keysOf(1).seal(record, v, []byte("text"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range reflect.TypeFor[value]().NumField() {
		altered := sealedAs(v, sealed)
		switch field := reflect.ValueOf(&altered).Elem().Field(i); field.Kind() {
		case reflect.String:
			field.SetString(field.String() + "A")
		default:
			field.SetInt(field.Int() + 1)
		}
		if _, _, err := keysOf(1).open(record, altered); err == nil {
			t.Errorf("opens as %+v", altered)
		}
	}
	if text, _, err := keysOf(1).open(record, sealedAs(v, sealed)); err != nil || string(text) != "text" {
		t.Errorf("%q, %v", text, err)
	}
}

// firstSealed returns a record as the first version sealed it.
func firstSealed(t *testing.T, n grouplog.Name, v value, text string) grouplog.Record {
	t.Helper()
	key := n.Bytes("g")
	gcm, err := newGCM(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		t.Fatal(err)
	}
	id := idOf(firstForm, bytes.Repeat([]byte{1}, 32))
	nonce := make([]byte, gcm.NonceSize())
	out := append(id[:], nonce...)
	v.V, v.Sealed = 1, base64.StdEncoding.EncodeToString(gcm.Seal(out, nonce, []byte(text), key))
	return grouplog.Record{Key: key, Value: grouplog.Encode(v)}
}

// Records sealed by an older version are read and sealed again; after that such a record
// is rejected, and so is one without a seal.
func TestSealsOfTheFirstForm(t *testing.T) {
	n := grouplog.Name{Component: "wxc", Kind: kindToken}
	b := newStore("g", keysOf(1), slog.New(slog.DiscardHandler), nil)
	add := func(r grouplog.Record) secret {
		t.Helper()
		r.Name = n
		b.add(r)
		s, _ := b.snapshot()
		first, err := keysOf(1).first()
		if err != nil {
			t.Fatal(err)
		}
		s.markOldKeys(first)
		return s.token
	}
	if got := add(firstSealed(t, n, value{At: 5, Expires: 6}, "old")); got.text != "old" || got.at != 5 || !got.oldKey {
		t.Errorf("of the first form: %+v", got)
	}
	sealed, err := record{name: n, value: value{At: 5, Expires: 6}, text: []byte("old")}.entry("g", keysOf(1))
	if err != nil {
		t.Fatal(err)
	}
	key := n.Bytes("g")
	if got := add(grouplog.Record{Key: key, Value: sealed.Value}); got.text != "old" || got.at != 5 || got.oldKey {
		t.Errorf("sealed again: %+v", got)
	}
	if got := add(firstSealed(t, n, value{At: 50, Expires: 60}, "old")); got.text != "" {
		t.Errorf("of the first form again: %+v", got)
	}
	if got := add(grouplog.Record{Key: key, Value: sealed.Value}); got.text != "old" {
		t.Errorf("sealed once more: %+v", got)
	}
	if got := add(grouplog.Record{Key: key, Value: []byte(`{"v":1,"at":9,"expires":10,"problem":"none"}`)}); got.text != "" || got.at != 0 {
		t.Errorf("without a seal: %+v", got)
	}
}

// TestStateKeysChangeWhileThePlatformFails: a minute after the change the old key goes, while
// the vendor refuses the platform and one shop is not configured for a while. Tokens and
// ticket are still there when the vendor answers again.
func TestStateKeysChangeWhileThePlatformFails(t *testing.T) {
	story(t, simulator.Faults{WayFaults: simulator.WayFaults{RotateRefreshToken: "at_use"}}, func(w *fixture) {
		configure := func(shops map[string]string) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.given = shops
		}
		keys := func(now Keys) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.keys = now
		}
		k := w.start("a", true)
		k.ticket()
		k.works("wx1")
		configure(map[string]string{"wx1": ""})
		time.Sleep(time.Hour)
		k.works("wx1")
		configure(map[string]string{"wx2": ""}) // wx1 is not configured now
		w.api.SetFaults(simulator.Faults{WayFaults: simulator.WayFaults{PlatformError: -1}})
		time.Sleep(3 * time.Hour)
		keys(keysOf(2, 1))
		time.Sleep(time.Minute)
		keys(keysOf(2))
		k.stop()
		k = w.start("b", true)
		time.Sleep(lookEvery)
		if text := w.log.String(); strings.Contains(text, "ignoring an unreadable record") {
			w.Errorf("something was sealed under the old key:\n%s", text)
		}
		configure(map[string]string{"wx1": ""})
		w.answersLists(func(rw http.ResponseWriter, _ *http.Request) { w.Error("the vendor's list was needed") })
		w.api.SetFaults(simulator.Faults{WayFaults: simulator.WayFaults{RotateRefreshToken: "at_use"}})
		time.Sleep(2 * time.Minute)
		k.works("wx1")
		k.stop()
	})
}
