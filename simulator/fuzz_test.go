package simulator_test

import (
	"testing"

	"orderwalk/simulator"
)

// Any request gets a proper answer, and a page lists only orders of the requested
// range.
func FuzzListBody(f *testing.F) {
	s := shop(hundred, simulator.Live{}, simulator.Faults{})
	key := list(f, s, created(hundred.From, hundred.To, 10, "")).next()
	for _, body := range []string{
		"", "null", "{}", "[]", `"`, `{"create_time_range":{}}`,
		created(hundred.From, hundred.To, 10, ""), created(hundred.From, hundred.To, 10, key),
		ask("update_time_range", 0, 4294967295, 100, ""), ask("update_time_range", 4294967295, 4294967296, 1, key),
		`{"create_time_range":null,"update_time_range":{"start_time":946681200,"end_time":946684799},"status":-0}`,
		`{"create_time_range":{"start_time":946681200,"end_time":946684799},"openid":"oSIM","status":20,"x":{"y":[1e999]}}`,
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		for _, faults := range []simulator.Faults{{}, {Order: "desc", EndExclusive: true, OffsetKeys: true, RepeatIDAcrossPages: true, NullRange: "reject", VisibilityLag: 1e9, MaxOrdersPerRequest: 50}} {
			s.SetFaults(faults)
			r := list(t, s, body)
			switch {
			case r.http != 200 || r.notJSON:
				t.Fatalf("HTTP %d %q", r.http, r.raw)
			case r.Errcode == 0 && (len(r.ids(t)) > 100 || r.HasMore && (r.next() == "" || len(r.ids(t)) == 0)):
				t.Fatalf("%s", r.raw)
			case r.Errcode != 0 && r.Errcode != 40097 && r.Errcode != 47001 && r.Errcode != 606006 && r.Errcode != 44002 && r.Errcode != 45002 && r.Errcode != 31042:
				t.Fatalf("%s", r.raw)
			}
		}
	})
}
