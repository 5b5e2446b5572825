package config

import (
	"fmt"
	"io"
	"strings"
)

// WriteMarkdown writes the variables as a Markdown table.
func WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	b.WriteString("| variable | type | default | meaning |\n|---|---|---|---|\n")
	for _, v := range Variables() {
		byDefault := orDash(v.Default)
		if v.builtIn != "" {
			byDefault = "`" + byDefault + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", v.Name, v.Type, byDefault, v.Meaning)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteEnv writes the variables as an env file, each commented out and with its
// built-in default.
func WriteEnv(w io.Writer) error {
	var b strings.Builder
	for i, v := range Variables() {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "# %s (%s", v.Meaning, v.Type)
		if v.builtIn == "" && v.Default != "" {
			fmt.Fprintf(&b, "; default: %s", v.Default)
		}
		fmt.Fprintf(&b, ")\n#%s=%s\n", v.Name, v.builtIn)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func orDash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}
