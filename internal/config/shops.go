package config

import (
	"fmt"
	"strconv"
	"strings"
)

// Shop is one shop with one of the two time ranges it can be walked by.
type Shop struct {
	// Name is the shop's name in logs, metrics and over HTTP; unique. Defaults to
	// the app ID.
	Name string
	// AppID is the shop's app ID: unique together with TimeRange.
	AppID string
	// Auth is "stable_token", "token", "static", "cloud_file", "cloud_open" or
	// "component".
	Auth string
	// AppSecret is set with stable_token and token, AccessToken with static,
	// CloudToken with cloud_file: it reads CloudTokenFile, which need not exist.
	AppSecret, AccessToken, CloudToken Secret
	CloudTokenFile                     string
	// SecretInFile reports that AppSecret comes from a file, which may change.
	SecretInFile bool
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
	"cloud_token_file", "authorizer_refresh_token", "authorizer_refresh_token_file", "push_token", "push_aes_key",
	"topic", "time_range", "start_time", "end_time", "status", "openid", "rate_limit",
}

// readShops returns the shops of the file, or the single shop that the variables
// configure.
func readShops(env *environment, f *faults) []Shop {
	base := f.baseShop(env)
	if env.ShopsFile == "" {
		if base.AppID == "" {
			f.add(variable("SHOPS_FILE"), "and "+variable("APP_ID")+" are both not set: no shop is configured",
				"give "+variable("APP_ID")+" with "+variable("APP_SECRET")+" for one shop, or a file that lists them")
			return nil
		}
		if base.Name == "" {
			base.Name = base.AppID
		}
		f.checkShop(base, variable)
		return []Shop{base}
	}

	data, err := readShopsFile(env.ShopsFile)
	if err != nil {
		f.add(variable("SHOPS_FILE"), fileFault(env.ShopsFile, err).Error(), "give a file that can be read")
		return nil
	}
	return f.listedShops(env, base, data)
}

// listedShops returns the shops of the shops file; data is its text.
func (f *faults) listedShops(env *environment, base Shop, data []byte) []Shop {
	root, err := parseTree(data) // once: the tree takes many times the memory of the text
	defer func() { f.locate(root) }()
	listed, problems := readList(root, err)
	for _, p := range problems {
		if p.Where == "" {
			p.Where = variable("SHOPS_FILE")
			p.Problem = shownPath(env.ShopsFile) + ": " + p.Problem
		}
		f.add(p.Where, p.Problem, p.Allowed)
	}
	if len(listed) == 0 {
		if len(problems) == 0 {
			f.add(variable("SHOPS_FILE"), shownPath(env.ShopsFile)+" lists no shop", "list at least one under shops")
		}
		return nil
	}

	shops := make([]Shop, len(listed))
	appIDUsed := base.AppID == ""
	for i, fields := range listed {
		at := func(field string) string { return fmt.Sprintf("shops[%d].%s", i, field) }
		shops[i] = f.shop(base, fields, at)
		f.checkShop(shops[i], func(name string) string { return at(strings.ToLower(name)) })
		appIDUsed = appIDUsed || shops[i].AppID == base.AppID
		if len(*f) > maxFaults {
			return nil
		}
	}
	if !appIDUsed {
		f.add(variable("APP_ID"), shown(base.AppID)+" is not a shop of "+variable("SHOPS_FILE"),
			"list it there, or remove one of the two")
	}
	f.duplicates(shops, func(i int) bool { return listed[i]["name"] != "" })
	return shops
}

// baseShop returns the shop that the variables configure: the only one, or the
// defaults for the shops of the file.
func (f *faults) baseShop(env *environment) Shop {
	values := map[string]string{
		"app_id": env.AppID, "app_secret": env.AppSecret, "app_secret_file": env.AppSecretFile,
		"access_token": env.AccessToken, "access_token_file": env.AccessTokenFile, "topic": env.Topic,
		"time_range": env.TimeRange, "start_time": env.StartTime, "end_time": env.EndTime,
		"status": env.Status, "openid": env.Openid, "rate_limit": env.RateLimit, "auth": env.Auth,
	}
	at := func(field string) string { return variable(strings.ToUpper(field)) }
	inherited := Shop{CloudTokenFile: env.CloudTokenFile}
	return f.shop(inherited, values, at)
}

// shop overrides the inherited shop s with the given fields.
func (f *faults) shop(s Shop, given map[string]string, at func(field string) string) Shop {
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

	f.ownSecret(&s.AppSecret, "app_secret", given, at)
	if has("app_secret") || has("app_secret_file") {
		s.SecretInFile = has("app_secret_file")
	}
	f.ownSecret(&s.AccessToken, "access_token", given, at)
	f.ownSecret(&s.RefreshToken, "authorizer_refresh_token", given, at)
	f.ownSecret(&s.PushToken, "push_token", given, at)
	f.ownSecret(&s.PushAESKey, "push_aes_key", given, at)
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
		s.Topic = f.topicNameAt(at("topic"), given["topic"])
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
func (f *faults) ownSecret(s *Secret, field string, given map[string]string, at func(field string) string) {
	text, file := given[field], given[field+"_file"]
	if text+file == "" {
		return
	}
	if *s = f.secret(at(field), text, at(field+"_file"), file); *s == nil {
		*s = secretText("")
	}
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
	type source struct{ appID, timeRange string }
	sources, names, rates := map[source]int{}, map[string]int{}, map[string]int{}
	for i, s := range shops {
		if s.AppID == "" {
			continue
		}
		at := func(field string) string { return fmt.Sprintf("shops[%d].%s", i, field) }
		if first, ok := sources[source{s.AppID, s.TimeRange}]; ok {
			f.add(at("app_id"), fmt.Sprintf("%s is walked by %s in shops[%d] already", appID(s.AppID), s.TimeRange, first),
				"list each app ID once for each time_range")
			continue
		}
		sources[source{s.AppID, s.TimeRange}] = i
		switch first, ok := names[s.Name]; {
		case !ok:
			names[s.Name] = i
		case !named(i) && !named(first):
			f.add(fmt.Sprintf("shops[%d]", i), fmt.Sprintf("would have the name %s of shops[%d]: the name of a shop defaults to its app ID", appID(s.Name), first),
				"give one of them a name, such as "+s.Name+"-"+strings.TrimSuffix(s.TimeRange, "_time"))
		case !named(i) || !named(first):
			f.add(at("name"), fmt.Sprintf("%s is also the name of shops[%d]: the name of a shop defaults to its app ID", appID(s.Name), first), "give each shop a unique name")
		default:
			f.add(at("name"), fmt.Sprintf("%s is already the name of shops[%d]", appID(s.Name), first), "give each shop a unique name")
		}
		if first, ok := rates[s.AppID]; ok && shops[first].RateLimit != s.RateLimit {
			f.add(at("rate_limit"), fmt.Sprintf("differs from that of shops[%d], which has the same app ID", first),
				"give both the same: the limit belongs to the app ID")
		} else if !ok {
			rates[s.AppID] = i
		}
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
