package cli_test

import (
	"errors"
	"net"
	"net/http/httptest"
	"strings"
	"testing"

	"orderwalk/internal/cli"
	"orderwalk/internal/control"
)

// What `orderwalk health` makes of a worker that is well, of one that waits, and
// of none. All other variables are wrong, which is no concern of it.
func TestHealth(t *testing.T) {
	var trouble error
	worker := httptest.NewServer((&control.Server{Ready: func() error { return trouble }}).Handler())
	defer worker.Close()
	_, port, err := net.SplitHostPort(worker.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("ORDERWALK_PAGE_SIZE", "0")
	t.Setenv("ORDERWALK_SHOPS_FILE", "/nowhere")
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	for _, c := range []struct {
		name, listen, flags string
		trouble             error
		want                int
		says                string
	}{
		{"alive", "127.0.0.1:" + port, "", nil, 0, "ok\n"},
		{"at a port of all interfaces", ":" + port, "", nil, 0, "ok\n"},
		{"at all interfaces by number", "0.0.0.0:" + port, "", nil, 0, "ok\n"},
		{"ready", "127.0.0.1:" + port, "--ready", nil, 0, "ok\n"},
		{"alive while it waits", "127.0.0.1:" + port, "", errors.New("waits for Kafka"), 0, "ok\n"},
		{"not ready", "127.0.0.1:" + port, "--ready", errors.New("waits for Kafka"), 1, "waits for Kafka"},
		{"no listener", "127.0.0.1:1", "", nil, 1, "ask the worker at 127.0.0.1:1"},
		{"any port", ":0", "", nil, 2, "ORDERWALK_LISTEN"},
		{"no address", "nowhere", "", nil, 2, "ORDERWALK_LISTEN"},
		{"no such flag", "", "--live", nil, 2, "-live"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("ORDERWALK_LISTEN", c.listen)
			trouble = c.trouble
			var out, fault strings.Builder
			got := cli.Main(t.Context(), append([]string{"health"}, strings.Fields(c.flags)...), cli.Streams{Out: &out, Err: &fault})
			if said := out.String() + fault.String(); got != c.want || !strings.Contains(said, c.says) {
				t.Errorf("exit %d, want %d:\n%s", got, c.want, said)
			}
			if (got == 0) != (fault.Len() == 0) {
				t.Errorf("exit %d, on stderr: %q", got, fault.String())
			}
		})
	}
}
