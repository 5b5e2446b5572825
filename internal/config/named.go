package config

import (
	"cmp"
	"os"

	"github.com/kelseyhightower/envconfig"
)

// Named is a configured shop with the names that commands accept: its name, which
// selects one time range, or its app ID.
type Named struct{ Name, AppID, TimeRange string }

// NamedShops returns the configured shops for commands that only read topics. It
// ignores all other settings and their faults. The result is empty if no shop is
// configured or the file cannot be read. The defaults are as in Load.
func NamedShops(defaults map[string]string) []Named {
	var env environment
	if err := envconfig.Process(prefix, &env); err != nil {
		return nil
	}
	fillDefaults(&env, defaults)
	if env.ShopsFile == "" {
		if env.AppID == "" {
			return nil
		}
		return []Named{{env.AppID, env.AppID, env.TimeRange}}
	}
	data, err := os.ReadFile(env.ShopsFile)
	if err != nil {
		return nil
	}
	listed, _ := parseShops(data)
	var shops []Named
	for _, fields := range listed {
		appID := cmp.Or(fields["app_id"], env.AppID)
		if appID != "" {
			shops = append(shops, Named{cmp.Or(fields["name"], appID), appID, cmp.Or(fields["time_range"], env.TimeRange)})
		}
	}
	return shops
}
