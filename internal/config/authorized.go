package config

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

// walkAuthorized is the value of SHOPS, and of `shops` in the shops file, with which every
// shop that has authorised the platform is walked.
const walkAuthorized = "authorized"

// defaultLimit is the largest number of authorised shops that are walked unless the shops
// file gives another.
const defaultLimit = 1000

// Authorized is how shops that have authorised the platform are walked. It is not changed;
// several goroutines may use it.
type Authorized struct {
	// Limit is the largest number of them that are walked.
	Limit int

	offsetsTopic string
	exclude      []string // app IDs or patterns
	base         Shop     // what no override says
	overrides    []override
}

// override is how the shops whose app ID matches are walked.
type override struct {
	match string
	shop  Shop
}

// overrideFields are the fields that an override may have.
var overrideFields = []string{"match", "name", "topic", "time_range", "start_time", "end_time", "status", "openid", "rate_limit"}

// authorized returns how authorised shops are walked; nil if they are not.
func (f *faults) authorized(env *environment, base Shop, text authorizedText) *Authorized {
	wanted := text.wanted
	if env.Shops != "" {
		wanted = f.choice("SHOPS", env.Shops, []string{walkAuthorized}, nil) != "" || wanted
	}
	if !wanted {
		for _, key := range text.keys {
			f.add(key, "is for shops that have authorised the platform", "write `shops: authorized`, or set "+variable("SHOPS")+", or remove it")
		}
		return nil
	}
	base.AppID, base.Name, base.Auth, base.Authorized = "", "", authComponent, true
	base.AppSecret, base.AccessToken, base.CloudToken, base.RefreshToken = nil, nil, nil, nil
	base.SecretInFile, base.References, base.TokenServer = false, nil, TokenServer{}
	a := &Authorized{Limit: defaultLimit, offsetsTopic: env.OffsetsTopic, exclude: text.exclude, base: base}
	if text.limit != "" {
		n, err := strconv.Atoi(text.limit)
		if err != nil || n < 1 || n > mostAuthorized {
			f.add("limit", quoteNumber(text.limit), fmt.Sprintf("give a number from 1 to %d", mostAuthorized))
		}
		a.Limit = n
	}
	for i, pattern := range a.exclude {
		f.pattern(fmt.Sprintf("exclude[%d]", i), pattern)
	}
	for i, fields := range text.overrides {
		at := func(field string) string { return fmt.Sprintf("overrides[%d].%s", i, field) }
		match := fields["match"]
		f.pattern(at("match"), match)
		if fields["name"] != "" && isPattern(match) {
			f.add(at("name"), "is for every shop that matches", "give the app ID of one shop in match, or remove the name")
		}
		given := make(map[string]string, len(fields))
		for field, value := range fields {
			if field != "match" {
				given[field] = value
			}
		}
		s := f.shop(base, given, at, listedSecret)
		f.checkName(at("name"), fields["name"])
		s.Auth = authComponent
		f.checkShop(Shop{AppID: "any", Auth: authComponent, Start: s.Start, End: s.End}, func(name string) string { return at(strings.ToLower(name)) })
		a.overrides = append(a.overrides, override{match, s})
	}
	return a
}

// mostAuthorized bounds the limit: the vendor's list is read up to twice as many shops.
const mostAuthorized = 100_000

func isPattern(text string) bool { return strings.ContainsAny(text, `*?[\`) }

// pattern requires an app ID, or one with * and ? in it.
func (f *faults) pattern(where, given string) {
	const allowed = "give an app ID, or the beginning of one and *"
	_, err := path.Match(given, "wx0123456789abcdef")
	switch {
	case given == "":
		f.add(where, "is not set", allowed)
	case err != nil || strings.ContainsAny(given, `[\/`):
		f.add(where, shownIf(strings.HasPrefix(given, "wx"), given)+notValid, allowed)
	case !isPattern(given):
		f.checkAppID(where, given, "shop")
	}
}

func matches(pattern, appID string) bool {
	ok, _ := path.Match(pattern, appID) // checked when the file was read
	return ok
}

// Excluded reports whether an authorised shop is not to be walked.
func (a *Authorized) Excluded(appID string) bool {
	return slices.ContainsFunc(a.exclude, func(pattern string) bool { return matches(pattern, appID) })
}

// Shop returns how an authorised shop is walked, by the first override that matches. It
// returns an error if its topic cannot have that name.
func (a *Authorized) Shop(appID string) (Shop, error) {
	s := a.base
	for _, o := range a.overrides {
		if matches(o.match, appID) {
			s = o.shop
			break
		}
	}
	s.AppID = appID
	if s.Name == "" {
		s.Name = appID
	}
	s.Topic = s.topicOf()
	if !topicLegal(s.Topic) || s.Topic == a.offsetsTopic {
		return s, fmt.Errorf("its topic cannot be called %s", quoted249(s.Topic))
	}
	return s, nil
}

// Find returns how an authorised shop is walked that would have this name or app ID. It need
// not have authorised the platform; ok = false if it would not be walked.
func (a *Authorized) Find(word string) (s Shop, ok bool) {
	appID := word
	for _, o := range a.overrides {
		if o.shop.Name == word {
			appID = o.match
		}
	}
	if !likeAppID(appID) || a.Excluded(appID) {
		return Shop{}, false
	}
	s, err := a.Shop(appID)
	return s, err == nil
}

// topicOf is the shop's topic with the app ID in its place.
func (s Shop) topicOf() string { return TopicOf(s.Topic, s.AppID) }

// TopicOf returns the topic of a shop, by a name that may stand for the topics of several.
func TopicOf(topic, appID string) string { return strings.ReplaceAll(topic, appIDMark, appID) }

// ownTopics puts the app IDs into the topics of the worker's own shops. file reports
// whether they come from the shops file.
func (f *faults) ownTopics(shops []Shop, file bool) []Shop {
	for i, s := range shops {
		topic := s.topicOf()
		if topic == s.Topic {
			continue
		}
		where := listedPlace(i) + ".topic"
		if !file {
			where = variable("TOPIC")
		}
		shops[i].Topic = f.topicNameAt(where, topic)
	}
	return shops
}

// quoted249 quotes a topic, cut to the length that one may have.
func quoted249(topic string) string { return strconv.Quote(topic[:min(len(topic), 249)]) }

// IsTemplate reports whether a topic's name stands for the topics of several shops.
func IsTemplate(topic string) bool { return strings.Contains(topic, appIDMark) }
