package cli

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"orderwalk/internal/fleet"
)

// mostListed is how many shops a result lists by name; more are counted.
const mostListed = 5

// steering is a command that changes what is wanted of shops.
type steering struct {
	verb, short, about string
	target             string // RUNNING, PAUSED or STOPPED; empty = a restart
	asks               bool   // --all needs a confirmation
}

func pauseCommand(streams Streams) *cobra.Command {
	return steerCommand(streams, steering{"pause", "stop reading shops for a while", `
A paused shop is not read until ` + "`orderwalk resume`" + `. Its state stays in memory.
The pause is kept by the group and survives restarts of the workers.
`, "PAUSED", true})
}

func resumeCommand(streams Streams) *cobra.Command {
	return steerCommand(streams, steering{"resume", "read paused or stopped shops again", `
A resumed shop goes on from its checkpoint: nothing is lost or published twice.
`, "RUNNING", false})
}

func stopCommand(streams Streams) *cobra.Command {
	return steerCommand(streams, steering{"stop", "stop reading shops and free what they hold", `
A stopped shop is not read until ` + "`orderwalk resume`" + `, and uses no memory.
Its checkpoint stays in Kafka, and may be altered while it is stopped.
`, "STOPPED", true})
}

func restartCommand(streams Streams) *cobra.Command {
	return steerCommand(streams, steering{"restart", "start shops again from their checkpoints", `
A restart helps a failed shop after its cause is removed. It publishes nothing
twice. A paused or stopped shop stays so.
`, "", true})
}

func steerCommand(streams Streams, s steering) *cobra.Command {
	cmd := &cobra.Command{
		Use: s.verb + " SHOP...|--all", Short: s.short, DisableFlagsInUseLine: true,
		Long: s.about + `
Shops are given by name or by app ID, which means all ranges of the shop. Any
worker of the group can be asked; all follow. If ` + tokenFileVariable + `
is set, its token is sent.
`,
		Example: "  orderwalk " + s.verb + " red-lantern\n  orderwalk " + s.verb + " --all --yes",
		Args:    cobra.ArbitraryArgs,
	}
	all := cmd.Flags().Bool("all", false, "all shops of the group")
	yes := cmd.Flags().Bool("yes", false, "do not ask for a confirmation")
	onlyFailed := new(bool)
	if s.target == "" {
		onlyFailed = cmd.Flags().Bool("only-failed", false, "only shops that failed or wait for the vendor")
	}
	worker := addWorkerFlags(cmd)
	cmd.ValidArgsFunction = worker.shopNames
	cmd.RunE = func(cmd *cobra.Command, words []string) error {
		if *all == (len(words) > 0) {
			return &usageError{"give shops by name or app ID, or --all"}
		}
		stdin, _ := cmd.InOrStdin().(*os.File)
		if *all && s.asks && !*yes && !canAsk(stdin) {
			return &usageError{"--all concerns every shop, and there is no terminal to ask for a confirmation; add --yes"}
		}
		client, err := worker.client(streams.Err)
		if err != nil {
			return err
		}
		call := steerCall{Target: s.target, OnlyFailed: *onlyFailed, All: *all}
		if *all {
			if s.asks && !*yes {
				if err := confirmAll(cmd.Context(), client, s.verb, stdin, streams.Err); err != nil {
					return err
				}
			}
		} else if call.Shops, err = exactNames(cmd.Context(), client, words); err != nil {
			return err
		}
		return call.make(cmd.Context(), client, s.verb, streams.Out)
	}
	return cmd
}

// steerCall is the body of PUT /shops/target and of POST /shops/restart.
type steerCall struct {
	Target     string   `json:"target,omitempty"`
	OnlyFailed bool     `json:"only_failed,omitempty"`
	All        bool     `json:"all,omitempty"`
	Shops      []string `json:"shops,omitempty"`
}

func (c steerCall) make(ctx context.Context, client *workerClient, verb string, out io.Writer) error {
	method, path := http.MethodPut, "/shops/target"
	if c.Target == "" {
		method, path = http.MethodPost, "/shops/restart"
	}
	var answer struct{ Shops int }
	if err := client.change(ctx, method, path, c, &answer); err != nil {
		return err
	}
	which := strings.Join(c.Shops, ", ")
	if c.All || len(c.Shops) > mostListed {
		which = fmt.Sprintf("%s %s", thousands(int64(answer.Shops)), plural(answer.Shops, "shop"))
	}
	if c.OnlyFailed {
		which += ", if failed"
	}
	_, err := fmt.Fprintf(out, "%s: %s\n", verb, which)
	return err
}

// shopsOf returns the shops that words name, as another worker may have changed them a
// moment ago.
func shopsOf(ctx context.Context, client *workerClient, words []string, pick func([]fleet.Shop, []string) ([]fleet.Shop, error)) ([]fleet.Shop, error) {
	var shops []fleet.Shop
	if err := client.get(ctx, "/shops?latest=true", &shops); err != nil {
		return nil, err
	}
	return pick(shops, words)
}

// exactNames returns the names of the shops that words name.
func exactNames(ctx context.Context, client *workerClient, words []string) ([]string, error) {
	picked, err := shopsOf(ctx, client, words, pickCertain)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(picked))
	for i, s := range picked {
		names[i] = s.Name
	}
	return names, nil
}

// confirmAll asks whether a command may concern every shop.
func confirmAll(ctx context.Context, client *workerClient, verb string, in io.Reader, out io.Writer) error {
	var names []string
	if err := client.get(ctx, "/connectors", &names); err != nil {
		return err
	}
	return confirm(ctx, fmt.Sprintf("%s all %s %s?", verb, thousands(int64(len(names))), plural(len(names), "shop")), in, out)
}
