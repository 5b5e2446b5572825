package connector

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"orderwalk/internal/record"
	"orderwalk/internal/wechat"
	"orderwalk/offsets"
	"orderwalk/simulator"
)

// TestACheckpointOfAnEarlierVersionGoesOn: an earlier version requested windows from
// their own start. A window it has opened continues with its token under that range.
func TestACheckpointOfAnEarlierVersionGoesOn(t *testing.T) {
	inBubble(t, func(a *testbed) {
		from := time.Now().Unix() - 3600
		to := from + 60
		a.everySecond(simulator.Config{}, from-3, to+3)
		p := testPolicy()
		p.Start, p.End = from, to
		process := a.prepare(shop{appID: "wx1", policy: p})
		page, err := process.cfg.Shops[0].Client.List(context.Background(), wechat.Query{Range: wechat.CreateTime, Start: from, End: from + 30, PageSize: 7})
		if err != nil || page.Next == "" {
			t.Fatal(page, err)
		}
		key := offsets.Key{Partition: process.cfg.Shops[0].partition()}.Bytes(a.name)
		if err := process.topics(context.Background()); err != nil {
			t.Fatal(err)
		}
		a.produce(a.name+".offsets", record.Partition(key, 4), key, fmt.Appendf(nil,
			`{"v":1,"watermark":%d,"window_start":%d,"window_end":%d,"next_key":%q,"page_size":7}`, from, from, from+30, page.Next))
		first := len(a.listed())
		if err := a.run(process).wait(); err != nil {
			t.Fatal(err)
		}
		calls := a.listed()[first:]
		went := slices.IndexFunc(calls, func(c simulator.ListCall) bool { return c.NextKey == page.Next })
		if went < 0 || *calls[went].Create != (simulator.Range{Start: from, End: from + 30}) || calls[went].Outcome != "0" {
			t.Errorf("calls are %+v; want the token under the range it was issued for", calls)
		}
		count := make(map[string]int)
		for _, r := range a.published() {
			count[string(r.Key)]++
		}
		for _, id := range page.IDs { // the earlier version published them
			count[id]++
		}
		for id := 10 * from; id <= 10*to; id += 10 {
			if n := count[fmt.Sprint(id)]; n != 1 {
				t.Errorf("order of %+d s is published %d times", id/10-from, n)
			}
		}
	})
}
