package config

import (
	"net"
	"net/url"
	"regexp"
	"strings"
	"unicode"
)

// TokenServer is the HTTP server of another system that gives a shop's access token.
type TokenServer struct {
	// URL is the address, in which appIDMark stands for the shop's app ID; empty = none.
	URL string
	// User and Secret authorize the requests; without a User the Secret is a bearer
	// token. Nil = no credentials.
	User   string
	Secret Secret
	// Pointer and ExpiryPointer are the JSON pointers to the token and its expiry, which
	// may hold appIDMark too; empty = the defaults of wechat.TokenServer.
	Pointer, ExpiryPointer string
}

// appIDMark stands for the app ID in an access token URL, its pointers and a topic's name.
const appIDMark = "{app_id}"

// faultyURL stands for an access token URL with a fault, so that it is not reported as
// missing too.
const faultyURL = "https://invalid"

// For returns the server with its address and pointers for an app ID.
func (t TokenServer) For(appID string) TokenServer {
	t.URL = strings.ReplaceAll(t.URL, appIDMark, url.QueryEscape(appID))
	t.Pointer = strings.ReplaceAll(t.Pointer, appIDMark, appID)
	t.ExpiryPointer = strings.ReplaceAll(t.ExpiryPointer, appIDMark, appID)
	return t
}

// Host is the server's host and port, for showing.
func (t TokenServer) Host() string {
	u, err := url.Parse(t.URL)
	if err != nil {
		return ""
	}
	return u.Host
}

// Shown is the address as it may be shown: the text of the query may be a secret.
func (t TokenServer) Shown() string {
	address, query, has := strings.Cut(t.URL, "?")
	if !has {
		return address
	}
	pairs := strings.Split(query, "&")
	for i, pair := range pairs {
		switch name, value, has := strings.Cut(pair, "="); {
		case !has:
			pairs[i] = HiddenSecret
		case value != appIDMark:
			pairs[i] = name + "=" + HiddenSecret
		}
	}
	return address + "?" + strings.Join(pairs, "&")
}

// tokenServer reads a shop's token server. A shop that gives an access token has none.
// One that gives another address than the inherited one keeps the inherited user name
// and secret only if scheme, host and port are the same: they belong to that server.
func (f *faults) tokenServer(s *Shop, given map[string]string, at func(field string) string, read secretReader) {
	t := &s.TokenServer
	const field = "access_token_url"
	drop := func(field string) { delete(s.References, field) }
	address := given[field]
	for _, other := range []string{"access_token", "access_token_file"} {
		switch {
		case given[other] == "":
		case address != "":
			f.add(at(field), "and "+at(other)+" are both set", "give one of them")
		default:
			*t = TokenServer{}
			drop(field + "_secret")
		}
	}
	if address != "" {
		if origin(t.URL) != origin(address) {
			t.User, t.Secret = "", nil
			drop(field + "_secret")
		}
		s.AccessToken = nil
		drop("access_token")
		t.URL = f.serverURL(at(field), address)
	}
	if user := given[field+"_username"]; user != "" {
		if t.User = user; strings.ContainsFunc(user, func(r rune) bool { return r == ':' || unicode.IsControl(r) }) {
			f.add(at(field+"_username"), "has a colon or a control character in it", "give the user name without the password")
		}
	}
	f.ownSecret(s, &t.Secret, field+"_secret", given, at, read)
	for _, name := range []string{field + "_username", field + "_secret", field + "_secret_file"} {
		if given[name] != "" && t.URL == "" {
			f.add(at(name), "is set without "+at(field), "give both, or remove it")
		}
	}
	if t.User != "" && t.Secret == nil && t.URL != "" {
		f.add(at(field+"_username"), "is set without "+at(field+"_secret"), "give the password there, or in "+at(field+"_secret_file"))
	}
	f.pointer(&t.Pointer, "access_token_pointer", given, at)
	f.pointer(&t.ExpiryPointer, "access_token_expiry_pointer", given, at)
}

// serverURL accepts the address of a token server.
func (f *faults) serverURL(where, given string) string {
	u, err := url.Parse(given)
	switch {
	case err == nil && u.User != nil:
		// Not quoted: the text before the @ may be a password.
		f.add(where, "has a user name in it", "give user name and secret by their own settings")
	case err != nil && strings.Contains(err.Error(), "invalid port"):
		// Not quoted: it is a password if the host is missing.
		f.add(where, "has a port that is not a number", "give user name and secret by their own settings")
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.Fragment != "":
		f.add(where, shownAddress(given)+" is not valid", "give an address such as https://tokens.example.com/"+appIDMark)
	default:
		return given
	}
	return faultyURL
}

// pointer reads a JSON pointer (RFC 6901).
func (f *faults) pointer(into *string, field string, given map[string]string, at func(field string) string) {
	text := given[field]
	if text == "" {
		return
	}
	if *into = text; !jsonPointer.MatchString(text) {
		f.add(at(field), quote(text), "give a JSON pointer, such as /data/access_token")
	}
}

var jsonPointer = regexp.MustCompile(`^(/([^~/]|~[01])*)+$`)

// origin is scheme, host and port of an address; empty = it has none.
func origin(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return ""
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

// tokenRequest is what a token server is asked for. Two app IDs must not ask for the
// same.
type tokenRequest struct{ url, user, secret, pointer string }

func (s Shop) tokenRequest() tokenRequest {
	t := s.TokenServer.For(s.AppID)
	if s.Auth != authStatic || t.URL == "" || t.URL == faultyURL {
		return tokenRequest{}
	}
	r := tokenRequest{t.URL, t.User, s.References["access_token_url_secret"], t.Pointer}
	if r.secret == HiddenSecret {
		r.secret, _ = t.Secret() // text, which can always be read
	}
	return r
}

// sentServer checks an address that came over HTTP. A caller that may send one must not have
// secrets sent to another host than the worker's own variable names, nor have the worker
// call other hosts.
func (c *Connectors) sentServer(r *reading, address string) {
	const field = "access_token_url"
	own := c.base.TokenServer.URL
	switch t := (TokenServer{URL: address}); {
	case address == "" || origin(address) == "":
	case own == "":
		r.faults.add(field, "is set, but the worker has no "+variable("ACCESS_TOKEN_URL"), "leave it out, or set that to an address of the same server")
	case origin(address) != origin(own):
		r.faults.add(field, "is of another server than the worker's "+variable("ACCESS_TOKEN_URL"), "give an address with the same scheme, host and port")
	case t.Shown() != address:
		r.faults.add(field, "has a query with another value than "+appIDMark+", which would be stored and shown", "leave the query out, or give it in the worker's "+variable("ACCESS_TOKEN_URL"))
	}
}
