package offsets

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// Partition is a source partition: the single input a checkpoint belongs to. It is not
// a Kafka partition.
type Partition struct {
	Shop  string // app ID
	Range string // "create_time" or "update_time"
}

func (p Partition) String() string { return p.Shop + "/" + p.Range }

// Kind is what a record of the offsets topic holds.
type Kind int

// The kinds of records.
const (
	KindShop   Kind = iota // watermark and the earliest open window
	KindWindow             // another window
	KindPart               // seen IDs of a window
)

// Key is the key of one record of the offsets topic.
type Key struct {
	Kind      Kind
	Partition Partition
	Window    int64 // start of the window, unix seconds; KindWindow and KindPart
	Part      int   // KindPart
}

// ErrForeign reports a key of another group or program; the offsets topic may be
// shared.
var ErrForeign = errors.New("not a record of this group")

// Bytes returns the key's only encoding: fixed field order, no spaces. With two
// encodings of one key, a compacted topic would keep two records.
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

// ParseKey parses a key written by any version. It returns [ErrForeign] for keys of
// other groups, and for keys of this group with a reserved field: "ledger" (messages
// between workers, internal/grouplog) or "kind" (records of later versions, which
// earlier ones skip). A key with other unknown fields may belong to a checkpoint: it
// returns a [*RecordError] and, as far as it can be parsed, the source partition.
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

// RecordError reports a record of the offsets topic that cannot be used. Its shop must
// not be walked: starting over would publish everything again.
type RecordError struct {
	Key     string
	Problem string
}

func (e *RecordError) Error() string {
	return fmt.Sprintf("read checkpoint record %s: %s", e.Key, e.Problem)
}

// appendString appends s as a JSON string without HTML escaping, like Connect's
// JsonConverter.
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
