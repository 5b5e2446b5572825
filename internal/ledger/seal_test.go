package ledger

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
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
	sealed, err := keysOf(1).seal(record, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(sealed, "secret") {
		t.Error("the text can be read")
	}
	again, _ := keysOf(1).seal(record, []byte(text))
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
		got, by, err := c.keys.open([]byte(c.record), sealed)
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
		if _, _, err := keysOf(1).open(record, base64.StdEncoding.EncodeToString(broken)); err == nil {
			t.Errorf("opens with byte %d changed", i)
		}
		if _, _, err := keysOf(1).open(record, base64.StdEncoding.EncodeToString(raw[:i])); err == nil {
			t.Errorf("opens cut off after %d bytes", i)
		}
	}
}

// The bytes of keys are promised: compaction goes by them.
func TestKeyBytes(t *testing.T) {
	for want, n := range map[string]name{
		`["g",{"component":"wxc","ledger":"ticket"}]`:                  {Component: "wxc", Kind: kindTicket},
		`["g",{"component":"wxc","ledger":"token"}]`:                   {Component: "wxc", Kind: kindToken},
		`["g",{"component":"wxc","shop":"wx1","ledger":"tokens"}]`:     {Component: "wxc", Shop: "wx1", Kind: kindTokens},
		`["g",{"component":"wxc","shop":"wx1","ledger":"authorized"}]`: {Component: "wxc", Shop: "wx1", Kind: kindAuthorized},
		`["g",{"component":"wxc","shop":"wx1","ledger":"refused"}]`:    {Component: "wxc", Shop: "wx1", Kind: kindRefused},
		`["g",{"shop":"wx1","ledger":"order"}]`:                        {Shop: "wx1", Kind: kindOrder},
	} {
		if got := string(n.bytes("g")); got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if got, ok := parseName("g", []byte(want)); !ok || got != n {
			t.Errorf("parse %s = %+v, %v", want, got, ok)
		}
		if _, ok := parseName("other", []byte(want)); ok {
			t.Errorf("%s is another group's", want)
		}
	}
	if got := string(Key("g")); got != `["g",{"ledger":"ledger"}]` {
		t.Error(got)
	}
	for _, foreign := range []string{`["g",{"shop":"wx1","range":"create_time"}]`, `["g",{"ledger":"ticket","component":"wxc"}]`, `"ledger":`, `[]`} {
		if n, ok := parseName("g", []byte(foreign)); ok {
			t.Errorf("%s is %+v", foreign, n)
		}
	}
}
