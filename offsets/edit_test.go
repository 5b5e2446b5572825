package offsets

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
)

const now = int64(4000000000)

// overJSON is entries as a caller gets them and sends them back.
func overJSON(t *testing.T, entries []Entry) (back []Entry) {
	t.Helper()
	raw, err := json.Marshal(entries)
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(&back); err != nil {
		t.Fatal(err)
	}
	return back
}

// TestEditWithWhatIsListedChangesNothing: whatever is stored, all of its entries or any
// part of its windows' may be sent back.
func TestEditWithWhatIsListedChangesNothing(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	var tp topic
	var s Stored
	c := &Checkpoint{Watermark: 1000, Begin: 1000, Length: 60}
	for step := range 300 {
		mutate(rnd, c)
		s.Update("g", shop1, c, tp.emit)
		entries := overJSON(t, Entries(shop1, c))
		if rnd.IntN(2) == 0 {
			entries = entries[min(len(entries)-1, 1+rnd.IntN(3)):]
		}
		edited, err := Edit(shop1, c, entries, now)
		if err != nil {
			t.Fatalf("step %d: %v", step, err)
		}
		if !equal(edited, c) {
			t.Fatalf("step %d: edited\n%s\nwant\n%s", step, show(edited), show(c))
		}
		before := len(tp.log)
		s.Replace("g", shop1, edited, tp.emit)
		if got := tp.load("g"); len(got.Faults) > 0 || !equal(got.Shops[shop1].Checkpoint, c) {
			t.Fatalf("step %d: loaded %+v after %v", step, got, tp.log[before:])
		}
		c = edited
	}
}

// TestEditMovesTheWalk: a watermark alone replaces everything, and the records of the
// former windows go.
func TestEditMovesTheWalk(t *testing.T) {
	for name, watermark := range map[string]int64{"back": 1600000000, "forward": 1700000000} {
		t.Run(name, func(t *testing.T) {
			var tp topic
			var s Stored
			c := sample()
			s.Update("g", shop1, c, tp.emit)
			edited, err := Edit(shop1, c, []Entry{{shop1.entry(), map[string]any{"watermark": watermark}}}, now)
			if err != nil {
				t.Fatal(err)
			}
			s.Replace("g", shop1, edited, tp.emit)
			got := tp.load("g").Shops[shop1].Checkpoint
			if got.Watermark != watermark || len(got.Windows) > 0 || got.Begin != min(watermark, c.Begin) || len(tp.latest) != 1 {
				t.Errorf("stored is %s, in %d records", show(got), len(tp.latest))
			}
		})
	}
}

func TestEditForgetsTheShop(t *testing.T) {
	var tp topic
	var s Stored
	c := sample()
	s.Update("g", shop1, c, tp.emit)
	edited, err := Edit(shop1, c, []Entry{{shop1.entry(), nil}}, now)
	if edited != nil || err != nil {
		t.Fatalf("%v, %v", edited, err)
	}
	s.Replace("g", shop1, nil, tp.emit)
	if len(tp.latest) > 0 {
		t.Errorf("left on the topic: %v", tp.latest)
	}
}

// TestEditsThatAreRefused name what is wrong, and change nothing.
func TestEditsThatAreRefused(t *testing.T) {
	shop := `{"shop":"wx1","range":"create_time"}`
	window := `{"shop":"wx1","range":"create_time","window":1658516400}`
	for entries, want := range map[string]string{
		`[]`: "no offsets",
		`[{"partition":{"shop":"wx2","range":"create_time"},"offset":{"watermark":5}}]`:                                                                        "not this shop's",
		`[{"partition":{"filename":"x"},"offset":{"position":5}}]`:                                                                                             `unknown field "filename"`,
		`[{"partition":{},"offset":{"watermark":5}}]`:                                                                                                          "unknown key",
		`[{"partition":{"shop":"wx1","range":"create_time","window":5,"part":0},"offset":null}]`:                                                               "give shop and range",
		`[{"partition":{"shop":"wx1","range":"create_time","ledger":"x"},"offset":null}]`:                                                                      "give shop and range",
		`[{"partition":` + shop + `,"offset":{}}]`:                                                                                                             "watermark is missing",
		`[{"partition":` + shop + `,"offset":{"watermark":4000000001}}]`:                                                                                       "in the future",
		`[{"partition":` + shop + `,"offset":{"watermark":-5}}]`:                                                                                               "no unix second",
		`[{"partition":` + shop + `,"offset":{"watermark":"1658509200"}}]`:                                                                                     "watermark",
		`[{"partition":` + shop + `,"offset":{"watermark":5,"seq":1}}]`:                                                                                        `unknown field "seq"`,
		`[{"partition":` + shop + `,"offset":{"watermark":5,"next_key":"k"}}]`:                                                                                 "window_start and window_end are missing",
		`[{"partition":` + shop + `,"offset":{"watermark":5,"window_start":5,"window_end":5,"page_size":10}}]`:                                                 "is not after window_start",
		`[{"partition":` + shop + `,"offset":{"watermark":9,"window_start":5,"window_end":7,"page_size":10}}]`:                                                 "does not fit",
		`[{"partition":` + shop + `,"offset":{"watermark":5,"v":7}}]`:                                                                                          "newer orderwalk",
		`[{"partition":` + shop + `,"offset":{"watermark":5}},{"partition":` + shop + `,"offset":null}]`:                                                       "given twice",
		`[{"partition":` + shop + `,"offset":null},{"partition":` + window + `,"offset":null}]`:                                                                "it is forgotten",
		`[{"partition":` + window + `,"offset":{"window_start":1658516400,"window_end":1658516300,"page_size":10,"state":"open"}}]`:                            "is not after window_start",
		`[{"partition":` + window + `,"offset":{"window_start":1658516401,"window_end":1658523600,"page_size":10}}]`:                                           "not the key's",
		`[{"partition":` + window + `,"offset":{"window_start":1658516400,"window_end":1658523600,"page_size":10,"pass":1,"state":"waiting","next_key":"k"}}]`: "open window",
		`[{"partition":` + shop + `,"offset":{"watermark":1658516400,"window_start":1658516400,"window_end":1659121201,"page_size":10}}]`:                      "no more than seven days",
		`[{"partition":` + shop + `,"offset":{"watermark":1658516400,"window_start":1658516400,"window_end":1658516401,"page_size":10,"asked_from":5}}]`:       "no more than seven days",
		`[{"partition":` + window + `,"offset":{"window_start":1658516400,"window_end":1658523600,"page_size":1000}}]`:                                         "page_size 1000",
		`[{"partition":` + window + `,"offset":{"window_start":1658516400,"window_end":4000000001,"page_size":10}}]`:                                           "in the future",
	} {
		var list []Entry
		if err := json.Unmarshal([]byte(entries), &list); err != nil {
			t.Fatal(err)
		}
		c := sample()
		_, err := Edit(shop1, c, list, now)
		var bad *EntryError
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", entries, err, want)
		}
		if !equal(c, sample()) {
			t.Errorf("%s changed the checkpoint", entries)
		}
	}
}

// TestEditOfNothingNeedsAWatermark: nothing is stored of the shop yet.
func TestEditOfNothingNeedsAWatermark(t *testing.T) {
	if _, err := Edit(shop1, nil, []Entry{{shop1.windowEntry(5), nil}}, now); err == nil {
		t.Error("a window was forgotten where nothing is stored")
	}
	got, err := Edit(shop1, nil, []Entry{{shop1.entry(), map[string]any{"watermark": 1700000000}}}, now)
	if err != nil || got.Watermark != 1700000000 || got.Begin != 1700000000 {
		t.Errorf("%+v, %v", got, err)
	}
}

// FuzzEdit checks that whatever is sent, an accepted edit can be stored and loaded.
func FuzzEdit(f *testing.F) {
	f.Add([]byte(`[{"partition":{"shop":"wx1","range":"create_time"},"offset":{"watermark":1658509200,"window_start":1658509200,"window_end":1658516400,"next_key":"k","page_size":10}}]`))
	f.Add([]byte(`[{"partition":{"shop":"wx1","range":"create_time","window":1658516400},"offset":null}]`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.UseNumber()
		var entries []Entry
		if dec.Decode(&entries) != nil {
			return
		}
		var tp topic
		var s Stored
		c := sample()
		s.Update("g", shop1, c, tp.emit)
		edited, err := Edit(shop1, c, entries, now)
		if err != nil {
			return
		}
		s.Replace("g", shop1, edited, tp.emit)
		lane := tp.load("g")
		switch got := lane.Shops[shop1]; {
		case len(lane.Faults) > 0:
			t.Errorf("%s: %v", raw, lane.Faults)
		case edited == nil && len(tp.latest) > 0, edited != nil && !equal(got.Checkpoint, edited):
			t.Errorf("%s: stored %v", raw, tp.latest)
		}
	})
}
