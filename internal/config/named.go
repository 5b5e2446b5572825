package config

import (
	"cmp"
	"os"

	"github.com/kelseyhightower/envconfig"
)

// Named is a configured shop as commands may call it: by its name, which means
// one of its ranges, or by its app ID.
type Named struct{ Name, AppID, TimeRange string }

// NamedShops lists the configured shops for a command that reads topics: what
// else is configured of them, and whether it is at fault, does not matter. It is
// empty where no shop is configured, or none can be read. The defaults are as in
// Load.
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
