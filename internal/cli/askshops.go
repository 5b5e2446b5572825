package cli

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"

	"orderwalk/internal/config"
	"orderwalk/internal/fleet"
)

// Time that a command waits for a worker whose answer it can do without.
const (
	completionTimeout = time.Second
	namesTimeout      = 6 * time.Second
)

// shopNames completes names of shops: those that are configured here, and those that the
// worker knows, if it answers soon.
func (f workerFlags) shopNames(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var names []cobra.Completion
	known := make(map[string]bool)
	for _, s := range config.NamedShops(nil) {
		known[s.Name] = true
		names = append(names, cobra.CompletionWithDesc(s.Name, s.AppID+" "+s.TimeRange))
	}
	client, err := f.client(io.Discard)
	if err != nil {
		return names, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
	defer cancel()
	var ofWorker []string
	if client.call(ctx, "GET", "/connectors", "", nil, &ofWorker) == nil {
		for _, name := range ofWorker {
			if !known[name] {
				names = append(names, name)
			}
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// askShops returns all shops of the group, those that were created over REST too.
func askShops(ctx context.Context, client *workerClient) (shops []fleet.Shop, err error) {
	ctx, cancel := context.WithTimeout(ctx, namesTimeout)
	defer cancel()
	return shops, client.call(ctx, "GET", "/shops", "", nil, &shops)
}
