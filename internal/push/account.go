package push

import (
	"slices"
	"strings"
)

// account identifies, by the push address, the receiver of a push: a shop, a platform,
// or a shop of a platform.
type account struct{ component, shop string }

// appID returns the app ID at the end of the plaintext.
func (a account) appID() string {
	if a.component != "" {
		return a.component
	}
	return a.shop
}

// accountOf parses the path of a push address.
func accountOf(path string) (a account, ok bool) {
	parts := strings.Split(path, "/")[1:]
	switch {
	case len(parts) < 2 || parts[0] != "push" || slices.ContainsFunc(parts, func(p string) bool { return !isName(p) }):
		return account{}, false
	case parts[1] != "component":
		return account{shop: parts[1]}, len(parts) == 2
	case len(parts) == 3:
		return account{component: parts[2]}, true
	case len(parts) == 4:
		return account{component: parts[2], shop: parts[3]}, true
	}
	return account{}, false
}
