package group

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The members cannot be counted when a generation begins: they are counted later. Workers
// that each take themselves for the only one would wait for ever for the other's shops.
func TestMembersThatAreCountedLater(t *testing.T) {
	for name, f := range map[string]kfake.Fault{
		"no such group":  {Err: kerr.GroupIDNotFound, Count: 8},
		"no coordinator": {Err: kerr.CoordinatorNotAvailable, Count: 8},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 12, func(t *testing.T, w *fixture) {
				a := w.start("a")
				w.within(rebalance, a)
				b := w.start("b")
				w.eventually(2*rebalance, func() string {
					if len(b.has()) == 0 {
						return "b has no lanes"
					}
					return ""
				})
				f.Keys = keys(kmsg.DescribeGroups)
				w.Cluster.Fault(f)
				c := w.start("c", func(cfg *Config) { cfg.Worker = "" }) // looks for no namesakes
				w.within(2*time.Minute, a, b, c)
				w.stays(time.Minute, a, b, c)
			})
		})
	}
}
