package cli

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"orderwalk/internal/config"
)

const configAbout = `
With --effective it prints the effective configuration: each variable with its
value and whether that comes from the environment, then the shops. Secrets are
shown only as set or unset. If the configuration has faults, these follow, and
the exit code is 2.
`

const configExamples = `
  orderwalk config | less
  orderwalk config --effective | grep environment
  orderwalk config --format env > orderwalk.env     # a file to fill in
`

// configCommand prints the documentation of the environment, or the effective
// configuration.
func configCommand(streams Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use: "config", Short: "list every variable with its type, default and meaning",
		Long: configAbout, Example: configExamples, Args: noArguments,
	}
	effective := cmd.Flags().Bool("effective", false, "print the effective values and where they come from")
	format := cmd.Flags().String("format", "text", "list as `text|md|env`: for a terminal, as a table in Markdown, or as a file to fill in")
	choices(cmd, "format", "text", "md", "env")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if !*effective {
			return listVariables(streams.Out, *format)
		}
		if cmd.Flags().Changed("format") {
			return &usageError{"--effective and --format exclude each other"}
		}
		return writeEffective(streams.Out)
	}
	return cmd
}

func listVariables(w io.Writer, format string) error {
	write, ok := map[string]func(io.Writer) error{
		"text": writeVariables, "md": config.WriteMarkdown, "env": config.WriteEnv,
	}[format]
	if !ok {
		return &usageError{fmt.Sprintf("--format: %q is not valid; give text, md or env", format)}
	}
	if err := write(w); err != nil {
		return fmt.Errorf("write variables: %w", err)
	}
	return nil
}

// writeVariables lists the variables for a terminal: name, type and default,
// and under them the meaning.
func writeVariables(w io.Writer) error {
	const indent = "    "
	var b strings.Builder
	for i, v := range config.Variables() {
		if i > 0 {
			b.WriteByte('\n')
		}
		takes := v.Type
		switch v.Default {
		case "":
		case "required":
			takes += " (required)"
		default:
			takes += " (default " + v.Default + ")"
		}
		b.WriteString(wrap(v.Name+"  ", indent, takes))
		b.WriteString(wrap(indent, indent, v.Meaning))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeEffective lists the effective configuration and returns its faults.
func writeEffective(w io.Writer) error {
	settings, shops, faults := config.Effective()
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "VARIABLE\tFROM\tVALUE")
	for _, s := range settings {
		from := "default"
		if s.Given {
			from = "environment"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", s.Name, from, s.Value)
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	if err := writeShops(w, shops); err != nil {
		return fmt.Errorf("write shops: %w", err)
	}
	return faults
}

// shopsListed is the largest number of shops listed.
const shopsListed = 50

// writeShops lists the effective settings of the shops, if any.
func writeShops(w io.Writer, shops []config.Shop) error {
	if len(shops) == 0 {
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\n%s:\n", count(len(shops), "shop"))
	fmt.Fprintln(t, "NAME\tAPP ID\tAUTH\tRANGE\tTOPIC")
	for _, s := range shops[:min(len(shops), shopsListed)] {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", s.Name, s.AppID, s.Auth, s.TimeRange, cmp.Or(s.Topic, "–"))
	}
	if more := len(shops) - shopsListed; more > 0 {
		fmt.Fprintf(t, "and %s more\n", thousands(int64(more)))
	}
	return t.Flush()
}
