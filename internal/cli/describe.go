package cli

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"orderwalk/internal/config"
)

// configCommand prints the documentation of the environment.
func configCommand(_ context.Context, c *call) error {
	format := c.flags.String("format", "text", "list as `text|md|env`: lines, a table, or a file to fill in")
	if err := c.parse(""); err != nil {
		return err
	}
	write, ok := map[string]func(io.Writer) error{
		"text": config.WriteText, "md": config.WriteMarkdown, "env": config.WriteEnv,
	}[*format]
	if !ok {
		return &usageError{fmt.Sprintf("unknown format %q; give text, md or env", *format)}
	}
	if err := write(c.Out); err != nil {
		return fmt.Errorf("write variables: %w", err)
	}
	return nil
}

// build is what is known of how this program was built.
type build struct{ version, commit, goVersion string }

func readBuild() build {
	b := build{version: "unknown", commit: "unknown", goVersion: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if info.Main.Version != "" {
		b.version = info.Main.Version
	}
	modified := false
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.commit = s.Value
		case "vcs.modified":
			modified = s.Value == "true"
		}
	}
	if modified {
		b.commit += "-modified"
	}
	return b
}

func versionCommand(_ context.Context, c *call) error {
	if err := c.parse(""); err != nil {
		return err
	}
	b := readBuild()
	fmt.Fprintf(c.Out, "orderwalk %s\ncommit %s\n%s\n", b.version, b.commit, b.goVersion)
	return nil
}
