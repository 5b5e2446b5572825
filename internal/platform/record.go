package platform

import (
	"fmt"

	"orderwalk/internal/grouplog"
)

// The kinds of records.
const (
	kindTicket     grouplog.Kind = "ticket"     // a platform's verify ticket
	kindToken      grouplog.Kind = "token"      // a platform's own access token
	kindTokens     grouplog.Kind = "tokens"     // a shop's access and refresh token, or why there are none
	kindAuthorized grouplog.Kind = "authorized" // notice: a shop's authorisation has changed
	kindRefused    grouplog.Kind = "refused"    // notice: the API has refused a shop's access token
)

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

// record is a record to be written; a nil text has nothing to seal.
type record struct {
	name  grouplog.Name
	value value
	text  []byte
}

// entry gives it as it is written.
func (r record) entry(group string, keys Keys) (grouplog.Entry, error) {
	r.value.V = version
	if r.text != nil {
		key := r.name.Bytes(group)
		sealed, err := keys.seal(key, r.value, r.text)
		if err != nil {
			return grouplog.Entry{}, fmt.Errorf("seal %s: %w", key, err)
		}
		r.value.Sealed = sealed
	}
	return grouplog.Entry{Name: r.name, Value: grouplog.Encode(r.value)}, nil
}
