// Package cli is the command line of orderwalk: it picks the command, reads
// its flags and the configuration, puts the other packages together and turns
// what comes of it into a message and an exit code.
//
// It holds no logic of its own about orders, windows or transactions. Only
// main uses it; it is the one package that imports internal/config, so that
// everything below takes plain fields.
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"strings"

	"orderwalk/internal/config"
	"orderwalk/internal/kafkaconn"
)

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// Streams are where a command writes.
type Streams struct {
	// Out gets what was asked for, Err the log, progress and errors.
	Out, Err io.Writer
}

// command is one word of the command line.
type command struct {
	name    string
	summary string
	run     func(ctx context.Context, c *call) error
}

func commands() []command {
	return []command{
		{"run", "walk the shops and publish their orders", runCommand},
		{"dev", "all of it on this machine: Kafka, the API and the connector", devCommand},
		{"simulate", "serve a simulated order-list API", simulateCommand},
		{"check", "try the configuration: API, Kafka, topics and rights", checkCommand},
		{"plan", "tell what a range will take, without publishing", planCommand},
		{"tail", "print the orders topic, committed records only", tailCommand},
		{"health", "ask the worker of this machine whether it is well", healthCommand},
		{"config", "list every variable with its type, default and meaning", configCommand},
		{"version", "print version, commit and Go version", versionCommand},
	}
}

// Main runs the command that args name and returns the exit code: 0 done, 1
// failed, 2 wrong usage or configuration. When ctx ends, the command stops in
// order; that is no failure.
func Main(ctx context.Context, args []string, streams Streams) int {
	if len(args) == 0 {
		fmt.Fprint(streams.Err, usage())
		return exitUsage
	}
	// net/http prints what an API sends unasked, which may hold a token, on the
	// standard logger. Nothing of ours writes there.
	log.SetOutput(io.Discard)
	name, rest := args[0], args[1:]
	switch name {
	case "help", "-h", "-help", "--help":
		if len(rest) == 0 {
			fmt.Fprint(streams.Out, usage())
			return exitDone
		}
		name, rest = rest[0], []string{"--help"}
	}

	var names []string
	for _, cmd := range commands() {
		names = append(names, cmd.name)
		if cmd.name == name {
			err := cmd.run(ctx, newCall(cmd, rest, streams))
			return report(name, err, streams.Err)
		}
	}
	fmt.Fprintf(streams.Err, "orderwalk: unknown command %q", name)
	if near := config.Nearest(name, names); near != "" {
		fmt.Fprintf(streams.Err, "; did you mean %s?", near)
	}
	fmt.Fprint(streams.Err, "\nSee `orderwalk --help`.\n")
	return exitUsage
}

func usage() string {
	var b strings.Builder
	b.WriteString("orderwalk publishes the order IDs of WeChat Shops to Kafka, each exactly once.\n\nUsage: orderwalk <command> [flags]\n\n")
	for _, c := range commands() {
		fmt.Fprintf(&b, "  %-9s %s\n", c.name, c.summary)
	}
	b.WriteString("\n`orderwalk <command> --help` shows its flags. The settings of run are variables of\n" +
		"the environment: see `orderwalk config`. To see it work, start with `orderwalk dev`.\n")
	return b.String()
}

// call is one use of a command: its flags, and where it writes.
type call struct {
	Streams
	// flags of the command; the command adds its own, then calls parse.
	flags *flag.FlagSet
	cmd   command
	args  []string
}

func newCall(cmd command, args []string, streams Streams) *call {
	flags := flag.NewFlagSet(cmd.name, flag.ContinueOnError)
	flags.SetOutput(io.Discard) // parse reports
	return &call{Streams: streams, flags: flags, cmd: cmd, args: args}
}

// parse reads the flags; no command takes other arguments. The notes come
// after the flags in the answer to --help.
func (c *call) parse(notes string) error {
	err := c.flags.Parse(c.args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(c.Out, "orderwalk %s: %s\n", c.cmd.name, c.cmd.summary)
		fmt.Fprint(c.Out, c.flagTexts())
		if notes != "" {
			fmt.Fprint(c.Out, "\n"+strings.TrimSpace(notes)+"\n")
		}
		return flag.ErrHelp
	}
	if err != nil {
		return flagFault(c.flags, err)
	}
	if c.flags.NArg() > 0 {
		return &usageError{fmt.Sprintf("unexpected argument %q", c.flags.Arg(0))}
	}
	return nil
}

// isSet tells whether the flag was given.
func (c *call) isSet(name string) bool {
	set := false
	c.flags.Visit(func(f *flag.Flag) { set = set || f.Name == name })
	return set
}

func (c *call) flagTexts() string {
	var b strings.Builder
	c.flags.VisitAll(func(f *flag.Flag) {
		kind, text := flag.UnquoteUsage(f)
		name := "--" + f.Name
		if kind != "" {
			name += " " + kind
		}
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" {
			text += " (default " + f.DefValue + ")"
		}
		fmt.Fprintf(&b, "  %-24s %s\n", name, text)
	})
	if b.Len() == 0 {
		return ""
	}
	return "\nFlags:\n" + b.String()
}

// usageError is a command line that cannot be meant.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

// report writes the error, if there is one, and returns the exit code.
func report(name string, err error, w io.Writer) int {
	var usage *usageError
	var faults *config.Error
	var logged *loggedError
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return exitDone
	case errors.As(err, &logged):
		return exitFailed
	case errors.As(err, &usage):
		fmt.Fprintf(w, "orderwalk %s: %v\nSee `orderwalk %s --help`.\n", name, err, name)
		return exitUsage
	case errors.As(err, &faults):
		fmt.Fprintf(w, "orderwalk %s: %v\nSee `orderwalk config` for every variable.\n", name, err)
		return exitUsage
	}
	if _, screen := terminal(w); screen && errors.Is(err, errInterrupted) {
		fmt.Fprintln(w) // after the terminal's ^C
	}
	fmt.Fprintf(w, "orderwalk %s: %v\n", name, kafkaconn.Worded(err))
	if hint := hintFor(err); hint != "" {
		fmt.Fprintf(w, "Hint: %s\n", hint)
	}
	return exitFailed
}
