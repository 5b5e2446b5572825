package platform

import (
	"fmt"

	"orderwalk/internal/grouplog"
)

// The kinds of records.
const (
	kindTicket     grouplog.Kind = "ticket"     // a platform's verify ticket
	kindToken      grouplog.Kind = "token"      // a platform's own access token
	kindTokens     grouplog.Kind = "tokens"     // a shop's access and refresh token, or why it has none
	kindAuthorized grouplog.Kind = "authorized" // notice: a shop's authorisation has changed
	kindRefused    grouplog.Kind = "refused"    // notice: the API has refused a shop's access token
	kindMember     grouplog.Kind = "member"     // whether a shop counts as one that has authorised the platform
	kindPass       grouplog.Kind = "pass"       // when the vendor's list of all shops was last read
)

// version is that of every written value; a higher one is from a newer program.
const version = 1

// value is a record's value: flat, like all values of the topic.
type value struct {
	V  int   `json:"v"`
	At int64 `json:"at"` // time of the state or event, unix seconds
	// Expires is when a token or code expires, unix seconds.
	Expires int64 `json:"expires,omitempty"`
	// Change is the kind of a changed authorisation.
	Change string `json:"change,omitempty"`
	// Problem and Errcode are the reason why a shop has no token.
	Problem string `json:"problem,omitempty"`
	Errcode int    `json:"errcode,omitempty"`
	// Handled is the At of the last change of the authorisation that these tokens
	// cover.
	Handled int64 `json:"handled,omitempty"`
	// Known is a fingerprint of all changes pushed of that second.
	Known string `json:"known,omitempty"`
	// Token is the fingerprint of the refused access token.
	Token string `json:"token,omitempty"`
	// Given is the fingerprint of the ticket in the configuration's file.
	Given string `json:"given,omitempty"`
	// Since is when a shop began to count as authorised. Sealed records have none.
	Since int64 `json:"since,omitempty"`
	// Sealed holds a ticket, a token, a code, or the tokens of a shop.
	Sealed string `json:"sealed,omitempty"`
}

// pair is the sealed part of a shop's record: its tokens, and the refresh token that the
// configuration had when they were fetched.
type pair struct {
	Access  string `json:"access,omitempty"`
	Refresh string `json:"refresh,omitempty"`
	Given   string `json:"given,omitempty"`
}

// record is a record to write; with a nil text there is no sealed part.
type record struct {
	name  grouplog.Name
	value value
	text  []byte
}

// entry returns the encoded record.
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
