package ledger

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// kind is what a record of the ledger is about.
type kind string

const (
	kindTicket     kind = "ticket"     // a platform's verify ticket
	kindToken      kind = "token"      // a platform's own access token
	kindTokens     kind = "tokens"     // a shop's access and refresh token, or why there are none
	kindAuthorized kind = "authorized" // notice: a shop's authorisation has changed
	kindRefused    kind = "refused"    // notice: the API has refused a shop's access token
	kindOrder      kind = "order"      // notice: a shop has an order to look for
)

// name is a record's key. Component or Shop may be empty, as the kind wants it.
type name struct {
	Component string `json:"component,omitempty"`
	Shop      string `json:"shop,omitempty"`
	Kind      kind   `json:"ledger"`
}

// bytes is the key's one and only encoding, in Connect's layout as all keys of
// the topic.
func (n name) bytes(group string) []byte { return encode([]any{group, n}) }

// parseName reads a key of this group's ledger; one of a kind that this version
// does not know is none.
func parseName(group string, raw []byte) (name, bool) {
	if !bytes.Contains(raw, []byte(`"ledger":`)) {
		return name{}, false // most records of the topic
	}
	var pair []json.RawMessage
	var owner string
	var n name
	if json.Unmarshal(raw, &pair) != nil || len(pair) != 2 || json.Unmarshal(pair[0], &owner) != nil || owner != group ||
		json.Unmarshal(pair[1], &n) != nil || !bytes.Equal(n.bytes(group), raw) {
		return name{}, false
	}
	switch n.Kind {
	case kindTicket, kindToken, kindTokens, kindAuthorized, kindRefused, kindOrder:
		return n, true
	}
	return name{}, false // of a later version, or no record of a partition: Key
}

// Key is the record whose partition has all of a group's ledger: where Java's
// default partitioner would put it.
func Key(group string) []byte { return name{Kind: "ledger"}.bytes(group) }

// version of every value that is written; one with a higher version is of a
// newer program.
const version = 1

// value is a record's value: flat, as all values of the topic.
type value struct {
	V  int   `json:"v"`
	At int64 `json:"at"` // unix seconds: since when it is so
	// Expires is when tokens and codes end, unix seconds.
	Expires int64 `json:"expires,omitempty"`
	// Change is what has become of an authorisation.
	Change string `json:"change,omitempty"`
	// Event is the vendor's name of what has happened to an order.
	Event string `json:"event,omitempty"`
	// Problem and Errcode say why a shop has no token.
	Problem string `json:"problem,omitempty"`
	Errcode int    `json:"errcode,omitempty"`
	// Handled is the At of the last change of the authorisation that these tokens
	// know of.
	Handled int64 `json:"handled,omitempty"`
	// Known is a fingerprint of all that was pushed of that second.
	Known string `json:"known,omitempty"`
	// Token is the fingerprint of the one that was refused.
	Token string `json:"token,omitempty"`
	// Given is the fingerprint of the ticket that the configuration's file had.
	Given string `json:"given,omitempty"`
	// Sealed is a ticket, a token, a code, or the tokens of a shop.
	Sealed string `json:"sealed,omitempty"`
}

// pair is what is sealed for a shop: its tokens, and the refresh token that the
// configuration had when they were asked for.
type pair struct {
	Access  string `json:"access,omitempty"`
	Refresh string `json:"refresh,omitempty"`
	Given   string `json:"given,omitempty"`
}

func encode(v any) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // structs of primitives always encode
	return bytes.TrimRight(buf.Bytes(), "\n")
}

// record is a record to be written; a nil text has nothing to seal.
type record struct {
	name  name
	value value
	text  []byte
}

// encode gives key and value as they are written.
func (r record) encode(group string, keys Keys) (key, val []byte, err error) {
	key = r.name.bytes(group)
	r.value.V = version
	if r.text != nil {
		if r.value.Sealed, err = keys.seal(key, r.value, r.text); err != nil {
			return nil, nil, fmt.Errorf("seal %s: %w", key, err)
		}
	}
	return key, encode(r.value), nil
}
