package fleet_test

import (
	"strings"
	"testing"

	"orderwalk/connector"
	"orderwalk/internal/desired"
)

// made starts a worker and creates a shop over HTTP.
func (f *fixture) made(name, appID string) *worker {
	f.Helper()
	w := f.worker(false, f.own())
	if err := w.Create(f.Context(), name, f.sent(name, appID), desired.Running, "me"); err != nil {
		f.Fatal(err)
	}
	f.until(w, name, connector.StateLive)
	return w
}

// A body that is null names no key to change.
func TestAPatchThatIsNullIsRefused(t *testing.T) {
	inBubble(t, func(f *fixture) {
		w := f.made("made", "wx1")
		defer w.stop()
		for body, want := range map[string]int{"null": 400, " null\n": 400, "{}": 200, `{"rate_limit":null}`: 200, `{"rate_limit":7}`: 200} {
			answer := w.call("PATCH", "/connectors/made/config", body)
			if answer.Code != want || want == 400 && !strings.Contains(answer.Body.String(), "null") {
				t.Errorf("%s: %d %s, want %d", body, answer.Code, answer.Body, want)
			}
		}
	})
}
