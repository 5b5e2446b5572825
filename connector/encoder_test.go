package connector

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"orderwalk/simulator"
)

// TestASlowEncoderDelaysItsLaneAlone: an encoder opens before its lane calls the API,
// so no page is listed twice because of it. Other lanes run in the meantime.
func TestASlowEncoderDelaysItsLaneAlone(t *testing.T) {
	const slow = 20 * time.Minute
	inBubble(t, func(a *testbed) {
		prompt, p := backlog("wx1", 500)
		delayed, q := backlog("wx2", 500)
		a.simulate(simulator.Config{Seed: 61, Shops: []simulator.Shop{prompt, delayed}})
		a.open = func(ctx context.Context, topic string) error {
			if !strings.HasSuffix(topic, ".slow") {
				return nil
			}
			select {
			case <-time.After(slow):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		pages := func() map[string]int {
			pages := make(map[string]int)
			for _, c := range a.listed() {
				if c.AppID == "wx2" {
					pages[fmt.Sprint(*c.Create, c.NextKey)]++
				}
			}
			return pages
		}
		run := a.start(shop{appID: "wx1", policy: p}, shop{appID: "wx2", topic: a.name + ".slow", policy: q})
		time.Sleep(slow / 2)
		if n := len(pages()); n > 0 {
			t.Errorf("%d pages are listed before the encoder is open", n)
		}
		a.eachOnce("wx1", p.Start, p.End)
		time.Sleep(slow / 2)
		if err := run.wait(); err != nil {
			t.Fatal(err)
		}
		if n := len(a.topic(a.name + ".slow")); n < 500 {
			t.Errorf("%d orders are on the topic of the slow encoder", n)
		}
		for page, n := range pages() {
			if n > 1 {
				t.Errorf("page %s is listed %d times", page, n)
			}
		}
	})
}

// TestARefusedEncoderFailsItsShop: an encoder that cannot be opened fails its shop and
// no other. Once it can be opened the shop continues.
func TestARefusedEncoderFailsItsShop(t *testing.T) {
	inBubble(t, func(a *testbed) {
		good, p := backlog("wx1", 200)
		bad, q := backlog("wx2", 200)
		a.simulate(simulator.Config{Seed: 62, Shops: []simulator.Shop{good, bad}})
		mended := make(chan struct{})
		a.open = func(_ context.Context, topic string) error {
			select {
			case <-mended:
			default:
				if strings.HasSuffix(topic, ".refused") {
					return errors.New("the registry refuses the schema")
				}
			}
			return nil
		}
		from, to := p.Start, p.End
		p.End, q.End = 0, 0 // a walk whose shops have all ended would end
		run := a.start(shop{appID: "wx1", policy: p}, shop{appID: "wx2", topic: a.name + ".refused", policy: q})
		failed := func(state State) func() bool {
			return func() bool {
				for _, s := range run.Status() {
					if s.Name == "wx2" {
						return s.State == state
					}
				}
				return false
			}
		}
		a.until("the shop has failed", failed(StateFailed))
		a.until("its neighbour is done", func() bool { return len(a.published()) >= 200 })
		a.eachOnce("wx1", from, to)
		if log := run.logged(); !strings.Contains(log, "the registry refuses the schema") {
			t.Errorf("the log does not say why:\n%s", log)
		}
		close(mended)
		time.Sleep(maxWait)
		a.until("it goes on", failed(StateLive))
		if err := run.stop(); err != nil {
			t.Error(err)
		}
	})
}
