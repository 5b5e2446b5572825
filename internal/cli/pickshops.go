package cli

import (
	"fmt"
	"slices"
	"strings"

	"orderwalk/internal/config"
	"orderwalk/internal/fleet"
)

// pickShops returns the shops that words name: by name, or by app ID, which stands for
// all ranges of a shop. A word that is the name of one shop and the app ID of others
// means all of them. The result has the order of the shops, each once.
func pickShops(shops []fleet.Shop, words []string) ([]fleet.Shop, error) {
	if len(words) == 0 {
		return shops, nil
	}
	at := make(map[string][]int, 2*len(shops))
	var known []string
	for i, s := range shops {
		at[s.Name] = append(at[s.Name], i)
		if s.AppID != s.Name {
			at[s.AppID] = append(at[s.AppID], i)
		}
	}
	for word := range at {
		known = append(known, word)
	}
	slices.Sort(known)
	var picked []int
	for _, word := range words {
		if at[word] == nil {
			return nil, unknownShop(word, known)
		}
		picked = append(picked, at[word]...)
	}
	slices.Sort(picked)
	picked = slices.Compact(picked)
	out := make([]fleet.Shop, len(picked))
	for i, p := range picked {
		out[i] = shops[p]
	}
	return out, nil
}

// pickCertain is pickShops for commands that change shops: a word must not name one shop and
// be the app ID of others, since the smaller choice could be meant.
func pickCertain(shops []fleet.Shop, words []string) ([]fleet.Shop, error) {
	for _, word := range words {
		var others []string
		named := false
		for _, s := range shops {
			named = named || s.Name == word
			if s.AppID == word && s.Name != word {
				others = append(others, s.Name)
			}
		}
		if named && len(others) > 0 && !containsAll(words, others) {
			return nil, &shopError{fmt.Sprintf("%q is the name of one shop and also the app ID of %s", word, some(others)),
				"name those too to mean all of them, or give the first a name in the shops file"}
		}
	}
	return pickShops(shops, words)
}

// pickOne is pickShops for commands that concern one shop: of a name and an app ID the name
// counts, and an app ID must have one range.
func pickOne(shops []fleet.Shop, words []string) ([]fleet.Shop, error) {
	for i, s := range shops {
		if s.Name == words[0] {
			return shops[i : i+1], nil
		}
	}
	picked, err := pickShops(shops, words)
	if err == nil && len(picked) > 1 {
		err = &shopError{fmt.Sprintf("%q is the app ID of %s", words[0], some(shopList(picked))), "name one of them: each has its own offsets"}
	}
	return picked, err
}

func containsAll(words, wanted []string) bool {
	for _, w := range wanted {
		if !slices.Contains(words, w) {
			return false
		}
	}
	return true
}

// shopError is a name that stands for no shop, or not for one.
type shopError struct{ text, hint string }

func (e *shopError) Error() string { return e.text }

// unknownShop returns the error of a word that is neither a name nor an app ID.
func unknownShop(word string, known []string) error {
	e := &shopError{text: fmt.Sprintf("no shop has the name or app ID %q", word)}
	switch near := config.Nearest(word, known); {
	case near != "":
		e.hint = "did you mean " + near + "?"
	case len(known) == 0:
		e.hint = "the group has no shops"
	default:
		e.hint = "give one of " + firstTen(known)
	}
	return e
}

// firstTen lists some of the names.
func firstTen(names []string) string {
	const most = 10
	more := ""
	if len(names) > most {
		names, more = names[:most], ", …"
	}
	return strings.Join(names, ", ") + more
}
