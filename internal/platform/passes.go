package platform

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"orderwalk/internal/grouplog"
	"orderwalk/internal/wechat"
)

const (
	// passEvery is how often the vendor's list of all shops is read, and passSoon when
	// it is read again after one that lacks a member.
	passEvery = time.Hour
	passSoon  = time.Minute
	// thePass is the key of the pause after a list that could not be read.
	thePass = "the list of shops"
)

// passes reads the vendor's list of all shops, in the background.
type passes struct {
	results chan pass // one at most
	running bool
	// latest is a pass whose memberships are not all stored yet.
	latest *pass
	// missed are the members that the last whole pass lacked, and again reports that it
	// was the one after such a pass.
	missed map[string]bool
	again  bool
	next   time.Time
	// apart is the time from the present list to the next one. The lists after the group's
	// first one come soon: no event tells of a shop that authorised the platform before,
	// so one that the first list lacks, such as an empty one, would stand for an hour.
	apart time.Duration
}

func newPasses() passes {
	return passes{results: make(chan pass, 1)}
}

// startPass starts to read the list if it is due.
func (k *Keeper) startPass(ctx context.Context, s state) {
	p := &k.passes
	s.listedAt = min(s.listedAt, time.Now().Unix()) // a keeper's clock may have been ahead
	if p.apart == 0 {
		if p.apart = passEvery; s.listedAt == 0 {
			p.apart = passSoon
		}
	}
	if p.next.IsZero() {
		// Another keeper may have read it a moment ago.
		p.next = time.Unix(s.listedAt, 0).Add(rarePause)
	}
	if p.running || p.latest != nil || s.token.text == "" || time.Now().Unix() >= s.token.expires || time.Now().Before(k.passDue(s)) || !k.ready(thePass, "") {
		return
	}
	p.running = true
	began, _ := k.Platform.Host.Now()
	told := make(map[string]string, len(s.shops))
	for shop, t := range s.shops {
		told[shop] = t.told
	}
	k.background.Go(func() {
		all, whole, err := k.Platform.AuthorizersWhole(ctx, s.token.text)
		got := pass{began: began, told: told, whole: whole, failure: err, shops: make(map[string]wechat.Authorizer, len(all))}
		for _, a := range all {
			if isAppID(a.AppID) {
				got.shops[a.AppID] = a
			}
		}
		if odd := len(all) - len(got.shops); odd > 0 {
			k.Log.Warn("ignoring entries of the list of shops that have authorised the platform: they have no app ID", "component", k.Platform.AppID, "entries", odd)
		}
		p.results <- got
	})
}

// isAppID reports whether a text may be an app ID: it becomes a name and a key.
func isAppID(text string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
	return text != "" && len(text) <= 64 && strings.Trim(text, letters) == ""
}

// passDue returns when the list is to be read: earlier if a member's tokens say that it has
// not authorised the platform.
func (k *Keeper) passDue(s state) time.Time {
	due := k.passes.next
	last := time.Unix(s.listedAt, 0)
	soon := last.Add(rarePause)
	if !soon.Before(due) {
		return due
	}
	for _, t := range s.shops {
		if t.member.in && t.deprived() && t.at > s.listedAt {
			return soon
		}
	}
	return due
}

// finishPass takes over a list that has been read. Of one that could not be read to its
// end the listed shops count, too: the vendor's total may include shops that it never
// lists.
func (k *Keeper) finishPass(ctx context.Context, got *pass) {
	p := &k.passes
	p.running = false
	switch err := k.list.judgePass(got.failure); {
	case err == nil:
		delete(k.pauses, thePass)
		tokens := make(map[string]string, len(got.shops))
		for shop, a := range got.shops {
			tokens[shop] = a.RefreshToken
		}
		k.list.set(tokens)
	case isToken(err):
		k.refused(ctx, err)
	default:
		k.failed(ctx, thePass, "", err)
	}
	if got.failure == nil || len(got.shops) > 0 {
		p.latest = got
	}
}

// memberships returns the records of shops that have authorised the platform or withdrawn
// that, at most as many as one transaction takes.
func (k *Keeper) memberships(s state) []record {
	var records []record
	add := func(changed map[string]membership) {
		for _, shop := range slices.Sorted(maps.Keys(changed)) {
			records = append(records, changed[shop].record(k.of, shop))
		}
	}
	changed := make(map[string]membership)
	for shop, t := range s.shops {
		if m, differs := t.pushed(); differs {
			changed[shop] = m
		}
	}
	add(changed)
	p := &k.passes
	if p.latest == nil || len(records) > 0 {
		return records[:min(len(records), grouplog.MostEntries)]
	}
	changed, missing, doubted := s.listed(*p.latest, p.missed)
	if add(changed); len(records) >= grouplog.MostEntries {
		return records[:grouplog.MostEntries] // the rest follows
	}
	if p.latest.failure != nil {
		p.next = time.Now() // its pause decides
	} else {
		p.next, p.apart = time.Now().Add(p.apart), min(2*p.apart, passEvery)
	}
	if p.latest.whole {
		fresh := false
		for shop := range missing {
			fresh = fresh || !p.missed[shop]
		}
		if p.missed = missing; fresh && !p.again {
			p.next = time.Now().Add(passSoon)
		}
		p.again = fresh && !p.again
	}
	message := "read the list of shops that have authorised the platform"
	if p.latest.failure != nil {
		message = "read a part of the list of shops that have authorised the platform; those it lists count"
	}
	k.Log.Info(message, "component", k.Platform.AppID, "shops", len(p.latest.shops), "changed", len(changed))
	if doubted > 0 {
		k.Log.Warn("the list of shops that have authorised the platform lacks most that are walked; each stays until the vendor refuses its tokens", "component", k.Platform.AppID, "shops", doubted)
	}
	p.latest = nil
	return append(records, record{name: k.of("", kindPass), value: value{At: time.Now().Unix()}})
}
