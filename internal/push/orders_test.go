package push

import (
	"testing"

	"orderwalk/internal/grouplog"
)

// The record's bytes are a contract: workers of several versions read them.
func TestOrderValueBytes(t *testing.T) {
	for want, v := range map[string]orderValue{
		`{"v":1,"at":1700000000,"event":"channels_ec_order_new"}`:                               {V: 1, At: 1_700_000_000, Event: "channels_ec_order_new"},
		`{"v":1,"at":1700000000}`:                                                               {V: 1, At: 1_700_000_000},
		`{"v":1,"at":1700000000,"event":"channels_ec_order_new","order":"3704612354559743232"}`: {V: 1, At: 1_700_000_000, Event: "channels_ec_order_new", Order: "3704612354559743232"},
	} {
		if got := string(grouplog.Encode(v)); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
