package record

import (
	"bytes"
	"slices"
	"testing"
	"time"
)

// TestOrderRecordGolden fixes the bytes of the contract.
func TestOrderRecordGolden(t *testing.T) {
	at := time.Date(2026, 11, 23, 18, 0, 0, 123_900_000, time.FixedZone("", 8*3600))
	page := Page{Shop: "wx1234567890abcdef", Range: "create_time", Start: 1658505600, End: 1658509200, ReadAt: at}
	json, err := JSON().Open(t.Context(), "orders")
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]string{
		"3704612354559743232": `{"order_id":"3704612354559743232","shop":"wx1234567890abcdef","time_range":"create_time","window_start":1658505600,"window_end":1658509200,"observed_at":"2026-11-23T10:00:00.123Z"}`,
		`a"b\ü`:               `{"order_id":"a\"b\\ü","shop":"wx1234567890abcdef","time_range":"create_time","window_start":1658505600,"window_end":1658509200,"observed_at":"2026-11-23T10:00:00.123Z"}`,
	} {
		got := json.Append(nil, id, &page)
		if string(got) != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		order, err := json.Decode(got)
		if err != nil || order.ID != id || order.Shop != page.Shop || order.Start != page.Start || order.End != page.End || !order.ReadAt.Equal(at.Truncate(time.Millisecond)) {
			t.Errorf("%s is read as %+v (%v)", got, order, err)
		}
	}
}

// TestEveryFormatIsReadAsWritten: an order that was encoded is the order that is
// decoded, also if its texts need escapes and after another order of its page; bytes of
// no format are an error, and only formats that do not exist are planned.
func TestEveryFormatIsReadAsWritten(t *testing.T) {
	at := time.Date(2026, 11, 23, 18, 0, 0, 123_000_000, time.UTC)
	for _, f := range Formats() {
		t.Run(f.Name, func(t *testing.T) {
			encoder, err := f.Open(t.Context(), "orders")
			if err != nil {
				t.Fatal(err)
			}
			page := Page{Shop: `wx"1\ü`, Range: "update_time", Start: 1658505600, End: 1658509200, ReadAt: at}
			for _, id := range []string{"3704612354559743232", "00", `a"b\ü`} {
				value := encoder.Append([]byte("before"), id, &page)
				rest, ok := bytes.CutPrefix(value, []byte("before"))
				order, err := encoder.Decode(rest)
				if !ok || err != nil || order.ID != id || order.Shop != page.Shop || order.Range != page.Range ||
					order.Start != page.Start || order.End != page.End || !order.ReadAt.Equal(at) {
					t.Errorf("%q is read as %+v (%v)", rest, order, err)
				}
			}
			if order, err := encoder.Decode([]byte("\x00\x00")); err == nil {
				t.Errorf("bytes of no format are read as %+v", order)
			}
			if Named(f.Name).Name != f.Name || slices.Contains(Planned(), f.Name) {
				t.Errorf("the format is %q by its name, and planned: %v", Named(f.Name).Name, Planned())
			}
		})
	}
}

// TestPartitionIsJavas checks known answers of Kafka's Java client
// (UtilsTest.testMurmur2), and the mask of its default partitioner.
func TestPartitionIsJavas(t *testing.T) {
	for key, want := range map[string]int32{
		"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536,
		"a-little-bit-longer-string": -1486304829, "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971, "abc": 479470107,
	} {
		if got := int32(murmur2([]byte(key))); got != want {
			t.Errorf("murmur2(%q) = %d, want %d", key, got, want)
		}
		if got, want := Partition([]byte(key), 7), int32((uint32(want)&0x7fffffff)%7); got != want {
			t.Errorf("partition of %q is %d, want %d", key, got, want)
		}
	}
}
