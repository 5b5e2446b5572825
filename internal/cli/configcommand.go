package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"orderwalk/internal/config"
)

const configExamples = `
  orderwalk config | less
  orderwalk config --format env > orderwalk.env     # a file to fill in
`

// configCommand prints the documentation of the environment.
func configCommand(streams Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use: "config", Short: "list every variable with its type, default and meaning",
		Example: configExamples, Args: noArguments,
	}
	format := cmd.Flags().String("format", "text", "list as `text|md|env`: for a terminal, as a table in Markdown, or as a file to fill in")
	choices(cmd, "format", "text", "md", "env")
	cmd.RunE = func(*cobra.Command, []string) error { return listVariables(streams.Out, *format) }
	return cmd
}

func listVariables(w io.Writer, format string) error {
	write, ok := map[string]func(io.Writer) error{
		"text": config.WriteText, "md": config.WriteMarkdown, "env": config.WriteEnv,
	}[format]
	if !ok {
		return &usageError{fmt.Sprintf("--format: %q is not valid; give text, md or env", format)}
	}
	if err := write(w); err != nil {
		return fmt.Errorf("write variables: %w", err)
	}
	return nil
}
