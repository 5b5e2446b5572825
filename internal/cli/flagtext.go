package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// flagError rewords an error of the flag parser in the style of the other texts
// and adds the flag that was probably meant.
func flagError(cmd *cobra.Command, err error) error {
	if word := cmd.Flags().Arg(0); word != "" && !cmd.HasParent() {
		return noArguments(cmd, []string{word}) // an unknown command: its flags cannot be checked
	}
	var unknown *pflag.NotExistError
	var alone *pflag.ValueRequiredError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.Is(err, pflag.ErrHelp):
		return err
	case errors.As(err, &unknown):
		return unknownFlag(cmd, unknown)
	case errors.As(err, &alone):
		f := alone.GetFlag()
		return &usageError{fmt.Sprintf("--%s: give a %s", f.Name, kindOf(f))}
	case errors.As(err, &invalid):
		f := invalid.GetFlag()
		if f.Value.Type() == "func" { // its function describes the fault
			return &usageError{fmt.Sprintf("--%s: %v", f.Name, errors.Unwrap(invalid))}
		}
		return &usageError{fmt.Sprintf("--%s: %q is not valid; give a %s", f.Name, invalid.GetValue(), kindOf(f))}
	}
	return &usageError{err.Error()}
}

// unknownFlag returns the error of a flag that the command does not have, or of a
// flag with a single dash: the parser reads -follow as one-letter flags.
func unknownFlag(cmd *cobra.Command, err *pflag.NotExistError) error {
	dash, name := "--", err.GetSpecifiedName()
	if letters := err.GetSpecifiedShortnames(); letters != "" {
		dash = "-"
		name, _, _ = strings.Cut(letters, "=")
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	if dash == "-" && name == "elp" {
		name = "help" // the parser has consumed -h, which is a flag
	}
	return &usageError{"unknown flag " + dash + name + didYouMean("--", name, names)}
}

// kindOf describes the value of a flag.
func kindOf(f *pflag.Flag) string {
	switch f.Value.Type() {
	case "bool":
		return "value: true or false"
	case "duration":
		return "duration, such as 50ms or 1m30s"
	}
	kind, _ := pflag.UnquoteUsage(f)
	return kind
}
