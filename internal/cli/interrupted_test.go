package cli

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A command that was to find something out and is interrupted has not found
// that all is well, nor that anything is wrong.
func TestInterrupted(t *testing.T) {
	for _, args := range [][]string{{"check"}, {"check", "--json"}, {"plan"}} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			checkWorld(t)
			ctx, interrupt := context.WithCancel(t.Context())
			silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body) // a server sees who hangs up once it has read
				interrupt()
				<-r.Context().Done()
			}))
			t.Cleanup(silent.Close)
			t.Setenv("ORDERWALK_API_URL", silent.URL)
			t.Setenv("ORDERWALK_START_TIME", "1790000000")
			var out, errs bytes.Buffer
			code := Main(ctx, args, Streams{Out: &out, Err: &errs})
			if code != 1 || !strings.Contains(errs.String(), "interrupted before it was finished") {
				t.Errorf("%d\n%s%s", code, &out, &errs)
			}
			if strings.Contains(out.String(), "failed") || strings.Contains(out.String(), `"ok":false`) {
				t.Errorf("reports a failed check:\n%s", &out)
			}
		})
	}
}
