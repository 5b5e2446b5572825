package grouplog

import (
	"bytes"
	"encoding/json"
)

// Kind is the kind of a record.
type Kind string

// Name is a record's key. Fields other than Kind may be empty, depending on the kind.
type Name struct {
	Component string `json:"component,omitempty"`
	Shop      string `json:"shop,omitempty"`
	Logger    string `json:"logger,omitempty"`
	Kind      Kind   `json:"ledger"` // reserved in the keys of the offsets topic
}

// Bytes returns the key's only encoding, in Connect's layout like all keys of the topic.
func (n Name) Bytes(group string) []byte { return Encode([]any{group, n}) }

// Parse reads a key of this group's log.
func Parse(group string, raw []byte) (Name, bool) {
	if !bytes.Contains(raw, []byte(`"ledger":`)) {
		return Name{}, false // as most records of the topic
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

// Key returns the key that selects the partition of a group's log, by Java's default
// partitioner.
func Key(group string) []byte { return Name{Kind: "ledger"}.Bytes(group) }

// Encode encodes keys and values: JSON without escapes for HTML. It is for structs of
// primitives, which always encode.
func Encode(v any) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
	return bytes.TrimRight(buf.Bytes(), "\n")
}
