package platform

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"orderwalk/internal/grouplog"
)

// store is what the log says as far as it has been read.
type store struct {
	group   string
	keys    Keys
	log     *slog.Logger
	problem func(shop string, at time.Time) // hears of shops that have lost their tokens; nil = of no concern

	mu      sync.Mutex
	wrong   map[grouplog.Name]unread // records that cannot be read; older ones than the last do no harm
	present map[grouplog.Name]bool   // records that have been sealed in the present form
	state   state
	changed chan struct{} // closed at the next change
}

// unread is a record that cannot be read, and why.
type unread struct {
	record grouplog.Record
	err    error
}

// state is a platform's tokens and its shops'.
type state struct {
	ticket  secret
	token   secret
	tenants map[string]authorizedShop
}

// secret is one that stands alone.
type secret struct {
	text    string
	at      int64
	expires int64  // 0 = unknown
	by      keyID  // that sealed it
	aged    bool   // by one that is not the first now
	given   string // with a ticket, the fingerprint of the file's
}

// authorizedShop is a shop that has authorised the platform, or was said to.
type authorizedShop struct {
	pair
	at      int64 // of the tokens
	handled int64 // changedAt of what they know of
	expires int64 // of the access token
	problem string
	errcode int
	by      keyID // that sealed them
	aged    bool  // by one that is not the first now
	// The latest change of its authorisation that the vendor has pushed. Of two in
	// one second nobody knows which came first, so a code goes before a revocation:
	// trading it in has the vendor say what holds.
	change              string
	code                string
	changedAt, codeEnds int64
	// revoked says that one of that second took it back, told is a fingerprint of
	// all of it, and known that of what the tokens know of.
	revoked     bool
	told, known string
	refused     string // fingerprint of the access token refused last
}

func newStore(group string, keys Keys, log *slog.Logger, problem func(string, time.Time)) *store {
	return &store{group: group, keys: keys, log: log, problem: problem, present: make(map[grouplog.Name]bool), wrong: make(map[grouplog.Name]unread),
		state: state{tenants: make(map[string]authorizedShop)}, changed: make(chan struct{})}
}

// add takes a record of the log.
func (b *store) add(r grouplog.Record) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.read(r)
}

// read takes what a record says. The caller holds mu.
func (b *store) read(r grouplog.Record) {
	n := r.Name
	var v value
	var text []byte
	var by keyID
	var err error
	if r.Value != nil {
		err = json.Unmarshal(r.Value, &v)
		if err == nil && v.V > version {
			err = errors.New("written by a newer version of orderwalk")
		}
		switch {
		case err != nil:
		case v.Sealed != "":
			text, by, err = b.openSeal(n, r.Key, v)
		case n.Kind == kindTicket || n.Kind == kindToken || n.Kind == kindTokens:
			err = errUnsealed
		}
	}
	delete(b.wrong, n)
	switch {
	case err != nil && n.Kind == kindAuthorized && v.Expires > 0 && time.Now().Unix() >= v.Expires:
		// A code that has ended is not sealed anew, and nobody misses it.
	case err != nil:
		b.wrong[n] = unread{r, err}
		v, text = value{}, nil
	}
	b.take(n, v, text, by)
	close(b.changed)
	b.changed = make(chan struct{})
}

// openSeal opens what is sealed in a record. The caller holds mu.
func (b *store) openSeal(n grouplog.Name, key []byte, v value) (text []byte, by keyID, err error) {
	text, by, err = b.keys.open(key, v)
	switch {
	case err != nil:
	case by[0] == sealedForm:
		b.present[n] = true
	case b.present[n]:
		return nil, by, errOlderForm
	}
	return text, by, err
}

// again tries the records that could not be read: the keys may have changed
// elsewhere before they did here.
func (b *store) again() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for n, u := range maps.Clone(b.wrong) {
		if b.keys == nil {
			return
		}
		var v value
		if u.record.Value != nil && json.Unmarshal(u.record.Value, &v) == nil {
			if _, _, err := b.openSeal(n, u.record.Key, v); err == nil {
				b.read(u.record)
			}
		}
	}
}

// take applies a record. The caller holds mu.
func (b *store) take(n grouplog.Name, v value, text []byte, by keyID) {
	s := secret{text: string(text), at: v.At, expires: v.Expires, given: v.Given, by: by}
	switch n.Kind {
	case kindTicket:
		b.state.ticket = s
	case kindToken:
		b.state.token = s
	case kindTokens, kindAuthorized, kindRefused:
		t := b.state.tenants[n.Shop]
		switch n.Kind {
		case kindTokens:
			t.pair = pair{}
			_ = json.Unmarshal(text, &t.pair) // ours: it was sealed
			t.at, t.handled, t.expires, t.problem, t.errcode, t.by = v.At, v.Handled, v.Expires, v.Problem, v.Errcode, by
			t.known = v.Known
			if b.problem != nil && v.Problem != "" {
				b.problem(n.Shop, time.Unix(v.At, 0))
			}
		case kindAuthorized:
			t.hear(v, string(text))
		default:
			t.refused = v.Token
		}
		b.state.tenants[n.Shop] = t
	}
}

// hear takes a change of the authorisation, which may come again and again.
func (t *authorizedShop) hear(v value, code string) {
	if v.At != t.changedAt {
		t.revoked, t.change = false, ""
	}
	t.revoked = t.revoked || v.Change == unauthorized
	if v.Change != unauthorized || t.change == "" {
		t.change, t.changedAt, t.code, t.codeEnds = v.Change, v.At, code, v.Expires
	}
	t.told = fingerprint(fmt.Sprint(t.changedAt, t.change, t.code, t.revoked))
}

// shop is what is known of a shop, with a channel that is closed when
// anything changes.
func (b *store) shop(shop string) (authorizedShop, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state.tenants[shop], b.changed
}

// snapshot is all of it.
func (b *store) snapshot() (state, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.state
	s.tenants = maps.Clone(s.tenants)
	return s, b.changed
}

// age marks what is sealed by another key than the first.
func (s *state) age(first keyID) {
	aged := func(by keyID) bool { return by != keyID{} && by != first }
	s.ticket.aged, s.token.aged = aged(s.ticket.by), aged(s.token.by)
	for shop, t := range s.tenants {
		if t.aged = aged(t.by); t.aged {
			s.tenants[shop] = t
		}
	}
}

// complain tells of the records that cannot be read, which is as if they were
// not there.
func (b *store) complain() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for n, u := range b.wrong {
		b.log.Error("a record of the offsets topic cannot be read, as if it were not there", "record", string(n.Bytes(b.group)), "reason", u.err)
	}
}
