package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// helpWidth is the width of help texts in columns, which every terminal has.
const helpWidth = 80

// helpCommand is `orderwalk help tail`, the same as `orderwalk tail --help`.
func helpCommand(root *cobra.Command, streams Streams) *cobra.Command {
	return &cobra.Command{
		Use: "help [command]", Short: "explain a command", Hidden: true,
		Example: "  orderwalk help tail\n  orderwalk tail --help     the same",
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			if err == nil {
				err = noArguments(cmd, rest)
			}
			if err != nil {
				return err
			}
			fmt.Fprint(streams.Out, helpText(cmd))
			return nil
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			cmd, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var names []cobra.Completion
			for _, c := range cmd.Commands() {
				if c.IsAvailableCommand() {
					names = append(names, cobra.CompletionWithDesc(c.Name(), c.Short))
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
	}
}

// helpText explains a command: what it does, how it is called, its commands,
// examples and flags.
func helpText(cmd *cobra.Command) string {
	cmd.InitDefaultHelpFlag()
	var b strings.Builder
	if cmd.Short != "" {
		fmt.Fprintf(&b, "%s: %s\n", cmd.CommandPath(), cmd.Short)
	}
	part := func(title, text string) {
		if text = strings.Trim(text, "\n"); text == "" {
			return
		}
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		if title != "" {
			b.WriteString(title + ":\n")
		}
		b.WriteString(text + "\n")
	}
	part("", cmd.Long)
	part("", "Usage: "+cmd.UseLine())
	commandLists(cmd, part)
	part("Examples", cmd.Example)
	for _, g := range flagGroups(cmd) {
		part(g.title, g.flags.FlagUsagesWrapped(helpWidth))
	}
	if !cmd.HasParent() {
		part("", rootNotes)
	}
	return b.String()
}

// commandLists lists the commands of a command, in their groups.
func commandLists(cmd *cobra.Command, part func(title, text string)) {
	lists := map[string]string{}
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			lists[c.GroupID] += fmt.Sprintf("  %-11s %s\n", c.Name(), c.Short)
		}
	}
	for _, g := range cmd.Groups() {
		part(g.Title, lists[g.ID])
	}
	part("Commands", lists[""])
}

// heading groups flags of a command under a heading in its help.
func heading(cmd *cobra.Command, title string, flags ...string) {
	for _, name := range flags {
		_ = cmd.Flags().SetAnnotation(name, flagHeading, []string{title}) // fails for a flag that is not defined
	}
}

// flagHeading is the annotation of a flag with its heading.
const flagHeading = "orderwalk_heading"

// flagGroup are the flags under one heading.
type flagGroup struct {
	title string
	flags *pflag.FlagSet
}

// flagGroups returns the flags of a command in the order of their definition,
// those without a heading first.
func flagGroups(cmd *cobra.Command) []flagGroup {
	groups := []flagGroup{{"Flags", unsorted()}}
	all := cmd.Flags()
	all.SortFlags = false
	all.VisitAll(func(f *pflag.Flag) {
		title := "Flags"
		if given := f.Annotations[flagHeading]; len(given) > 0 {
			title = given[0]
		}
		i := slices.IndexFunc(groups, func(g flagGroup) bool { return g.title == title })
		if i < 0 {
			i = len(groups)
			groups = append(groups, flagGroup{title, unsorted()})
		}
		groups[i].flags.AddFlag(f)
	})
	return groups
}

func unsorted() *pflag.FlagSet {
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.SortFlags = false
	return flags
}
