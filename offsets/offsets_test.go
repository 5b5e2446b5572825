package offsets

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// topic is a compacted topic in a map that keeps the order of writes.
type topic struct {
	latest map[string][]byte
	log    []string
}

func (tp *topic) emit(key, value []byte) {
	if tp.latest == nil {
		tp.latest = make(map[string][]byte)
	}
	if value == nil {
		delete(tp.latest, string(key))
		tp.log = append(tp.log, fmt.Sprintf("%s -> (tombstone)", key))
		return
	}
	tp.latest[string(key)] = value
	tp.log = append(tp.log, fmt.Sprintf("%s -> %s", key, value))
}

func (tp *topic) load(group string) Lane {
	l := Loader{Group: group}
	for k, v := range tp.latest {
		l.Add([]byte(k), v)
	}
	return l.Load()
}

var shop1 = Partition{Shop: "wx1", Range: "create_time"}

func sample() *Checkpoint {
	c := &Checkpoint{Watermark: 1658509200, Begin: 1658505600, Length: 7200, Windows: []*Window{
		{Start: 1658505600, End: 1658509200, State: Waiting, Pass: 1, Pages: 1, PageSize: 100, Opened: 1658509300},
		{Start: 1658509200, End: 1658516400, State: Open, Pass: 1, Key: "KEY<&>\"1", Pages: 2, PageSize: 10, Status: 20, OpenID: "oAbc", Opened: 1658516500},
		{Start: 1658516400, End: 1658523600, From: 1658516399, State: Open, Pass: 1, PageSize: 100},
	}}
	for _, id := range []string{"3704612354559743232", "3704849110714209536", "not-a-number", "007"} {
		c.Windows[1].See(id)
	}
	return c
}

// TestRecordsGolden fixes the bytes that other programs rely on.
func TestRecordsGolden(t *testing.T) {
	var tp topic
	var s Stored
	c := sample()
	s.Update("orderwalk", shop1, c, tp.emit)
	slices.Sort(tp.log)
	got := strings.Join(tp.log, "\n") + "\n"
	file := filepath.Join("testdata", "records.golden")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("records changed; other programs and older checkpoints rely on these bytes\ngot:\n%s\nwant:\n%s", got, want)
	}
}

func TestKeyRoundTrip(t *testing.T) {
	for _, k := range []Key{
		{Kind: KindShop, Partition: shop1},
		{Kind: KindWindow, Partition: shop1, Window: -5},
		{Kind: KindPart, Partition: Partition{Shop: "店\"<>\\", Range: "update_time"}, Window: 7, Part: 12},
	} {
		raw := k.Bytes(`a"组<b>`)
		got, err := ParseKey(`a"组<b>`, raw)
		if err != nil || got != k {
			t.Errorf("%s: got %+v, %v; want %+v", raw, got, err, k)
		}
		if _, err := ParseKey("other", raw); !errors.Is(err, ErrForeign) {
			t.Errorf("%s read by another group: %v, want ErrForeign", raw, err)
		}
	}
	for _, raw := range []string{`["g",{"kind":"tally","shop":"wx1","range":"create_time"}]`, `["g",{"shop":"wx1","range":"create_time","window":5,"kind":1}]`, `["g",{"ledger":"later"}]`} {
		if _, err := ParseKey("g", []byte(raw)); !errors.Is(err, ErrForeign) {
			t.Errorf("%s: %v, want ErrForeign: the field is reserved", raw, err)
		}
	}
}

// TestLoadIsTheInverseOfUpdate applies random changes to random checkpoints. After
// each, what is loaded equals what was written.
func TestLoadIsTheInverseOfUpdate(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var tp topic
	var s Stored
	c := &Checkpoint{Watermark: 1000, Begin: 1000, Unheard: true, Length: 60}
	for step := range 400 {
		mutate(rnd, c)
		s.Update("g", shop1, c, tp.emit)
		lane := tp.load("g")
		if len(lane.Faults) > 0 {
			t.Fatalf("step %d: %v", step, lane.Faults)
		}
		got := lane.Shops[shop1]
		if !equal(got.Checkpoint, c) {
			t.Fatalf("step %d: loaded\n%s\nwant\n%s", step, show(got.Checkpoint), show(c))
		}
		same := func(a, b windowRecords) bool { return reflect.DeepEqual(a, b) }
		if !slices.EqualFunc(got.Stored.windows, s.windows, same) || !bytes.Equal(got.Stored.shop, s.shop) {
			t.Fatalf("step %d: loaded stored state differs: %v, want %v", step, got.Stored, s)
		}
		// A restart at any point continues from what was loaded.
		if rnd.IntN(10) == 0 {
			c, s = got.Checkpoint, got.Stored
		}
	}
	if n := len(tp.latest); n > 60 {
		t.Errorf("%d records left on the topic: windows that are gone were not forgotten", n)
	}
}

func mutate(rnd *rand.Rand, c *Checkpoint) {
	if len(c.Windows) < 6 && rnd.IntN(2) == 0 {
		f := c.Frontier()
		c.Track(&Window{Start: f, End: f + 1 + rnd.Int64N(100), From: f - rnd.Int64N(2), State: Open, Pass: 1, PageSize: 1 + rnd.IntN(100)})
	}
	for i := 0; i < len(c.Windows); i++ {
		w := c.Windows[i]
		switch {
		case w.State == Open && rnd.IntN(3) == 0:
			w.State, w.Key = Waiting, ""
		case w.State == Open:
			w.Key = "k" + strconv.Itoa(rnd.IntN(1000))
			w.Pages++
			w.Late = rnd.IntN(2) == 0
			for range rnd.IntN(5) {
				w.See(strconv.FormatInt(3704612354559743232+rnd.Int64N(1e12), 10))
			}
			if rnd.IntN(4) == 0 {
				w.See("text-" + strconv.Itoa(rnd.IntN(1000)))
			}
		case w.State == Waiting && rnd.IntN(4) == 0:
			w.State = Settled
			c.Put(i, i+1, w)
		case w.State == Waiting && rnd.IntN(6) == 0:
			w.Pass = 2
			c.Reopen(w)
		case w.State == Settled && rnd.IntN(3) == 0:
			c.Forget(w)
		case w.State == Settled && w.Reach == 0 && i+1 < len(c.Windows) && c.Windows[i+1].State == Settled:
			w.End = c.Windows[i+1].End
			c.Put(i, i+2, w)
		case w.State == Settled && w.Reach > 0:
			c.Unreach(w)
		}
		if w.State == Open && w.End-w.Start > 10 && rnd.IntN(4) == 0 {
			first, second := *w, Window{Start: w.Start + 5, End: w.End, State: Open, Pass: w.Pass, PageSize: 3}
			first.End, first.Reach = second.Start, max(w.End, w.Reach)
			c.Put(i, i+1, &first, &second)
		}
	}
	for len(c.Windows) > 1 && c.Windows[0].State == Settled {
		c.Put(0, 1)
	}
	c.Watermark = c.Frontier()
	for _, w := range c.Windows {
		if !w.Finished() {
			c.Watermark = w.Start
			break
		}
	}
}

func equal(a, b *Checkpoint) bool { return show(a) == show(b) }

func show(c *Checkpoint) string {
	var b strings.Builder
	fmt.Fprintf(&b, "watermark %d begin %d %v length %d\n", c.Watermark, c.Begin, c.Unheard, c.Length)
	for _, w := range c.Windows {
		ids := slices.Sorted(w.Seen.All())
		fmt.Fprintf(&b, "%d(%d)-%d %s pass %d key %q pages %d size %d status %d openid %q opened %d late %v reach %d seen %v\n",
			w.Start, w.From, w.End, w.State, w.Pass, w.Key, w.Pages, w.PageSize, w.Status, w.OpenID, w.Opened, w.Late, w.Reach, ids)
	}
	return b.String()
}

// TestForgottenShopStartsOver: an operator writes a tombstone for the shop's record to
// start over. The first update forgets the shop's windows.
func TestForgottenShopStartsOver(t *testing.T) {
	var tp topic
	var s Stored
	s.Update("g", shop1, sample(), tp.emit)
	tp.emit(Key{Kind: KindShop, Partition: shop1}.Bytes("g"), nil)
	lane := tp.load("g")
	got := lane.Shops[shop1]
	if got == nil || got.Checkpoint != nil {
		t.Fatalf("loaded %+v, faults %v; want a shop without a checkpoint", got, lane.Faults)
	}
	got.Stored.Update("g", shop1, &Checkpoint{Watermark: 5}, tp.emit)
	if len(tp.latest) != 1 {
		t.Errorf("left on the topic: %v; want the shop's new record alone", tp.latest)
	}
}

// TestBadRecordsNameThemselves: no damaged or future record counts as "nothing stored",
// and the error names it.
func TestBadRecordsNameThemselves(t *testing.T) {
	shopKey := `["g",{"shop":"wx1","range":"create_time"}]`
	windowKey := `["g",{"shop":"wx1","range":"create_time","window":100}]`
	partKey := `["g",{"shop":"wx1","range":"create_time","window":100,"part":0}]`
	good := `{"v":1,"watermark":100,"window_start":100,"window_end":200,"next_key":"k","page_size":10}`
	for name, bad := range map[string][2]string{
		"half a value":             {shopKey, `{"v":1,"watermark":`},
		"empty value":              {shopKey, ``},
		"not an object":            {shopKey, `[]`},
		"null as a value":          {shopKey, `null`},
		"no version":               {shopKey, `{"watermark":1}`},
		"newer version":            {shopKey, `{"v":2,"watermark":1,"shape":"new"}`},
		"unknown field":            {shopKey, `{"v":1,"watermark":1,"extra":1}`},
		"no watermark":             {shopKey, `{"v":1}`},
		"fraction":                 {shopKey, `{"v":1,"watermark":1.5}`},
		"two values":               {shopKey, `{"v":1,"watermark":1}{}`},
		"asked from its middle":    {shopKey, `{"v":1,"watermark":100,"window_start":100,"window_end":200,"asked_from":101,"page_size":1}`},
		"half a window":            {shopKey, `{"v":1,"watermark":100,"window_start":100}`},
		"key without window":       {shopKey, `{"v":1,"watermark":100,"next_key":"k"}`},
		"window of no length":      {shopKey, `{"v":1,"watermark":100,"window_start":100,"window_end":100,"page_size":1}`},
		"no page size":             {shopKey, `{"v":1,"watermark":100,"window_start":100,"window_end":200}`},
		"watermark off its window": {shopKey, `{"v":1,"watermark":90,"window_start":100,"window_end":200,"page_size":1}`},
		"unknown state":            {shopKey, `{"v":1,"watermark":100,"window_start":100,"window_end":200,"page_size":1,"state":"new"}`},
		"unknown pass":             {shopKey, `{"v":1,"watermark":100,"window_start":100,"window_end":200,"page_size":1,"pass":3}`},
		"unknown key field":        {`["g",{"shop":"wx1","range":"create_time","slot":1}]`, `{"v":1}`},
		"part without window":      {`["g",{"shop":"wx1","range":"create_time","part":1}]`, `{"v":1}`},
		"key in another order":     {`["g",{"range":"create_time","shop":"wx1"}]`, `{"v":1,"watermark":1}`},
		"window of another start":  {windowKey, `{"v":1,"window_start":101,"window_end":200,"page_size":1}`},
		"window beside its copy":   {windowKey, `{"v":1,"window_start":100,"window_end":200,"page_size":1}`},
		"gap between windows":      {`["g",{"shop":"wx1","range":"create_time","window":300}]`, `{"v":1,"window_start":300,"window_end":400,"page_size":1}`},
		"damaged part":             {partKey, `{"v":1,"count":1,"ids":"!!"}`},
		"part with a wrong count":  {partKey, `{"v":1,"count":2,"ids":"` + packIDs([]string{"1"}) + `"}`},
	} {
		t.Run(name, func(t *testing.T) {
			l := Loader{Group: "g"}
			l.Add([]byte(shopKey), []byte(good))
			l.Add([]byte(bad[0]), []byte(bad[1]))
			l.Add([]byte(`["g",{"shop":"wx2","range":"create_time"}]`), []byte(`{"v":1,"watermark":7}`))
			lane := l.Load()
			err := lane.Faults[shop1]
			if err == nil || lane.Shops[shop1] != nil {
				t.Fatalf("loaded without an error: %+v", lane.Shops[shop1])
			}
			// Faults between records are reported at the shop's own record.
			if !strings.Contains(err.Error(), bad[0]) && !strings.Contains(err.Error(), shopKey) {
				t.Errorf("error does not name the record: %v", err)
			}
			if lane.Shops[Partition{"wx2", "create_time"}] == nil {
				t.Error("a bad record of one shop stopped another")
			}
		})
	}
}

// TestContractMinimum: start, end, key and page size suffice to resume a window that
// another program wrote.
func TestContractMinimum(t *testing.T) {
	l := Loader{Group: "g"}
	l.Add([]byte(`["g",{"shop":"wx1","range":"create_time"}]`), []byte(`{"v":1,"watermark":100,"window_start":100,"window_end":200,"next_key":"k","page_size":10}`))
	lane := l.Load()
	if len(lane.Faults) > 0 {
		t.Fatal(lane.Faults)
	}
	w := lane.Shops[shop1].Checkpoint.Windows[0]
	if w.Key != "k" || w.PageSize != 10 || w.State != Open || w.Pass != 1 {
		t.Errorf("resumed %+v", w)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(`["g",{"shop":"wx1","range":"create_time"}]`), []byte(`{"v":1,"watermark":100,"window_start":100,"window_end":200,"next_key":"k","page_size":10}`), []byte(`["g",{"shop":"wx1","range":"create_time","window":100,"part":0}]`), []byte(`{"v":1,"count":1,"ids":"AQIA"}`))
	f.Add([]byte(`["g",{"shop":"wx1"}]`), []byte(`{"v":1}`), []byte(`["g",{"shop":"wx1","range":"create_time","window":1}]`), []byte(`{"v":1,"window_start":1,"window_end":2,"page_size":1}`))
	f.Fuzz(func(t *testing.T, k1, v1, k2, v2 []byte) {
		l := Loader{Group: "g"}
		l.Add(k1, v1)
		l.Add(k2, v2)
		lane := l.Load()
		for p, shop := range lane.Shops {
			if shop.Checkpoint == nil {
				continue
			}
			// An accepted checkpoint survives being written and read again.
			var tp topic
			for k, v := range l.latest {
				tp.emit([]byte(k), v)
			}
			shop.Stored.Update("g", p, shop.Checkpoint, tp.emit)
			again := tp.load("g")
			if len(again.Faults) > len(lane.Faults) || again.Shops[p] == nil || !equal(again.Shops[p].Checkpoint, shop.Checkpoint) {
				t.Fatalf("accepted %q %q %q %q, wrote it, and read something else: %v", k1, v1, k2, v2, again.Faults)
			}
		}
	})
}

// A record that could not be read fails its shop, unless a later one replaces it.
// Records of other groups are not wanted, and not kept.
func TestLoaderRefusals(t *testing.T) {
	key := func(shop string) []byte {
		return Key{Kind: KindShop, Partition: Partition{shop, "create_time"}}.Bytes("g")
	}
	value := []byte(`{"v":1,"watermark":1700000000}`)
	l := Loader{Group: "g"}
	for _, shop := range []string{"wx1", "wx2", "wx3"} {
		l.Add(key(shop), value)
	}
	large := errors.New("too large")
	l.Refuse(key("wx1"), large)
	l.Refuse(key("wx2"), large)
	l.Refuse([]byte(`["other",{"shop":"wx3","range":"create_time"}]`), large)
	l.Add(key("wx2"), value)
	lane := l.Load()
	if len(lane.Shops) != 2 || len(lane.Faults) != 1 || lane.Faults[Partition{"wx1", "create_time"}] == nil || lane.Unread != nil {
		t.Errorf("loaded %+v", lane)
	}
	l.Add(key("wx1"), nil) // as the message recommends
	l.Refuse(nil, large)
	if lane = l.Load(); len(lane.Faults) != 0 || lane.Unread == nil {
		t.Errorf("loaded %+v", lane)
	}
	if !l.Wants(key("wx1")) || l.Wants([]byte(`["other",{"shop":"wx3","range":"create_time"}]`)) || l.Wants(nil) {
		t.Error("Wants takes one for the other")
	}
}
