package config_test

import (
	"strings"
	"testing"
)

// A shop named . or .. could be created and then hardly be addressed: clients take such a
// part out of a URL's path. One that another version has created is walked all the same.
func TestNamesThatArePathsAreRefused(t *testing.T) {
	c, dir := connectors(t)
	for name, fault := range map[string]bool{".": true, "..": true, " .. ": true, "...": false, "a.b": false, ".a": false} {
		sent := sentShop(dir, "name", name)
		_, infos := c.Check(sent, nil)
		at, all := errorsAt(t, infos)
		if (at["name"] != "") != fault || fault != (all != "") {
			t.Errorf("%q: %v", name, at)
		}
		if fault && !strings.Contains(at["name"], "path of a URL") {
			t.Errorf("%q: %v", name, at)
		}
		if (c.Preview(sent, nil).Err() != nil) != fault {
			t.Errorf("%q: the preview says %v", name, c.Preview(sent, nil).Err())
		}
		if _, err := c.Stored(sent); err != nil {
			t.Errorf("%q, stored: %v", name, err)
		}
	}
}
