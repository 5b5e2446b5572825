package connector

import (
	"slices"
	"strings"
	"testing"
	"time"

	"orderwalk/simulator"
)

// Two workers with a bounded range each have shops that will never be done: for a topic
// that cannot exist, or because the vendor refuses them. Both end when all other shops
// are done, and name the rest. A third worker has no such shop and ends with them.
func TestWorkersEndThoughEachHasAFailedShop(t *testing.T) {
	for name, refused := range map[string]bool{"a topic": false, "the vendor": true} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(a *testbed) {
				a.createTopic(a.orders(), 3, nil)
				a.impossible("not a name")
				var world []simulator.Shop
				var shops []shop
				var bad []string
				for lane := range 4 {
					for i, id := range a.inLane(lane, 2) {
						sh, p := backlog(id, 300)
						p.PageSize = 10
						s := shop{appID: id, policy: p}
						if i == 0 && lane < 3 {
							bad = append(bad, id)
							if s.static = func() (string, error) { return "no-token", nil }; !refused {
								s.static, s.topic = nil, "not a name"
							}
						}
						world, shops = append(world, sh), append(shops, s)
					}
				}
				a.simulate(simulator.Config{Seed: 41, Shops: world, Latency: 100 * time.Millisecond})
				for _, w := range []*process{a.start(shops...), a.start(shops...), a.start(shops...)} {
					err := w.wait()
					if err == nil {
						t.Fatal("a worker ended as if all were well")
					}
					for _, s := range shops {
						named := strings.Contains(err.Error(), "shop "+s.appID+":")
						if is := slices.Contains(bad, s.appID); named != is {
							t.Errorf("shop %s, bad %v, is named %v:\n%v", s.appID, is, named, err)
						}
					}
				}
				for _, s := range shops {
					if !slices.Contains(bad, s.appID) {
						a.eachOnce(s.appID, s.policy.Start, s.policy.End)
					}
				}
			})
		})
	}
}
