package leaktest

import (
	"os"
	"regexp"
	"strings"
)

// Environment adds the secrets of ORDERWALK_ variables among NAME=value pairs, and
// those in the files that they name.
func (s *Search) Environment(pairs []string) {
	for _, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		name, ours := strings.CutPrefix(name, "ORDERWALK_")
		if !ours || value == "" || strings.HasSuffix(name, "_URL") || strings.HasSuffix(name, "_POINTER") || strings.HasSuffix(name, "_USERNAME") {
			continue
		}
		path := strings.HasSuffix(name, "_FILE")
		for _, word := range []string{"SECRET", "TOKEN", "PASSWORD", "_KEY", "TICKET"} {
			if !strings.Contains(name, word) {
				continue
			}
			kind := "what is in " + name
			if path {
				data, err := os.ReadFile(value)
				if err != nil {
					break // the test names a missing file on purpose
				}
				for _, line := range strings.Fields(string(data)) {
					if len(line) >= shortest && !strings.HasPrefix(line, "-----") {
						s.Hide(kind, line)
					}
				}
			} else if len(value) >= shortest {
				s.Hide(kind, value)
			}
			break
		}
	}
}

// simulated matches the secrets that the simulator generates.
var simulated = regexp.MustCompile(`99_[A-Za-z0-9_-]{12}|(ticket|queryauthcode|refreshtoken)@@@|simulated-secret`)

// FindSimulated is Find for the output of a process whose simulator runs in another
// process: it also finds generated secrets, by their form.
func (s *Search) FindSimulated(text string) string {
	if at := simulated.FindStringIndex(text); at != nil {
		return "what the simulator has made up: …" + text[max(0, at[0]-120):at[0]] + "█"
	}
	return s.Find(text)
}
