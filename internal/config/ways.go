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
	case has("access_token") || has("access_token_file"):
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
	case s.Auth == authStatic && s.AccessToken == nil:
		f.add(at("ACCESS_TOKEN"), "is not set", "auth static needs it, or "+at("ACCESS_TOKEN_FILE"))
	}
	if (s.PushToken == nil) != (s.PushAESKey == nil) {
		f.add(at("PUSH_TOKEN"), "and "+at("PUSH_AES_KEY")+" go together", "give both or neither")
	}
}

// ways checks the auth of the shops against each other. file reports whether they
// come from the shops file.
func (f *faults) ways(shops []Shop, file bool, apiURL string) {
	place := func(i int, field string) string {
		if !file {
			return variable(strings.ToUpper(field))
		}
		return fmt.Sprintf("shops[%d].%s", i, field)
	}
	auths, files := map[string]int{}, map[string]int{}
	open := -1
	for i, s := range shops {
		if s.AppID == "" {
			continue
		}
		if first, ok := auths[s.AppID]; !ok {
			auths[s.AppID] = i
		} else if shops[first].Auth != s.Auth {
			f.add(place(i, "auth"), fmt.Sprintf("is %s, and that of shops[%d], which has the same app ID, is %s", s.Auth, first, shops[first].Auth),
				"give both the same: an app ID has one token")
			continue
		}
		switch s.Auth {
		case authCloudOpen:
			if open < 0 {
				f.openURL(place(i, "auth"), apiURL)
				open = i
			} else if shops[open].AppID != s.AppID {
				f.add(place(i, "auth"), fmt.Sprintf("is cloud_open, as that of shops[%d], which has another app ID", open),
					"the hosting calls for one app ID: walk each shop from its own")
			}
		case authCloudFile:
			if first, ok := files[s.CloudTokenFile]; !ok {
				files[s.CloudTokenFile] = i
			} else if shops[first].AppID != s.AppID {
				f.add(place(i, "cloud_token_file"), fmt.Sprintf("is that of shops[%d], which has another app ID", first),
					"the hosting's token is of one app ID: walk each shop from its own")
			}
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
