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

// Setting is a variable and what is in force of it.
type Setting struct {
	Name string
	// Given reports that the environment sets it, to more than nothing.
	Given bool
	// Value is what is in force, as it may be shown: "set" or "unset" for a
	// secret, words in parentheses where the default is no fixed value, a dash
	// where there is none.
	Value string
}

// Effective returns what is in force of every variable, and the shops. A
// configuration with faults is an *Error; the settings are returned all the
// same, and so are the shops unless they are at fault.
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
	// What follows from other variables where these are not set.
	derived := map[string]string{variable("WORKER_ID"): c.WorkerID, variable("AUTH"): derivedAuth(&env)}
	var all []Setting
	fields := reflect.ValueOf(env)
	for i, v := range Variables() {
		s := Setting{Name: v.Name, Given: strings.TrimSpace(os.Getenv(v.Name)) != ""}
		s.Value = inForce(v, cmp.Or(fields.Field(i).String(), derived[v.Name]))
		if s.Given && wrong[v.Name] {
			s.Value = "not valid" // it could be a secret of another place
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

// inForce is the value of a variable as it may be shown.
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
	case v.Type == "URL":
		return strings.Trim(shownAddress(value), `"`)
	}
	return value
}

// derivedAuth is the way that shops go which name none.
func derivedAuth(env *environment) string {
	var given []string
	for field, value := range map[string]string{
		"app_secret": env.AppSecret, "app_secret_file": env.AppSecretFile,
		"access_token": env.AccessToken, "access_token_file": env.AccessTokenFile,
	} {
		if value != "" {
			given = append(given, field)
		}
	}
	return ownAuth("", func(field string) bool { return slices.Contains(given, field) })
}
