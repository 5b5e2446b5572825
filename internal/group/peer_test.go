package group

import (
	"strings"
	"testing"
	"testing/synctest"
)

const otherConfig = "has a different configuration"

func load(lanes map[int]int) func(*Config) {
	return func(c *Config) { c.Load = func() map[int]int { return lanes } }
}

// Two deployments use one group: the one whose topic the leader does not have gets no
// lane, and would otherwise wait for ever without a message.
func TestStrangerOnAnotherTopic(t *testing.T) {
	inBubble(t, 4, func(t *testing.T, w *fixture) {
		a := w.start("a")
		w.within(rebalance, a)
		b := w.start("b", func(c *Config) { c.Topic = "other.offsets" })
		w.eventually(2*rebalance, func() string {
			for _, k := range []*worker{a, b} {
				if !strings.Contains(k.log.String(), otherConfig) || !strings.Contains(k.log.String(), ErrOtherTopic.Error()) {
					return k.name + " says nothing"
				}
			}
			return ""
		})
	})
}

// Workers with another list of shops: a shop's lane may be with a worker that does not
// know it. It is logged once.
func TestStrangerWithOtherShops(t *testing.T) {
	inBubble(t, 4, func(t *testing.T, w *fixture) {
		together := func(workers ...*worker) {
			w.eventually(3*rebalance, func() string {
				for _, k := range workers {
					if k.last().Members != len(workers) {
						return k.name + " has not met all"
					}
				}
				return ""
			})
		}
		a := w.start("a", load(map[int]int{0: 2, 1: 1}))
		b := w.start("b", load(map[int]int{0: 2, 1: 1, 2: 0, 3: -1}))
		together(a, b)
		if text := a.log.String() + b.log.String(); strings.Contains(text, otherConfig) {
			t.Fatalf("the same shops are complained about:\n%s", text)
		}
		c := w.start("c", load(map[int]int{0: 2, 3: 1}))
		together(a, b, c)
		d := w.start("d", load(map[int]int{0: 2, 3: 1}))
		together(a, b, c, d)
		synctest.Wait()
		if n := strings.Count(a.log.String(), otherConfig); n != 1 {
			t.Errorf("a says it %d times:\n%s", n, a.log.String())
		}
		if !strings.Contains(c.log.String(), otherConfig) {
			t.Errorf("c does not see it:\n%s", c.log.String())
		}
	})
}

func TestSubscription(t *testing.T) {
	raw := []byte("\x00\x01\x00\x00\x00\x02\x00\x01a\x00\x03b.c\x00\x00\x00\x02xy\x00\x00")
	if topics, data, ok := parseSubscription(raw); !ok || strings.Join(topics, " ") != "a b.c" || string(data) != "xy" {
		t.Errorf("%q %q %v", topics, data, ok)
	}
	for n := range len(raw) - 2 {
		if _, _, ok := parseSubscription(raw[:n]); ok {
			t.Errorf("the first %d bytes are taken for all", n)
		}
	}
	for _, bad := range []string{"\x00\x01\x7f\xff\xff\xff", "\x00\x01\x00\x00\x00\x01\xff\xff"} {
		if _, _, ok := parseSubscription([]byte(bad)); ok {
			t.Errorf("%q is taken", bad)
		}
	}
}
