package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"orderwalk/internal/config"
	"orderwalk/simulator"
)

const faultsAbout = `
Each fault has a name and a value: the first of several words is the default, a
rate is a share of calls from 0 to 1 (or 20%), a duration is such as 1m30s. A
fault that is on or off needs no value.

PATCH /simulator/faults changes them while the API is served, with JSON such as
{"random_606006_rate": 0.2}.
`

const faultsExamples = `
  orderwalk simulate faults | grep -A 2 606006
  orderwalk simulate --fault random_606006_rate=20% --fault ids_as_number
  orderwalk simulate --fault chaos=0.5
`

// chaosMeaning is the meaning of chaos, the --fault that enables several faults.
const chaosMeaning = "all faults that lose no data, at once: 1 fails about one list call in six, lower values proportionally fewer"

// faultsCommand lists the faults of the simulated API.
func faultsCommand(streams Streams) *cobra.Command {
	return &cobra.Command{
		Use: "faults", Short: "list the faults that can be enabled",
		Long: faultsAbout, Example: faultsExamples, Args: noArguments,
		RunE: func(*cobra.Command, []string) error {
			_, err := io.WriteString(streams.Out, faultList())
			return err
		},
	}
}

// faultList lists the name, the values and the meaning of each fault.
func faultList() string {
	var b strings.Builder
	const indent = "    "
	entry := func(name, values, meaning string) {
		fmt.Fprintf(&b, "%-24s %s\n%s", name, values, wrap(indent, indent, meaning))
	}
	entry("chaos", "rate (default 1)", chaosMeaning)
	for _, f := range simulator.FaultNames() {
		values := strings.ReplaceAll(f.Type, "|", ", ")
		switch f.Type {
		case "bool":
			values = "on or off"
		case "int":
			values = "number"
		}
		entry(f.Name, values, f.Meaning)
	}
	return b.String()
}

// parseFault reads one --fault.
func parseFault(text string) (func(*simulator.Faults), error) {
	change, err := simulator.ParseFault(text)
	var unknown *simulator.UnknownFaultError
	if !errors.As(err, &unknown) {
		return change, err
	}
	names := []string{"chaos"}
	for _, f := range simulator.FaultNames() {
		names = append(names, f.Name)
	}
	if near := config.Nearest(unknown.Name, names); near != "" {
		return nil, fmt.Errorf("%w; did you mean %s?", err, near)
	}
	return nil, fmt.Errorf("%w; orderwalk simulate faults lists them", err)
}

// completeFault completes one --fault: its name, then its value if that is one of
// a few words.
func completeFault(_ *cobra.Command, _ []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
	name, _, named := strings.Cut(begun, "=")
	all := []cobra.Completion{cobra.CompletionWithDesc("chaos", chaosMeaning)}
	for _, f := range simulator.FaultNames() {
		if named && name == f.Name && strings.Contains(f.Type, "|") {
			var full []cobra.Completion
			for value := range strings.SplitSeq(f.Type, "|") {
				full = append(full, name+"="+value)
			}
			return full, cobra.ShellCompDirectiveNoFileComp
		}
		takes := "="
		if f.Type == "bool" {
			takes = ""
		}
		all = append(all, cobra.CompletionWithDesc(f.Name+takes, f.Meaning))
	}
	return all, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}
