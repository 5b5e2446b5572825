package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"orderwalk/internal/config"
)

// Durations are for people to read, in both forms.
func TestDurationsAreSpelledOut(t *testing.T) {
	for form, want := range map[string]string{"json": `"after":"1.6s"`, "text": "after=1.6s"} {
		var out bytes.Buffer
		newLog(&config.Config{LogFormat: form}, &out).Info("calls succeed again", "after", 1600*time.Millisecond)
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s: %s", form, out.String())
		}
	}
}
