package connector

import (
	"fmt"
	"strings"
	"testing"

	"orderwalk/simulator"
)

// TestReservedKindsOfLaterVersionsArePassedOver: after a rollback every lane has
// records that this version does not know; its shops continue.
func TestReservedKindsOfLaterVersionsArePassedOver(t *testing.T) {
	inBubble(t, func(a *testbed) {
		one, p := backlog("wx1", 300)
		a.simulate(simulator.Config{Seed: 63, Shops: []simulator.Shop{one}})
		prepared := a.prepare(shop{appID: "wx1", policy: p})
		if err := prepared.topics(a.Context()); err != nil {
			t.Fatal(err)
		}
		later := func() {
			for lane := range int32(4) {
				for _, key := range []string{
					`["%s",{"kind":"tally","shop":"wx1","range":"create_time"}]`,
					`["%s",{"shop":"wx1","range":"create_time","kind":{"of":"something"}}]`,
					`["%s",{"shop":"wx1","ledger":"desired"}]`,
					`["%s",{"kind":"fence","since":5}]`,
				} {
					a.produce(a.name+".offsets", lane, fmt.Appendf(nil, key, a.name), []byte(`{"v":9,"form":"unheard of"}`))
				}
			}
		}
		later()
		if err := a.run(prepared).wait(); err != nil {
			t.Fatal(err)
		}
		later()
		again := a.start(shop{appID: "wx1", policy: p})
		if err := again.wait(); err != nil {
			t.Fatal(err)
		}
		a.eachOnce("wx1", p.Start, p.End)
		for _, log := range []string{prepared.logged(), again.logged()} {
			if strings.Contains(log, "level=ERROR") || strings.Contains(log, "level=WARN") {
				t.Errorf("a worker complains:\n%s", log)
			}
		}
	})
}
