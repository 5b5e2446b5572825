package cli

import (
	"errors"
	"slices"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"orderwalk/internal/config"
	"orderwalk/internal/fleet"
	"orderwalk/internal/wechat"
)

// onlyShops returns the configuration with the shops that words name, and what belongs
// to them.
func onlyShops(cfg *config.Config, words []string) (*config.Config, error) {
	known := withAuthorized(cfg, words)
	shops := make([]fleet.Shop, len(known))
	byName := make(map[string]config.Shop, len(known))
	for i, s := range known {
		shops[i].Name, shops[i].AppID = s.Name, s.AppID
		byName[s.Name] = s
	}
	picked, err := pickShops(shops, words)
	var unknown *shopError
	if errors.As(err, &unknown) {
		return nil, &shopError{"--shop: " + unknown.text, unknown.hint + " (check knows only the shops that are configured here)"}
	}
	some := *cfg
	some.Shops, some.Component, some.Authorized = nil, config.Component{}, nil
	for _, p := range picked {
		s := byName[p.Name]
		some.Shops = append(some.Shops, s)
		if s.Auth == wechat.AuthComponent {
			some.Component = cfg.Component
		}
	}
	some.OrdersTopics = topicsOf(some.Shops)
	return &some, err
}

// withAuthorized returns the configured shops, and those that words name and that are
// walked if they have authorised the platform.
func withAuthorized(cfg *config.Config, words []string) []config.Shop {
	if cfg.Authorized == nil {
		return cfg.Shops
	}
	all := slices.Clone(cfg.Shops)
	taken := make(map[string]bool, len(all))
	for _, s := range all {
		taken[s.AppID], taken[s.Name] = true, true
	}
	for _, word := range words {
		if s, ok := cfg.Authorized.Find(word); ok && !taken[s.AppID] && !taken[s.Name] {
			taken[s.AppID], taken[s.Name] = true, true
			all = append(all, s)
		}
	}
	return all
}

// configuredShops completes the names of the shops that are configured here.
func configuredShops(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var names []cobra.Completion
	for _, s := range config.NamedShops(nil) {
		names = append(names, cobra.CompletionWithDesc(s.Name, s.AppID+" "+s.TimeRange))
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// inOrder calls do for each number below n, so many at once, and passes the results on
// in the order of the numbers, each as soon as those before it are there.
func inOrder[T any](n, atOnce int, do func(i int) T, use func(i int, result T)) {
	results := make([]chan T, n)
	for i := range results {
		results[i] = make(chan T, 1)
	}
	var doing errgroup.Group
	doing.SetLimit(atOnce)
	started := make(chan struct{})
	go func() {
		defer close(started)
		for i := range n {
			doing.Go(func() error {
				results[i] <- do(i)
				return nil
			})
		}
	}()
	for i := range n {
		use(i, <-results[i])
		results[i] = nil
	}
	<-started
	_ = doing.Wait() // no function returns an error
}
