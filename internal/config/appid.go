package config

import (
	"reflect"
	"strconv"
	"strings"
)

// checkAppID rejects values that are often mistaken for an app ID; of names the
// owner, "shop" or "platform".
func (f *faults) checkAppID(where, given, of string) {
	allowed := "give the " + of + "'s app ID, such as wx0123456789abcdef"
	hex := !strings.ContainsFunc(given, func(r rune) bool { return !strings.ContainsRune("0123456789abcdefABCDEF", r) })
	switch {
	case quoted(given):
		f.add(where, "has quotes around it", allowed)
	case strings.ContainsFunc(given, func(r rune) bool { return r <= ' ' || r > '~' }):
		f.add(where, shownIf(strings.HasPrefix(given, "wx"), given)+notValid, allowed)
	case strings.HasPrefix(given, "gh_"):
		f.add(where, "is the user name of an account (gh_…), not its app ID", allowed)
	case hex && len(given) == 32:
		f.add(where, "has 32 hexadecimal digits, as an app secret has", allowed)
	case hex && len(given) >= 16:
		f.add(where, "lacks the letters wx that an app ID begins with", allowed)
	case !strings.HasPrefix(given, "wx"):
		f.add(where, shownIf(numeric(given), given)+notValid, allowed)
	}
}

// checkName rejects names that cannot be a part of a URL's path: clients take them out of it
// before they send a call.
func (f *faults) checkName(where, given string) {
	if given == "." || given == ".." {
		f.add(where, strconv.Quote(given)+notValid+": clients take it out of the path of a URL", "give another name")
	}
}

// appID quotes an app ID or a name in a fault of another value.
func appID(given string) string {
	if !strings.HasPrefix(given, "wx") { // a name
		if likeName(given) {
			return strconv.Quote(given)
		}
		return shown(given)
	}
	return strconv.Quote(given[:min(len(given), longestShown)])
}

// unquote rejects the quotes that `docker run --env-file` keeps around values. It
// removes them, so that the value itself is checked too. secret and password check
// the quotes of secrets.
func (f *faults) unquote(env *environment) {
	fields := reflect.ValueOf(env).Elem()
	for i, v := range Variables() {
		text := fields.Field(i).String()
		if v.Type == "secret" || !quoted(text) {
			continue
		}
		f.add(v.Name, "has quotes around it, which `docker run --env-file` keeps", "remove them")
		fields.Field(i).SetString(strings.Trim(text, "\"'`“”‘’"))
	}
}

// likeAppID reports whether a value may be shown as an app ID.
func likeAppID(given string) bool {
	return strings.HasPrefix(given, "wx") && len(given) <= longestShown &&
		!strings.ContainsFunc(given, func(r rune) bool { return !letter(r) && !digit(r) && r != '_' && r != '-' })
}
