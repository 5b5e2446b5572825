package offsets

import (
	"bytes"
	"errors"
	"slices"
	"testing"
)

// FuzzKey: a key that parses is encoded as it was, or as a key that parses to the same.
func FuzzKey(f *testing.F) {
	for _, text := range []string{
		`["g",{"shop":"wx1","range":"create_time"}]`, `["g",{"shop":"wx1","range":"create_time","window":100}]`,
		`["g",{"shop":"wx1","range":"update_time","window":-1,"part":3}]`, `["g",{"ledger":"ticket"}]`, `["other",{}]`, `["g",{"Shop":"a","SHOP":"b","range":""}]`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		k, err := ParseKey("g", raw)
		if err != nil {
			var wrong *RecordError
			if !errors.Is(err, ErrForeign) && !errors.As(err, &wrong) {
				t.Fatalf("%q: %v", raw, err)
			}
			return
		}
		again, err := ParseKey("g", k.Bytes("g"))
		if err != nil || again != k {
			t.Fatalf("%q is %+v, and %q is %+v, %v", raw, k, k.Bytes("g"), again, err)
		}
	})
}

// FuzzPackedIDs: unpacking ends for any value, and the IDs survive packing.
func FuzzPackedIDs(f *testing.F) {
	f.Add(packIDs(nil))
	f.Add(packIDs([]string{"1", "18446744073709551615", "007", "店", ""}))
	f.Add("AQIA")
	f.Add("!!")
	f.Fuzz(func(t *testing.T, text string) {
		var ids IDs
		n, err := unpackIDs(text, &ids)
		if err != nil {
			return
		}
		all := slices.Sorted(ids.All())
		if len(all) != ids.Len() || n < len(all) {
			t.Fatalf("%q: %d IDs, %d of them different, Len %d", text, n, len(all), ids.Len())
		}
		var again IDs
		if n, err := unpackIDs(packIDs(all), &again); err != nil || n != len(all) || !slices.Equal(slices.Sorted(again.All()), all) {
			t.Fatalf("%q is %q, and packed again %d, %v", text, all, n, err)
		}
	})
}

// FuzzValue: any value makes its shop a fault or a checkpoint that can be written, and
// never affects another shop.
func FuzzValue(f *testing.F) {
	f.Add([]byte(`{"v":1,"watermark":100,"window_start":100,"window_end":200,"next_key":"k","page_size":10,"state":"waiting","pass":2,"pages":1}`))
	f.Add([]byte(`{"v":1,"watermark":9223372036854775807,"window_start":-9223372036854775808,"window_end":1,"page_size":0}`))
	f.Add([]byte(`{"v":2,"watermark":1,"shape":"new"}`))
	f.Add([]byte(`{"v":1,"watermark":1}{}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		if value == nil {
			return
		}
		l := Loader{Group: "g"}
		key := []byte(`["g",{"shop":"wx1","range":"create_time"}]`)
		l.Add(key, value)
		l.Add([]byte(`["g",{"shop":"wx2","range":"create_time"}]`), []byte(`{"v":1,"watermark":7}`))
		lane := l.Load()
		one, two := Partition{"wx1", "create_time"}, Partition{"wx2", "create_time"}
		if lane.Faults[two] != nil || lane.Shops[two] == nil || lane.Shops[two].Checkpoint.Watermark != 7 {
			t.Fatalf("%q touched another shop: %v", value, lane.Faults)
		}
		if (lane.Faults[one] == nil) == (lane.Shops[one] == nil) {
			t.Fatalf("%q is a fault and a shop, or neither", value)
		}
		if err := lane.Faults[one]; err != nil && !bytes.Contains([]byte(err.Error()), key) {
			t.Fatalf("%q: the fault does not name the record: %v", value, err)
		}
	})
}
