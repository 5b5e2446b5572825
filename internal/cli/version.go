package cli

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// build holds the build information of this program.
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

func versionCommand(streams Streams) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "print version, commit and Go version",
		Example: "  orderwalk version\n  orderwalk --version     the same",
		Args:    noArguments,
		RunE:    func(*cobra.Command, []string) error { return writeVersion(streams.Out) },
	}
}

func writeVersion(w io.Writer) error {
	b := readBuild()
	_, err := fmt.Fprintf(w, "orderwalk %s\ncommit %s\n%s\n", b.version, b.commit, b.goVersion)
	return err
}
