package cli

import (
	"io"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Every command says how it is called, with an example and within 80 columns,
// and every flag what it is for.
func TestHelpOfEveryCommand(t *testing.T) {
	root := commandTree(Streams{Out: io.Discard, Err: io.Discard})
	root.InitDefaultHelpCmd()
	commands := 0
	var look func(*cobra.Command)
	look = func(cmd *cobra.Command) {
		commands++
		name, text := cmd.CommandPath(), helpText(cmd)
		if !strings.Contains(text, "\nExamples:\n  orderwalk") && !strings.Contains(text, "\nExamples:\n  export") &&
			!strings.Contains(text, "\nExamples:\n  source") {
			t.Errorf("%s has no example", name)
		}
		for line := range strings.Lines(text) {
			if utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > helpWidth {
				t.Errorf("%s: a line of more than %d characters: %s", name, helpWidth, line)
			}
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" || !strings.Contains(text, "--"+f.Name) {
				t.Errorf("%s: nothing about --%s", name, f.Name)
			}
		})
		for _, c := range cmd.Commands() {
			look(c)
		}
	}
	look(root)
	if commands < 10 {
		t.Errorf("%d commands", commands)
	}
}

// The README's table of commands is complete.
func TestReadmeHasEveryCommand(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, cmd := range commandTree(Streams{}).Commands() {
		row := "\n| `orderwalk " + strings.ReplaceAll(strings.TrimSuffix(cmd.Use, " [flags]"), "|", "\\|") + "` | "
		if !strings.Contains(string(readme), row) {
			t.Errorf("no row begins with %q", row)
		}
	}
}

// Flags are listed as they are defined, under their headings.
func TestFlagsAreInTheOrderOfTheirUse(t *testing.T) {
	text := helpText(simulateCommand(Streams{}))
	at := 0
	for _, want := range []string{"\nFlags:\n", "--listen", "--help", "\nShops and orders:\n", "--shops", "--from", "--to", "\nPushes:\n", "--push-url"} {
		i := strings.Index(text[at:], want)
		if i < 0 {
			t.Fatalf("%q does not follow:\n%s", want, text)
		}
		at += i
	}
}

func TestFaultsFitTheTerminal(t *testing.T) {
	for line := range strings.Lines(faultList()) {
		if utf8.RuneCountInString(line) > helpWidth+1 {
			t.Errorf("more than %d characters: %s", helpWidth, line)
		}
	}
}

func TestWrap(t *testing.T) {
	long := strings.Repeat("x", 90)
	for text, want := range map[string]string{
		"":                          "NAME\n",
		"a b":                       "NAME  a b\n",
		strings.Repeat("word ", 20): "NAME  " + strings.TrimSpace(strings.Repeat("word ", 15)) + "\n  word word word word word\n",
		"a " + long + " b":          "NAME  a\n  " + long + "\n  b\n",
		strings.Repeat("–", 74):     "NAME  " + strings.Repeat("–", 74) + "\n",
		strings.Repeat("–", 70) + " – – –": "NAME  " + strings.Repeat("–", 70) + " – –\n  –\n",
	} {
		if got := wrap("NAME  ", "  ", text); got != want {
			t.Errorf("wrap %q:\n%swant:\n%s", text, got, want)
		}
	}
}
