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

// store is the state of the log as far as it has been read.
type store struct {
	group   string
	keys    Keys
	log     *slog.Logger
	problem func(shop string, at time.Time) // called for shops that have lost their tokens; nil = none

	mu         sync.Mutex
	unreadable map[grouplog.Name]unread // unreadable records, the latest of each name
	present    map[grouplog.Name]bool   // names that have been sealed in the present form
	state      state
	changed    chan struct{} // closed at the next change
	members    []string      // the shops that count, in order; nil = to be sorted again
	other      chan struct{} // closed when they are others
}

// unread is an unreadable record and the reason.
type unread struct {
	record grouplog.Record
	err    error
}

// state holds a platform's tokens and those of its shops.
type state struct {
	ticket secret
	token  secret
	shops  map[string]authorizedShop
	// listedAt is when the vendor's list of all shops was last read, unix seconds.
	listedAt int64
}

// secret is a ticket or the platform's token.
type secret struct {
	text    string
	at      int64
	expires int64  // 0 = unknown
	by      keyID  // key that sealed it
	oldKey  bool   // sealed by a key that is not the first any more
	given   string // of a ticket: fingerprint of the file's
}

// authorizedShop is a shop with an authorisation, a notice of one, or tokens.
type authorizedShop struct {
	pair
	at      int64 // time of the tokens
	handled int64 // changedAt of the last change that the tokens cover
	expires int64 // of the access token
	problem string
	errcode int
	by      keyID // key that sealed them
	oldKey  bool  // sealed by a key that is not the first any more
	// The latest change of its authorisation that the vendor has pushed. The order of
	// two changes in one second is unknown, so a code wins over a revocation: the
	// vendor's answer to the exchange shows which holds.
	change              string
	code                string
	changedAt, codeEnds int64
	// revoked reports that a change of that second was a revocation; told is a
	// fingerprint of all changes of it, and known that of the ones the tokens cover.
	revoked     bool
	told, known string
	refused     string // fingerprint of the last refused access token
	member      membership
}

func newStore(group string, keys Keys, log *slog.Logger, problem func(string, time.Time)) *store {
	return &store{group: group, keys: keys, log: log, problem: problem, present: make(map[grouplog.Name]bool), unreadable: make(map[grouplog.Name]unread),
		state: state{shops: make(map[string]authorizedShop)}, changed: make(chan struct{}), other: make(chan struct{})}
}

// add handles a record of the log.
func (st *store) add(r grouplog.Record) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.read(r)
}

// read decodes a record and applies it. The caller holds mu.
func (st *store) read(r grouplog.Record) {
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
			text, by, err = st.openSeal(n, r.Key, v)
		case n.Kind == kindTicket || n.Kind == kindToken || n.Kind == kindTokens:
			err = errUnsealed
		}
	}
	delete(st.unreadable, n)
	switch {
	case err != nil && n.Kind == kindAuthorized && v.Expires > 0 && time.Now().Unix() >= v.Expires:
		// An expired code is not sealed again, and is not needed.
	case err != nil && n.Kind == kindMember:
		st.unreadable[n] = unread{r, err}
		return // the shop stays what it is
	case err != nil:
		st.unreadable[n] = unread{r, err}
		v, text = value{}, nil
	}
	st.apply(n, v, text, by)
	st.tell()
}

// tell reports a change. The caller holds mu.
func (st *store) tell() {
	close(st.changed)
	st.changed = make(chan struct{})
}

func (st *store) wake() {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.tell()
}

// membersNow returns the shops that count, and a channel that is closed when they are
// others.
func (st *store) membersNow() ([]string, <-chan struct{}) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.members == nil {
		st.members = st.state.members()
	}
	return st.members, st.other
}

// openSeal opens the sealed part of a record. The caller holds mu.
func (st *store) openSeal(n grouplog.Name, key []byte, v value) (text []byte, by keyID, err error) {
	text, by, err = st.keys.open(key, v)
	switch {
	case err != nil:
	case by[0] == sealedForm:
		st.present[n] = true
	case st.present[n]:
		return nil, by, errOlderForm
	}
	return text, by, err
}

// retryUnread retries the unreadable records: the keys may have changed on another worker
// before they did here.
func (st *store) retryUnread() {
	st.mu.Lock()
	defer st.mu.Unlock()
	for n, u := range maps.Clone(st.unreadable) {
		if st.keys == nil {
			return
		}
		var v value
		if u.record.Value != nil && json.Unmarshal(u.record.Value, &v) == nil {
			if _, _, err := st.openSeal(n, u.record.Key, v); err == nil {
				st.read(u.record)
			}
		}
	}
}

// apply applies a record. The caller holds mu.
func (st *store) apply(n grouplog.Name, v value, text []byte, by keyID) {
	s := secret{text: string(text), at: v.At, expires: v.Expires, given: v.Given, by: by}
	switch n.Kind {
	case kindTicket:
		st.state.ticket = s
	case kindToken:
		st.state.token = s
	case kindPass:
		st.state.listedAt = v.At
	case kindTokens, kindAuthorized, kindRefused, kindMember:
		t := st.state.shops[n.Shop]
		switch n.Kind {
		case kindTokens:
			t.pair = pair{}
			_ = json.Unmarshal(text, &t.pair) // written by us, since it was sealed
			t.at, t.handled, t.expires, t.problem, t.errcode, t.by = v.At, v.Handled, v.Expires, v.Problem, v.Errcode, by
			t.known = v.Known
			if st.problem != nil && v.Problem != "" {
				st.problem(n.Shop, time.Unix(v.At, 0))
			}
		case kindAuthorized:
			t.applyChange(v, string(text))
		case kindMember:
			t.member = membership{in: v.Change == authorized, since: v.Since, at: v.At, told: v.Known}
			if now, was := t.member, st.state.shops[n.Shop].member; now.in != was.in || now.since != was.since {
				st.members = nil
				close(st.other)
				st.other = make(chan struct{})
			}
		default:
			t.refused = v.Token
		}
		st.state.shops[n.Shop] = t
	}
}

// applyChange applies a change of the authorisation, which may be delivered repeatedly. Two
// workers may post an older one after a newer one.
func (t *authorizedShop) applyChange(v value, code string) {
	if v.At > 0 && v.At < t.changedAt {
		return
	}
	if v.At != t.changedAt {
		t.revoked, t.change = false, ""
	}
	t.revoked = t.revoked || v.Change == unauthorized
	if v.Change != unauthorized || t.change == "" {
		t.change, t.changedAt, t.code, t.codeEnds = v.Change, v.At, code, v.Expires
	}
	t.told = fingerprint(fmt.Sprint(t.changedAt, t.change, t.code, t.revoked))
}

// shop returns what is known of a shop, and a channel that is closed when anything
// changes.
func (st *store) shop(shop string) (authorizedShop, <-chan struct{}) {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.state.shops[shop], st.changed
}

// snapshot returns the whole state.
func (st *store) snapshot() (state, <-chan struct{}) {
	st.mu.Lock()
	defer st.mu.Unlock()
	s := st.state
	s.shops = maps.Clone(s.shops)
	return s, st.changed
}

// markOldKeys marks secrets that are sealed by another key than the first.
func (s *state) markOldKeys(first keyID) {
	aged := func(by keyID) bool { return by != keyID{} && by != first }
	s.ticket.oldKey, s.token.oldKey = aged(s.ticket.by), aged(s.token.by)
	for shop, t := range s.shops {
		if t.oldKey = aged(t.by); t.oldKey {
			s.shops[shop] = t
		}
	}
}

// logUnread logs the unreadable records, which are ignored.
func (st *store) logUnread() {
	st.mu.Lock()
	defer st.mu.Unlock()
	for n, u := range st.unreadable {
		st.log.Error("ignoring an unreadable record in the offsets topic", "record", string(n.Bytes(st.group)), "reason", u.err)
	}
}
