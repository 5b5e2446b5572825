package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

const completionAbout = `
The script completes commands, flags, and known values of flags. Bash needs the
package bash-completion; zsh needs "autoload -U compinit; compinit" in ~/.zshrc.
`

const completionExamples = `
  source <(orderwalk completion bash)            # in ~/.bashrc
  orderwalk completion zsh > "${fpath[1]}/_orderwalk"
  orderwalk completion fish > ~/.config/fish/completions/orderwalk.fish
`

// completionCommand prints the completion script for a shell.
func completionCommand(streams Streams) *cobra.Command {
	shells := []string{"bash", "zsh", "fish"}
	return &cobra.Command{
		Use: "completion " + strings.Join(shells, "|"), Short: "print the completion script of a shell",
		Long: completionAbout, Example: completionExamples, DisableFlagsInUseLine: true,
		ValidArgs: shells,
		Args: func(_ *cobra.Command, args []string) error {
			switch len(args) {
			case 0:
				return &usageError{"give a shell: bash, zsh or fish"}
			case 1:
				return nil
			}
			return &usageError{fmt.Sprintf("unexpected argument %q", args[1])}
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			switch root := cmd.Root(); args[0] {
			case "bash":
				return root.GenBashCompletionV2(streams.Out, true)
			case "zsh":
				return root.GenZshCompletion(streams.Out)
			case "fish":
				return root.GenFishCompletion(streams.Out, true)
			}
			return &usageError{fmt.Sprintf("%q is not valid; give bash, zsh or fish%s", args[0], didYouMean("", args[0], shells))}
		},
	}
}
