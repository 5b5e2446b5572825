package config

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
)

// The values of AUTH: ways to authorize calls of the API.
const (
	authStableToken = "stable_token"
	authToken       = "token"
	authStatic      = "static"
	authCloudFile   = "cloud_file"
	authCloudOpen   = "cloud_open"
	authComponent   = "component"
)

var allAuth = []string{authStableToken, authToken, authStatic, authCloudFile, authCloudOpen, authComponent}

// Ways returns the values of AUTH.
func Ways() []string { return slices.Clone(allAuth) }

// ownAuth returns the auth of a shop that sets none: the one that its credentials
// are for, unless the inherited auth uses the same credentials.
func ownAuth(inherited string, has func(field string) bool) string {
	switch {
	case has("access_token") || has("access_token_file") || has("access_token_url"):
		return authStatic
	case has("cloud_token_file"):
		return authCloudFile
	case has("authorizer_refresh_token") || has("authorizer_refresh_token_file"):
		return authComponent
	case has("app_secret") || has("app_secret_file"):
		if inherited == authToken {
			return authToken
		}
		return authStableToken
	case inherited == "":
		return authStableToken
	}
	return inherited
}

// needs reports the missing credentials of a shop's auth. at returns the place of
// a field by the upper-case name of its variable.
func (f *faults) needs(s Shop, at func(name string) string) {
	switch {
	case s.Auth == authStableToken && s.AppSecret == nil:
		f.add(at("APP_SECRET"), "is not set", "give it, or "+at("APP_SECRET_FILE")+
			", or an access token ("+at("ACCESS_TOKEN_FILE")+")")
	case s.Auth == authToken && s.AppSecret == nil:
		f.add(at("APP_SECRET"), "is not set", "auth token needs it, or "+at("APP_SECRET_FILE"))
	case s.Auth == authStatic && s.AccessToken == nil && s.TokenServer.URL == "":
		f.add(at("ACCESS_TOKEN"), "is not set", "auth static needs it, or "+at("ACCESS_TOKEN_FILE")+", or "+at("ACCESS_TOKEN_URL"))
	}
	if (s.PushToken == nil) != (s.PushAESKey == nil) {
		f.add(at("PUSH_TOKEN"), "and "+at("PUSH_AES_KEY")+" go together", "give both or neither")
	}
}

// ways checks the auth of the shops against each other. file reports whether they
// come from the shops file.
func (f *faults) ways(shops []Shop, file bool, apiURL string) {
	r := newRoster(listedPlace)
	r.shops = shops
	for i, s := range shops {
		if s.AppID == "" {
			continue
		}
		opens := s.Auth == authCloudOpen && r.open < 0
		f.conflicts(listedPlace(i), r.authorization(i))
		r.addAuthorization(i)
		if opens && r.open == i {
			auth := listedPlace(i) + ".auth"
			if !file {
				auth = variable("AUTH")
			}
			f.openURL(auth, apiURL)
		}
	}
}

// openURL requires an address for calls without a token in plain http: the
// vendor's, which the hosting relays, or a loopback address.
func (f *faults) openURL(auth, apiURL string) {
	u, err := url.Parse(apiURL)
	if err != nil || apiURL == "" {
		return // reported already
	}
	ip := net.ParseIP(u.Hostname())
	loopback := strings.EqualFold(u.Hostname(), "localhost") || ip != nil && ip.IsLoopback()
	vendor := strings.EqualFold(u.Host, "api.weixin.qq.com") && u.Path == ""
	if !vendor && (!loopback || u.Scheme != "http") {
		f.add(variable("API_URL"), fmt.Sprintf("%s is not where %s cloud_open may call", shownAddress(apiURL), auth),
			"remove it, or give http and a loopback address: without a token, calls go to api.weixin.qq.com through the hosting's relay and nowhere else")
	}
}
