package config

import "strings"

// Nearest returns the candidate that a mistyped word most probably meant, or ""
// if none is close enough. This package uses it for variables, internal/cli for
// commands.
func Nearest(word string, candidates []string) string {
	best, bestDistance := "", len(word)/4+2
	for _, c := range candidates {
		if d := distance(strings.ToLower(word), strings.ToLower(c)); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// distance returns the number of letters to insert, remove or change.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}

// misspelt rejects a variable whose prefix has one or two wrong letters or differs
// in case: it would be ignored silently.
func (f *faults) misspelt(name string, names []string) {
	if distance(strings.ToUpper(name[:min(len(name), len(prefix))]), prefix) > 3 {
		return // an unrelated variable
	}
	for _, n := range names {
		if distance(strings.ToUpper(name), variable(n)) <= 2 && strings.HasSuffix(strings.ToUpper(name), n) {
			f.add(name, "is not read", "did you mean "+variable(n)+"?")
			return
		}
	}
}
