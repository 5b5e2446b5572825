package config

import (
	"fmt"
	"maps"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Shop is one shop with one of the two time ranges it can be walked by.
type Shop struct {
	// Name is the shop's name in logs, metrics and over HTTP; unique. Defaults to
	// the app ID.
	Name string
	// AppID is the shop's app ID: unique together with TimeRange.
	AppID string
	// Created reports that the shop was created over HTTP, Authorized that it is walked
	// because it has authorised the platform.
	Created, Authorized bool
	// Auth is "stable_token", "token", "static", "cloud_file", "cloud_open" or
	// "component".
	Auth string
	// AppSecret is set with stable_token and token, AccessToken or TokenServer with
	// static, CloudToken with cloud_file: it reads CloudTokenFile, which need not exist.
	AppSecret, AccessToken, CloudToken Secret
	CloudTokenFile                     string
	TokenServer                        TokenServer
	// SecretInFile reports that AppSecret comes from a file, which may change.
	SecretInFile bool
	// References name the secrets for showing, by field: ${file:/path}, ${env:NAME},
	// or HiddenSecret for one that the shops file holds itself.
	References map[string]string
	// RefreshToken may be set with component: the shop's authorizer refresh
	// token.
	RefreshToken Secret
	// PushToken and PushAESKey, set together, verify and decrypt pushes of the
	// shop's own events; nil = those of Push.
	PushToken, PushAESKey Secret
	// Topic receives the shop's orders.
	Topic string
	// TimeRange is "create_time" or "update_time".
	TimeRange string
	// Start and End bound the walk in unix seconds; 0 = not given.
	Start, End int64
	// Status and OpenID are passed on as filters; zero = none.
	Status int
	OpenID string
	// RateLimit is the number of list calls a second for the app ID.
	RateLimit float64
}

// shopFields are the fields a shop of the file may have.
var shopFields = []string{
	"app_id", "name", "auth", "app_secret", "app_secret_file", "access_token", "access_token_file",
	"access_token_url", "access_token_url_username", "access_token_url_secret", "access_token_url_secret_file",
	"access_token_pointer", "access_token_expiry_pointer", "cloud_token_file", "authorizer_refresh_token", "authorizer_refresh_token_file", "push_token", "push_aes_key",
	"topic", "time_range", "start_time", "end_time", "status", "openid", "rate_limit",
}

// shopsFile is what the shops file holds beside its shops. The zero value is that of no
// file.
type shopsFile struct {
	places     filePlaces
	authorized authorizedText
	was        FileState // before it was read
}

// readShops returns the shops of the file and what else is in it, or the single shop
// that the variables configure, which is base.
func readShops(env *environment, base Shop, f *faults) ([]Shop, shopsFile) {
	if env.ShopsFile == "" {
		if base.AppID == "" && env.Shops != "" {
			return nil, shopsFile{}
		}
		if base.AppID == "" {
			f.add(variable("SHOPS_FILE"), "and "+variable("APP_ID")+" are both not set: no shop is configured",
				"give "+variable("APP_ID")+" with "+variable("APP_SECRET")+" for one shop, or a file that lists them")
			return nil, shopsFile{}
		}
		if base.Name == "" {
			base.Name = base.AppID
		}
		f.checkShop(base, variable)
		return []Shop{base}, shopsFile{}
	}

	data, was, err := readShopsFile(env.ShopsFile)
	if err != nil {
		f.add(variable("SHOPS_FILE"), fileFault(env.ShopsFile, err).Error(), "give a file that can be read")
		return nil, shopsFile{}
	}
	root, err := parseTree(data) // once: the tree takes many times the memory of the text
	shops, authorized := f.listedShops(env, base, root, err)
	return shops, shopsFile{placesIn(root), authorized, was}
}

// listedShops returns the shops of the shops file, and what it says of shops that have
// authorised the platform; root and err are parseTree's.
func (f *faults) listedShops(env *environment, base Shop, root *yaml.Node, err error) ([]Shop, authorizedText) {
	listed, problems := readList(root, err)
	text, more := readAuthorized(root)
	for _, p := range append(problems, more...) {
		if p.Where == "" {
			p.Where = variable("SHOPS_FILE")
			p.Problem = shownPath(env.ShopsFile) + ": " + p.Problem
		}
		f.addFault(p)
	}
	if len(listed) == 0 {
		// An empty list is meant where shops come over HTTP; a list that is missing, or
		// that a template left empty, never is.
		if empty := listed != nil && (env.RestSecretDirs != "" || env.Shops != "" || text.wanted); len(problems) == 0 && !empty {
			f.add(variable("SHOPS_FILE"), shownPath(env.ShopsFile)+" lists no shop",
				"list at least one under shops; if all are created over HTTP, write `shops: []` and set "+variable("REST_SECRET_DIRS"))
		}
		if text.wanted && base.AppID != "" {
			f.add(variable("APP_ID"), shown(base.AppID)+" is not a shop of "+variable("SHOPS_FILE"), "remove it")
		}
		return nil, text
	}

	shops := make([]Shop, len(listed))
	appIDUsed := base.AppID == ""
	for i, fields := range listed {
		at := func(field string) string { return fmt.Sprintf("shops[%d].%s", i, field) }
		shops[i] = f.shop(base, fields, at, listedSecret)
		f.checkName(at("name"), fields["name"])
		f.checkShop(shops[i], func(name string) string { return at(strings.ToLower(name)) })
		appIDUsed = appIDUsed || shops[i].AppID == base.AppID
		if len(*f) > maxFaults {
			return nil, text
		}
	}
	if !appIDUsed {
		f.add(variable("APP_ID"), shown(base.AppID)+" is not a shop of "+variable("SHOPS_FILE"),
			"list it there, or remove one of the two")
	}
	f.duplicates(shops, func(i int) bool { return listed[i]["name"] != "" })
	return shops, text
}

// baseShop returns the shop that the variables configure: the only one, or the
// defaults for the shops of the file.
func (f *faults) baseShop(env *environment) Shop {
	values := map[string]string{
		"app_id": env.AppID, "app_secret": env.AppSecret, "app_secret_file": env.AppSecretFile,
		"access_token": env.AccessToken, "access_token_file": env.AccessTokenFile,
		"access_token_url": env.AccessTokenURL, "access_token_url_username": env.AccessTokenURLUsername,
		"access_token_url_secret": env.AccessTokenURLSecret, "access_token_url_secret_file": env.AccessTokenURLSecretFile,
		"access_token_pointer": env.AccessTokenPointer, "access_token_expiry_pointer": env.AccessTokenExpiryPointer, "topic": env.Topic,
		"time_range": env.TimeRange, "start_time": env.StartTime, "end_time": env.EndTime,
		"status": env.Status, "openid": env.Openid, "rate_limit": env.RateLimit, "auth": env.Auth,
	}
	at := func(field string) string { return variable(strings.ToUpper(field)) }
	inherited := Shop{CloudTokenFile: env.CloudTokenFile}
	return f.shop(inherited, values, at, variableSecret)
}

// shop overrides the inherited shop s with the given fields. The one code path for
// the variables, the shops file and configurations sent over HTTP, which differ in how
// they give secrets.
func (f *faults) shop(s Shop, given map[string]string, at func(field string) string, read secretReader) Shop {
	s.References = maps.Clone(s.References)
	has := func(field string) bool { return given[field] != "" }
	if has("app_id") {
		s.AppID = given["app_id"]
		f.checkAppID(at("app_id"), s.AppID, "shop")
	}
	if has("name") {
		s.Name = given["name"]
	} else if s.AppID != "" {
		s.Name = s.AppID
	}

	f.ownSecret(&s, &s.AppSecret, "app_secret", given, at, read)
	f.ownSecret(&s, &s.AccessToken, "access_token", given, at, read)
	f.tokenServer(&s, given, at, read)
	f.ownSecret(&s, &s.RefreshToken, "authorizer_refresh_token", given, at, read)
	f.ownSecret(&s, &s.PushToken, "push_token", given, at, read)
	f.ownSecret(&s, &s.PushAESKey, "push_aes_key", given, at, read)
	s.SecretInFile = strings.HasPrefix(s.References["app_secret"], "${"+fromFile)
	if has("push_aes_key") {
		f.aesKey(s.PushAESKey, at("push_aes_key"))
	}
	if has("cloud_token_file") {
		s.CloudTokenFile = given["cloud_token_file"]
	}
	if has("auth") {
		s.Auth = f.choiceAt(at("auth"), given["auth"], allAuth, nil)
	} else {
		s.Auth = ownAuth(s.Auth, has)
	}
	if s.CloudToken = nil; s.Auth == authCloudFile {
		s.CloudToken = secretFile(s.CloudTokenFile)
	}

	if has("topic") {
		s.Topic = f.topicTemplateAt(at("topic"), given["topic"])
	}
	if has("time_range") {
		s.TimeRange = f.choiceAt(at("time_range"), given["time_range"], []string{"create_time", "update_time"}, nil)
	}
	if has("start_time") {
		s.Start = f.timeAt(at("start_time"), given["start_time"])
	}
	if has("end_time") {
		s.End = f.timeAt(at("end_time"), given["end_time"])
	}
	if has("status") {
		n, err := strconv.Atoi(given["status"])
		if err != nil || n < 1 {
			f.add(at("status"), quoteNumber(given["status"]), "give the number of one status, such as 20")
		}
		s.Status = n
	}
	if has("openid") {
		s.OpenID = given["openid"]
	}
	if has("rate_limit") {
		s.RateLimit = f.rateAt(at("rate_limit"), given["rate_limit"])
	}
	return s
}

// ownSecret reads a secret that is set as text or as a file. A secret with a fault
// becomes an empty one, so that it is neither reported again as missing nor
// replaced by the inherited one.
func (f *faults) ownSecret(shop *Shop, s *Secret, field string, given map[string]string, at func(field string) string, read secretReader) {
	if given[field]+given[field+"_file"] == "" {
		return
	}
	var reference string
	if *s, reference = read(f, field, given, at); *s == nil {
		*s = secretText("")
	}
	if shop.References == nil {
		shop.References = make(map[string]string)
	}
	shop.References[field] = reference
}

// checkShop checks the fields of a shop against each other. at returns the place
// of a field by the upper-case name of its variable.
func (f *faults) checkShop(s Shop, at func(name string) string) {
	if s.AppID == "" {
		f.add(at("APP_ID"), "is not set", "give the shop's app ID")
	}
	f.needs(s, at)
	if s.Start > 0 && s.End > 0 && s.End < s.Start {
		f.add(at("END_TIME"), "is before "+at("START_TIME"), "give a later time")
	}
}

// duplicates rejects values that two shops must not share. named reports whether
// a shop sets a name; its name is its app ID otherwise.
func (f *faults) duplicates(shops []Shop, named func(i int) bool) {
	r := newRoster(listedPlace)
	r.shops, r.named = shops, named
	for i, s := range shops {
		if s.AppID == "" {
			continue
		}
		found, taken := r.identity(i)
		f.conflicts(listedPlace(i), found)
		if !taken {
			r.addIdentity(i)
		}
	}
}

// listedPlace is the place of a shop in the shops file.
func listedPlace(i int) string { return fmt.Sprintf("shops[%d]", i) }

// conflicts adds the conflicts of the shop at place.
func (f *faults) conflicts(place string, found []conflict) {
	for _, c := range found {
		where := place
		if c.field != "" {
			where += "." + c.field
		}
		f.add(where, c.problem, c.allowed)
	}
}

// ordersTopics returns the topics of the shops without duplicates. None may be the
// offsets topic, which is compacted.
func ordersTopics(shops []Shop, offsetsTopic string, f *faults) []string {
	seen := map[string]bool{}
	var topics []string
	for _, s := range shops {
		if s.Topic != "" && !seen[s.Topic] {
			seen[s.Topic] = true
			topics = append(topics, s.Topic)
		}
	}
	if offsetsTopic != "" && seen[offsetsTopic] {
		f.add(variable("OFFSETS_TOPIC"), strconv.Quote(offsetsTopic)+" is also a topic for orders",
			"give two different topics")
	}
	return topics
}
