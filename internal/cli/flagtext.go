package cli

import (
	"flag"
	"fmt"
	"regexp"

	"orderwalk/internal/config"
)

// What the flag package says of a command line that cannot be read.
var (
	unknownFlag = regexp.MustCompile(`^flag provided but not defined: -(.*)$`)
	flagAlone   = regexp.MustCompile(`^flag needs an argument: -(.*)$`)
	flagValue   = regexp.MustCompile(`(?s)^invalid (?:boolean )?value ("(?:[^"\\]|\\.)*") for (?:flag )?-([^:]+): (.*)$`)
)

// flagFault puts an error of the flag package into the words of our texts, with
// two dashes and what was probably meant.
func flagFault(flags *flag.FlagSet, err error) error {
	text := err.Error()
	if m := unknownFlag.FindStringSubmatch(text); m != nil {
		var names []string
		flags.VisitAll(func(f *flag.Flag) { names = append(names, f.Name) })
		if near := config.Nearest(m[1], names); near != "" {
			return &usageError{fmt.Sprintf("unknown flag --%s; did you mean --%s?", m[1], near)}
		}
		return &usageError{"unknown flag --" + m[1]}
	}
	if m := flagAlone.FindStringSubmatch(text); m != nil {
		return &usageError{fmt.Sprintf("--%s: give a %s", m[1], kindOf(flags, m[1]))}
	}
	if m := flagValue.FindStringSubmatch(text); m != nil {
		switch m[3] {
		case "parse error", "value out of range":
			return &usageError{fmt.Sprintf("--%s: %s is not valid; give a %s", m[2], m[1], kindOf(flags, m[2]))}
		}
		return &usageError{"--" + m[2] + ": " + m[3]}
	}
	return &usageError{text}
}

// kindOf is what a flag takes.
func kindOf(flags *flag.FlagSet, name string) string {
	f := flags.Lookup(name)
	if f == nil {
		return "value"
	}
	if kind, _ := flag.UnquoteUsage(f); kind != "" {
		return kind
	}
	return "value: true or false"
}
