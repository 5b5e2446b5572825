// Package cli is the command line of orderwalk. A command reads its flags and
// the configuration, wires the other packages together, and turns their result
// into a message and an exit code.
//
// The package holds no logic about orders, windows or transactions. Only main
// uses it. It is the only importer of internal/config, so that all other
// packages take plain fields.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"

	"github.com/spf13/cobra"

	"orderwalk/internal/config"
	"orderwalk/internal/kafkaconn"
)

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// Streams are the outputs of a command.
type Streams struct {
	// Out receives the command's output, Err the log, progress and errors.
	Out, Err io.Writer
}

// Main runs the command that args name and returns the exit code: 0 done, 1
// failed, 2 wrong usage or configuration. When ctx ends, the command stops in
// order, which is not a failure.
func Main(ctx context.Context, args []string, streams Streams) int {
	// net/http logs unsolicited responses, which may hold a token, with the
	// standard logger. This program does not use that logger.
	log.SetOutput(io.Discard)
	root := commandTree(streams)
	root.SetArgs(append([]string{}, args...)) // nil would mean the arguments of the process
	cmd, err := root.ExecuteContextC(ctx)
	return report(cmd, err, streams.Err)
}

// usageError is an invalid command line.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

// wrongConfiguration is an error caused by configuration faults that have been
// printed already.
type wrongConfiguration struct{ error }

// errNoCommand reports a command line without a command.
var errNoCommand = errors.New("no command is given")

// report writes the error, if any, and returns the exit code.
func report(cmd *cobra.Command, err error, w io.Writer) int {
	var usage *usageError
	var faults *config.Error
	var printed *wrongConfiguration
	var logged *loggedError
	name := cmd.CommandPath()
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &logged):
		return exitFailed
	case errors.Is(err, errNoCommand):
		fmt.Fprint(w, helpText(cmd))
		return exitUsage
	case errors.As(err, &usage):
		fmt.Fprintf(w, "%s: %v\nSee `%s --help`.\n", name, err, name)
		return exitUsage
	case errors.As(err, &faults), errors.As(err, &printed):
		fmt.Fprintf(w, "%s: %v\nSee `orderwalk config` for every variable.\n", name, err)
		return exitUsage
	}
	if _, screen := terminal(w); screen && errors.Is(err, errInterrupted) {
		fmt.Fprintln(w) // after the terminal's ^C
	}
	fmt.Fprintf(w, "%s: %v\n", name, kafkaconn.Worded(err))
	if hint := hintFor(err); hint != "" {
		fmt.Fprintf(w, "Hint: %s\n", hint)
	}
	return exitFailed
}
