package incident

import "strings"

// names counts the names of a line and keeps the first of them.
type names struct {
	n     int
	first []string
	seen  map[string]bool
}

func newNames() *names { return &names{seen: make(map[string]bool)} }

func (a *names) add(name string) {
	if a.seen[name] {
		return
	}
	a.seen[name] = true
	if a.n++; len(a.first) < named {
		a.first = append(a.first, name)
	}
}

// attrs returns one name, or the number of names and the first of them. who is what
// they name.
func (a *names) attrs(who string) []any {
	switch {
	case a.n == 1 && a.first[0] == "":
		return nil
	case a.n == 1:
		return []any{who, a.first[0]}
	}
	list := strings.Join(a.first, ", ")
	if a.n > len(a.first) {
		list += ", …"
	}
	return []any{who + "s", a.n, "names", list}
}
