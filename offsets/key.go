package offsets

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// Partition is a source partition: the single input a checkpoint belongs to.
// It is never a Kafka partition.
type Partition struct {
	Shop  string // app ID
	Range string // "create_time" or "update_time"
}

func (p Partition) String() string { return p.Shop + "/" + p.Range }

// Kind says what a record of the offsets topic holds.
type Kind int

// The kinds of records.
const (
	KindShop   Kind = iota // watermark and the earliest open window
	KindWindow             // one more window
	KindPart               // seen IDs of a window
)

// Key is the key of one record of the offsets topic.
type Key struct {
	Kind      Kind
	Partition Partition
	Window    int64 // start of the window, unix seconds; KindWindow and KindPart
	Part      int   // KindPart
}

// ErrForeign marks a key that belongs to another group or another program;
// the offsets topic may be shared.
var ErrForeign = errors.New("not a record of this group")

// Bytes is the key's one and only encoding: fixed field order, no spaces. Two
// encodings of one key would be two records to a compacted topic.
func (k Key) Bytes(group string) []byte {
	b := make([]byte, 0, 96)
	b = append(b, '[')
	b = appendString(b, group)
	b = append(b, `,{"shop":`...)
	b = appendString(b, k.Partition.Shop)
	b = append(b, `,"range":`...)
	b = appendString(b, k.Partition.Range)
	if k.Kind == KindWindow || k.Kind == KindPart {
		b = append(b, `,"window":`...)
		b = strconv.AppendInt(b, k.Window, 10)
	}
	if k.Kind == KindPart {
		b = append(b, `,"part":`...)
		b = strconv.AppendInt(b, int64(k.Part), 10)
	}
	return append(b, `}]`...)
}

// ParseKey reads a key written by any version. Keys of other groups give
// [ErrForeign], and so do those of this group that are no checkpoint's: they have
// one of the reserved fields "ledger" (what workers tell each other, internal/grouplog)
// and "kind" (whatever a later version keeps here, so that an earlier one passes it
// over). A key with other fields that this version does not know may be part of a
// checkpoint: it gives a [*RecordError] and, as far as it could be read, the source
// partition it belongs to.
func ParseKey(group string, raw []byte) (Key, error) {
	var pair []json.RawMessage
	if json.Unmarshal(raw, &pair) != nil || len(pair) != 2 {
		return Key{}, ErrForeign
	}
	var owner string
	if json.Unmarshal(pair[0], &owner) != nil || owner != group {
		return Key{}, ErrForeign
	}
	var f struct {
		Kind   json.RawMessage `json:"kind"`
		Ledger json.RawMessage `json:"ledger"`
		Shop   *string         `json:"shop"`
		Range  *string         `json:"range"`
		Window *int64          `json:"window"`
		Part   *int            `json:"part"`
	}
	dec := json.NewDecoder(bytes.NewReader(pair[1]))
	dec.DisallowUnknownFields()
	err := dec.Decode(&f)
	if f.Kind != nil || f.Ledger != nil {
		return Key{}, ErrForeign
	}
	var k Key
	if f.Shop != nil && f.Range != nil {
		k.Partition = Partition{Shop: *f.Shop, Range: *f.Range}
	}
	switch {
	case err != nil:
		return k, &RecordError{Key: string(raw), Problem: "unknown key: " + err.Error()}
	case f.Shop == nil || f.Range == nil || f.Part != nil && f.Window == nil:
		return k, &RecordError{Key: string(raw), Problem: "unknown key"}
	}
	if f.Window != nil {
		k.Kind, k.Window = KindWindow, *f.Window
	}
	if f.Part != nil {
		k.Kind, k.Part = KindPart, *f.Part
	}
	return k, nil
}

// RecordError names a record of the offsets topic that cannot be used. The
// shop it belongs to must not be walked: starting over would publish again
// what is published.
type RecordError struct {
	Key     string
	Problem string
}

func (e *RecordError) Error() string {
	return fmt.Sprintf("read checkpoint record %s: %s", e.Key, e.Problem)
}

// appendString appends s as a JSON string the way Connect's JsonConverter
// does: no HTML escaping.
func appendString(b []byte, s string) []byte {
	plain := true
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < 0x20 || c >= 0x7f || c == '"' || c == '\\' {
			plain = false
			break
		}
	}
	if plain {
		b = append(b, '"')
		b = append(b, s...)
		return append(b, '"')
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string always encodes
	return append(b, bytes.TrimRight(buf.Bytes(), "\n")...)
}
