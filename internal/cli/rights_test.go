package cli

import (
	"testing"

	"orderwalk/internal/access"
)

// Rights that only some of the orders topics lack stop only the shops of those.
func TestRightsThatStopAll(t *testing.T) {
	on := func(resource, name string) access.Right {
		return access.Right{Operation: "Write", Resource: resource, Name: name}
	}
	for name, c := range map[string]struct {
		missing []access.Right
		want    bool
	}{
		"one of two topics":        {[]access.Right{on("topic", "a")}, false},
		"twice the same":           {[]access.Right{on("topic", "a"), on("topic", "a")}, false},
		"both topics":              {[]access.Right{on("topic", "a"), on("topic", "b")}, true},
		"the offsets topic":        {[]access.Right{on("topic", "offsets")}, true},
		"a topic and the group":    {[]access.Right{on("topic", "a"), on("group", "a")}, true},
		"a transactional ID":       {[]access.Right{on("transactional ID", "a")}, true},
		"every transactional ID":   {[]access.Right{{Operation: "Write", Resource: "transactional ID", Name: "a", Prefixed: true}}, true},
		"every topic of some name": {[]access.Right{{Operation: "Write", Resource: "topic", Name: "a", Prefixed: true}}, true},
	} {
		if got := stopsAll(c.missing, []string{"a", "b"}); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if !stopsAll([]access.Right{on("topic", "a")}, []string{"a"}) {
		t.Error("the only topic: the others go on, of which there are none")
	}
}
