package config

import "strings"

// Nearest returns the candidate a mistyped word most probably meant, or
// nothing when none is near enough. It serves the names of variables here and
// those of commands in internal/cli.
func Nearest(word string, candidates []string) string {
	best, bestDistance := "", len(word)/4+2
	for _, c := range candidates {
		if d := distance(strings.ToLower(word), strings.ToLower(c)); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// distance is the number of letters to insert, remove or change.
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

// misspelt refuses the name of a variable of ours with one or two wrong letters
// in the prefix, or none but in the case: it would not be read.
func (f *faults) misspelt(name string, names []string) {
	if distance(strings.ToUpper(name[:min(len(name), len(prefix))]), prefix) > 3 {
		return // most of an environment
	}
	for _, n := range names {
		if distance(strings.ToUpper(name), variable(n)) <= 2 && strings.HasSuffix(strings.ToUpper(name), n) {
			f.add(name, "is not read", "did you mean "+variable(n)+"?")
			return
		}
	}
}
