package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"orderwalk/internal/config"
)

const checkAbout = `
It checks everything that run needs: the configuration; for each app ID a token,
one list call and the day's quota; the clocks; Kafka, its topics, and the rights
of this client. It prints a line for each check, and what to do if one fails.

It publishes nothing, creates no topic and disturbs no worker, with one
exception: with auth token, each new token invalidates the one before. Shops of
a third-party platform are called only if run has stored their token. While it
waits for the API or for Kafka, it says so on stderr. The last line counts the
checks that passed and failed.

If ORDERWALK_KAFKA_BROKERS is unset, it checks the orderwalk dev that runs in
--data.

Exit code 1 if a check fails, 2 if the configuration is invalid.
`

const checkExamples = `
  orderwalk check
  orderwalk check | grep -v '^ok'     only the failures, of many shops
  orderwalk check --json
`

// checkLimit bounds the requests of one check.
const checkLimit = 20 * time.Second

// checkCommand checks the configuration.
func checkCommand(streams Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use: "check", Short: "check the configuration: API, Kafka, topics and rights",
		Long: checkAbout, Example: checkExamples, Args: noArguments,
	}
	asJSON := cmd.Flags().Bool("json", false, "print one JSON object instead of lines")
	data := dataFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		settings, err := data.settings(streams.Err, "ORDERWALK_KAFKA_BROKERS")
		if err != nil {
			return err
		}
		return runCheck(cmd.Context(), streams, settings, *asJSON)
	}
	return cmd
}

func runCheck(ctx context.Context, c Streams, settings map[string]string, asJSON bool) error {
	k := checkup{streams: c, asJSON: asJSON, out: c.Out, over: func() bool { return ctx.Err() != nil }}
	if asJSON {
		k.out = io.Discard
	}
	k.run(ctx, settings)
	if asJSON {
		if err := k.writeJSON(c.Out); err != nil {
			return err
		}
	}
	failed := 0
	for _, f := range k.findings {
		if !f.OK {
			failed++
		}
	}
	all := len(k.findings)
	if ctx.Err() != nil {
		return errInterrupted
	}
	result := "all passed"
	if failed > 0 {
		result = fmt.Sprintf("%s passed, %s failed", thousands(int64(all-failed)), thousands(int64(failed)))
	}
	fmt.Fprintf(k.out, "%s %s: %s\n", thousands(int64(all)), plural(all, "check"), result)
	if failed > 0 {
		err := fmt.Errorf("%s of %s checks failed", thousands(int64(failed)), thousands(int64(all)))
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

// finding is the outcome of one check.
type finding struct {
	Check  string   `json:"check"` // the subject, such as "topic wechat.orders"
	OK     bool     `json:"ok"`
	Detail string   `json:"detail,omitempty"` // the result, or the problem
	Do     []string `json:"do,omitempty"`     // what to do about the problem, a line each
}

// checkup prints the findings as they are found.
type checkup struct {
	streams  Streams
	asJSON   bool
	out      io.Writer
	over     func() bool // reports whether the command was interrupted; later findings are invalid
	findings []finding
	// configured reports that the configuration has no faults; otherwise no other
	// check is made.
	configured bool
}

func (k *checkup) ok(check, detail string) { k.add(finding{Check: check, OK: true, Detail: detail}) }

func (k *checkup) failed(check, detail string, do ...string) {
	k.add(finding{Check: check, Detail: detail, Do: do})
}

func (k *checkup) add(f finding) {
	if k.over() {
		return
	}
	k.findings = append(k.findings, f)
	word := "failed"
	if f.OK {
		word = "ok"
	}
	fmt.Fprintln(k.out, strings.TrimRight(fmt.Sprintf("%-7s %-28s %s", word, f.Check, f.Detail), " "))
	for _, line := range f.Do {
		fmt.Fprintf(k.out, "        → %s\n", line)
	}
}

func (k *checkup) writeJSON(w io.Writer) error {
	answer := struct {
		OK     bool      `json:"ok"`
		Checks []finding `json:"checks"`
	}{true, k.findings}
	for _, f := range k.findings {
		answer.OK = answer.OK && f.OK
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(answer); err != nil {
		return fmt.Errorf("write findings: %w", err)
	}
	return nil
}

// run performs the checks in the order in which `orderwalk run` would fail.
// The defaults apply to unset variables.
func (k *checkup) run(ctx context.Context, defaults map[string]string) {
	cfg, err := config.Load(defaults)
	if err != nil {
		var faults *config.Error
		if !errors.As(err, &faults) {
			k.failed("configuration", err.Error())
			return
		}
		var do []string
		for _, f := range faults.Faults {
			do = append(do, f.String())
		}
		k.failed("configuration", strings.TrimSuffix(strings.SplitN(err.Error(), "\n", 2)[0], ":"), do...)
		return
	}
	k.configured = true
	k.ok("configuration", fmt.Sprintf("group %s, %s", cfg.Group, count(len(cfg.Shops), "shop")))
	k.api(ctx, cfg)
	// Findings show failures; the log shows waits, which come before a finding.
	waits := slog.New(slog.NewTextHandler(k.streams.Err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	k.kafka(ctx, cfg, waits)
}

// count returns a number with its noun, such as "6 partitions".
func count(n int, word string) string { return fmt.Sprintf("%d %s", n, plural(n, word)) }
