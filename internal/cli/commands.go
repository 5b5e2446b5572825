package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"orderwalk/internal/config"
)

const rootAbout = `
orderwalk publishes the order IDs of WeChat Shops to Kafka, each exactly once.
`

const rootNotes = `
` + "`orderwalk <command> --help`" + ` explains a command and its flags.
The settings of run are environment variables: see ` + "`orderwalk config`" + `.
To try it, start with ` + "`orderwalk dev`" + `.
Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.
`

// commandTree returns orderwalk with all its commands, which write to streams.
func commandTree(streams Streams) *cobra.Command {
	root := &cobra.Command{
		Use: "orderwalk <command> [flags]", Long: rootAbout, DisableFlagsInUseLine: true,
		Example: `
  orderwalk dev               run everything on this machine
  orderwalk check             check the configuration
  orderwalk tail --follow     watch the orders
`,
		Args: noArguments,
		// report prints errors.
		SilenceErrors: true, SilenceUsage: true,
	}
	root.SetOut(streams.Out)
	root.SetErr(streams.Err)
	version := root.Flags().Bool("version", false, "print version, commit and Go version")
	root.RunE = func(*cobra.Command, []string) error {
		if *version {
			return writeVersion(streams.Out)
		}
		return errNoCommand
	}

	for _, group := range []struct {
		title    string
		commands []*cobra.Command
	}{
		{"Run", []*cobra.Command{devCommand(streams), runCommand(streams), simulateCommand(streams)}},
		{"Look", []*cobra.Command{checkCommand(streams), healthCommand(streams), planCommand(streams), statusCommand(streams), tailCommand(streams)}},
		{"Steer", []*cobra.Command{pauseCommand(streams), resumeCommand(streams), stopCommand(streams), restartCommand(streams), offsetsCommand(streams)}},
		{"Learn", []*cobra.Command{completionCommand(streams), configCommand(streams), versionCommand(streams)}},
	} {
		root.AddGroup(&cobra.Group{ID: group.title, Title: group.title})
		for _, cmd := range group.commands {
			cmd.GroupID = group.title
			root.AddCommand(cmd)
		}
	}
	root.SetHelpCommand(helpCommand(root, streams))
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { fmt.Fprint(streams.Out, helpText(cmd)) })
	root.SetFlagErrorFunc(flagError)
	root.CompletionOptions.DisableDefaultCmd = true // completionCommand takes its place
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	return root
}

// noArguments is the Args of commands that take flags only. For the root, an
// argument is an unknown command.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	kind := "unexpected argument"
	if !cmd.HasParent() {
		kind = "unknown command"
	}
	var names []string
	for _, c := range cmd.Commands() {
		names = append(names, c.Name())
	}
	return &usageError{fmt.Sprintf("%s %q%s", kind, args[0], didYouMean("", args[0], names))}
}

// didYouMean returns the candidate that a mistyped word most probably meant,
// with the given prefix; empty if none is close enough.
func didYouMean(before, word string, candidates []string) string {
	near := config.Nearest(word, candidates)
	if near == "" {
		return ""
	}
	return "; did you mean " + before + near + "?"
}

// choices makes the shell complete the values of a flag from a fixed list.
func choices(cmd *cobra.Command, flag string, values ...string) {
	completes(cmd, flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}

// completes makes the shell complete the values of a flag by a function.
func completes(cmd *cobra.Command, flag string, values cobra.CompletionFunc) {
	_ = cmd.RegisterFlagCompletionFunc(flag, values) // fails for a flag that is not defined
}

// completesFolders makes the shell complete the value of a flag with folders,
// completesFiles with files. By default the shell completes neither.
func completesFolders(cmd *cobra.Command, flag string) {
	_ = cmd.MarkFlagDirname(flag) // fails for a flag that is not defined
}

func completesFiles(cmd *cobra.Command, flag string) {
	completes(cmd, flag, func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveDefault
	})
}
