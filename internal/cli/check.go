package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"orderwalk/internal/config"
)

const checkAbout = `
It checks everything that run needs: the configuration; for each app ID a token,
one list call and the day's quota; the clocks; Kafka, its topics, and the rights
of this client. It prints a line for each check, and what to do if one fails; if
many shops need the same, once. The last line counts the checks that passed and
failed.

--shop limits the checks of shops and topics to these shops. Names and app IDs
are those of the configuration, or of shops that may authorise the platform; an
app ID means all ranges of its shop. The faults of the shops file are all
listed, with line, name and app ID.

It publishes nothing, creates no topic and disturbs no worker, with one
exception: with auth token, each new token invalidates the one before. Shops of
a third-party platform are called only if run has stored their token. While it
waits for the API or for Kafka, it says so on stderr; if that is a terminal, it
shows the progress there.

If ORDERWALK_KAFKA_BROKERS is unset, it checks the orderwalk dev that runs in
--data.

Exit code 1 if a check fails, 2 if the configuration is invalid.
`

const checkExamples = `
  orderwalk check
  orderwalk check --failed
  orderwalk check --shop red-lantern --shop wx0123456789abcdef
  orderwalk check --failed --json | jq -r '.checks[].shop // empty' | sort -u
`

// checkLimit bounds the requests of one check.
const checkLimit = 20 * time.Second

// checkCommand checks the configuration.
func checkCommand(streams Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use: "check", Short: "check the configuration: API, Kafka, topics and rights",
		Long: checkAbout, Example: checkExamples, Args: noArguments,
	}
	var asked checking
	flags := cmd.Flags()
	flags.BoolVar(&asked.onlyFailed, "failed", false, "print only the checks that failed, and the counts")
	flags.StringArrayVar(&asked.shops, "shop", nil, "check only this `shop`, by its name or its app ID; may be repeated")
	flags.BoolVar(&asked.asJSON, "json", false, "print one JSON object instead of lines")
	data := dataFlag(cmd)
	completes(cmd, "shop", configuredShops)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		settings, err := data.settings(streams.Err, "ORDERWALK_KAFKA_BROKERS")
		if err != nil {
			return err
		}
		return runCheck(cmd.Context(), streams, settings, asked)
	}
	return cmd
}

// checking holds the flags of check.
type checking struct {
	onlyFailed, asJSON bool
	shops              []string // names or app IDs; none = all
}

func runCheck(ctx context.Context, c Streams, settings map[string]string, asked checking) error {
	k := checkup{streams: c, asked: asked, out: c.Out, over: func() bool { return ctx.Err() != nil }}
	if asked.asJSON {
		k.out = io.Discard
	}
	if err := k.run(ctx, settings); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return errInterrupted // JSON would say that all is well
	}
	if asked.asJSON {
		if err := k.writeJSON(c.Out); err != nil {
			return err
		}
	}
	k.verdict()
	if k.failures > 0 {
		err := fmt.Errorf("%s of %s checks failed", thousands(int64(k.failures)), thousands(int64(len(k.findings))))
		if !k.configured {
			return &wrongConfiguration{err}
		}
		return err
	}
	return nil
}

// errInterrupted reports that a command was interrupted before it had a
// result.
var errInterrupted = errors.New("interrupted before it was finished")

// run performs the checks in the order in which `orderwalk run` would fail.
// The defaults apply to unset variables. Its error means that what was asked for
// cannot be checked.
func (k *checkup) run(ctx context.Context, defaults map[string]string) error {
	cfg, err := config.Load(defaults)
	if err != nil {
		k.unconfigured(err)
		return nil
	}
	k.configured = true
	shops := count(len(cfg.Shops), "shop")
	if len(k.asked.shops) > 0 {
		all := cfg
		if cfg, err = onlyShops(all, k.asked.shops); err != nil {
			return err
		}
		if shops = count(len(cfg.Shops), "shop"); all.Authorized == nil {
			shops = fmt.Sprintf("%s of %s", thousands(int64(len(cfg.Shops))), count(len(all.Shops), "shop"))
		}
	}
	k.ok("configuration", fmt.Sprintf("group %s, %s", cfg.Group, shops))
	k.api(ctx, cfg)
	// Findings show failures; the log shows waits, which come before a finding.
	waits := slog.New(slog.NewTextHandler(k.streams.Err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	k.kafka(ctx, cfg, waits)
	return nil
}

// count returns a number with its noun, such as "10,000 shops".
func count(n int, word string) string { return thousands(int64(n)) + " " + plural(n, word) }
