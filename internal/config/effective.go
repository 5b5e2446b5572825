package config

import (
	"cmp"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/kelseyhightower/envconfig"
)

// Setting is a variable with its effective value.
type Setting struct {
	Name string
	// Given reports whether the environment sets it to a non-empty value.
	Given bool
	// Value is the effective value in a form that may be printed: "set" or "unset"
	// for a secret, words in parentheses for a default that is not fixed, a dash
	// for no value.
	Value string
}

// Effective returns the effective value of every variable, and the shops. A
// configuration with faults returns an *Error together with the settings, and with
// the shops unless these have faults.
func Effective() ([]Setting, []Shop, error) {
	var env environment
	if err := envconfig.Process(prefix, &env); err != nil {
		return nil, nil, fmt.Errorf("read environment: %w", err)
	}
	fillDefaults(&env, nil)
	c, f := convert(&env, true)

	wrong := map[string]bool{}
	wrongShops := false
	for _, fault := range f {
		wrong[fault.Where] = true
		wrongShops = wrongShops || strings.HasPrefix(fault.Where, "shops") || fault.Where == variable("SHOPS_FILE")
	}
	// Values that derive from other variables if these are unset.
	derived := map[string]string{variable("WORKER_ID"): c.WorkerID, variable("AUTH"): derivedAuth(&env)}
	var all []Setting
	fields := reflect.ValueOf(env)
	for i, v := range Variables() {
		s := Setting{Name: v.Name, Given: strings.TrimSpace(os.Getenv(v.Name)) != ""}
		s.Value = inForce(v, cmp.Or(fields.Field(i).String(), derived[v.Name]))
		if s.Given && wrong[v.Name] {
			s.Value = "not valid" // it could be a misplaced secret
		}
		all = append(all, s)
	}
	var err error
	if len(f) > 0 {
		err = &Error{Faults: f}
	}
	if wrongShops {
		return all, nil, err
	}
	return all, c.Shops, err
}

// inForce returns the value of a variable in a form that may be printed.
func inForce(v Variable, value string) string {
	switch {
	case v.Type == "secret" && value != "":
		return "set"
	case v.Type == "secret":
		return "unset"
	case value == "" && v.Default != "":
		return "(" + v.Default + ")"
	case value == "":
		return "–"
	case v.Type == "file" || v.Type == "path":
		return strings.Trim(shownPath(value), `"`)
	case v.Type == pathList:
		return shownPaths(value)
	case v.Type == "URL":
		return strings.Trim(shownAddress(value), `"`)
	}
	return value
}

// shownPaths is shownPath for a list.
func shownPaths(list string) string {
	var all []string
	for path := range strings.SplitSeq(list, ",") {
		all = append(all, strings.Trim(shownPath(strings.TrimSpace(path)), `"`))
	}
	return strings.Join(all, ",")
}

// derivedAuth returns the auth of shops that set none.
func derivedAuth(env *environment) string {
	var given []string
	for field, value := range map[string]string{
		"app_secret": env.AppSecret, "app_secret_file": env.AppSecretFile,
		"access_token": env.AccessToken, "access_token_file": env.AccessTokenFile, "access_token_url": env.AccessTokenURL,
	} {
		if value != "" {
			given = append(given, field)
		}
	}
	return ownAuth("", func(field string) bool { return slices.Contains(given, field) })
}
