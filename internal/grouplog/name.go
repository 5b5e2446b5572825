package grouplog

import (
	"bytes"
	"encoding/json"
)

// Kind is what a record is about.
type Kind string

// Name is a record's key. Component or Shop may be empty, as the kind wants it.
type Name struct {
	Component string `json:"component,omitempty"`
	Shop      string `json:"shop,omitempty"`
	Kind      Kind   `json:"ledger"` // reserved in the keys of the offsets topic
}

// Bytes is the key's one and only encoding, in Connect's layout as all keys of
// the topic.
func (n Name) Bytes(group string) []byte { return Encode([]any{group, n}) }

// Parse reads a key of this group's log.
func Parse(group string, raw []byte) (Name, bool) {
	if !bytes.Contains(raw, []byte(`"ledger":`)) {
		return Name{}, false // most records of the topic
	}
	var pair []json.RawMessage
	var owner string
	var n Name
	if json.Unmarshal(raw, &pair) != nil || len(pair) != 2 || json.Unmarshal(pair[0], &owner) != nil || owner != group ||
		json.Unmarshal(pair[1], &n) != nil || !bytes.Equal(n.Bytes(group), raw) {
		return Name{}, false
	}
	return n, true
}

// Key is the record whose partition has all of a group's log: where Java's
// default partitioner would put it.
func Key(group string) []byte { return Name{Kind: "ledger"}.Bytes(group) }

// Encode is how keys and values are written: JSON without escapes for HTML. It is
// for structs of primitives, which always encode.
func Encode(v any) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
	return bytes.TrimRight(buf.Bytes(), "\n")
}
