package cli_test

import (
	"strings"
	"testing"

	"orderwalk/internal/cli"
)

// Exit codes are part of the contract; the scripts can only tell zero from the
// others.
func TestExitCodes(t *testing.T) {
	t.Setenv("ORDERWALK_PAGE_SIZE", "0") // so that no command gets far
	for _, c := range []struct {
		args string
		want int
	}{
		{"version", 0},
		{"--help", 0},
		{"help config", 0},
		{"run --help", 0},
		{"dev --help", 0},
		{"tail --help", 0},
		{"simulate --help", 0},
		{"simulate faults", 0},
		{"--version", 0},
		{"completion zsh", 0},
		{"plan --help", 0},
		{"", 2},
		{"nosuch", 2},
		{"config --nosuch", 2},
		{"config extra", 2},
		{"config --effective", 2},
		{"config -format md", 2},
		{"check --nosuch", 2},
		{"check", 2},
		{"completion", 2},
		{"completion csh", 2},
		{"run", 2},
		{"status --help", 0},
		{"restart --help", 0},
		{"pause", 2},
		{"stop --all", 2},
		{"resume --only-failed x", 2},
		{"tail", 2},
		{"plan", 2},
		{"plan --calls 2", 2},
		{"dev --orders -1", 2},
		{"simulate --listen nowhere:x", 1},
	} {
		var out, err strings.Builder
		got := cli.Main(t.Context(), strings.Fields(c.args), cli.Streams{Out: &out, Err: &err})
		if got != c.want {
			t.Errorf("orderwalk %s = %d, want %d\n%s%s", c.args, got, c.want, out.String(), err.String())
		}
		if (got == 0) != (err.Len() == 0) {
			t.Errorf("orderwalk %s = %d, on stderr: %q", c.args, got, err.String())
		}
	}
}
