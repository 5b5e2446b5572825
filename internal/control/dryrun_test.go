package control_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A caller who asks for a dry run in a way that is not understood is refused: the offsets
// would be altered or forgotten otherwise.
func TestADryRunThatIsNotUnderstoodIsRefused(t *testing.T) {
	h := newServer().Handler()
	for _, query := range []string{"dry_run", "dry_run=", "dry_run=yes", "dry_run=true;", "dry_run=true&dry_run=false", "dry_run=%zz",
		"dryrun=true", "dryRun=true", "dry-run=true", "DRY_RUN=true", "dry_run=true&Dry_Run=false", "dry_run%20=true"} {
		for method, body := range map[string]string{http.MethodDelete: "", http.MethodPatch: `{"offsets":[{"partition":{"shop":"a","range":"create_time"},"offset":{"watermark":1}}]}`} {
			r := httptest.NewRequest(method, "/connectors/a/offsets?"+query, strings.NewReader(body))
			r.Host, r.RemoteAddr = "127.0.0.1:8083", "127.0.0.1:1"
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != 400 || !strings.Contains(w.Body.String(), "nothing was changed") {
				t.Errorf("%s %s: %d %s", method, query, w.Code, w.Body)
			}
		}
	}
}
