package cli

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"orderwalk/internal/control"
)

// noSettings leaves a test without variables of ours and without a running dev.
func noSettings(t *testing.T) {
	t.Helper()
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "ORDERWALK_") {
			t.Setenv(name, "")
		}
	}
	t.Chdir(t.TempDir())
}

func command(t *testing.T, args string) (code int, said string) {
	t.Helper()
	var out, errs strings.Builder
	code = Main(t.Context(), strings.Fields(args), Streams{Out: &out, Err: &errs})
	return code, out.String() + errs.String()
}

// A worker's refusal is explained: the token is missing or wrong, or the caller is not
// on the worker's machine. The token appears nowhere.
func TestRefusalsOfAWorker(t *testing.T) {
	noSettings(t)
	tokens := &control.Server{Token: func() (string, error) { return "hush-right", nil }}
	guarded := httptest.NewServer(tokens.Handler())
	t.Cleanup(guarded.Close)
	remote := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.RemoteAddr = "192.0.2.1:1234"
		(&control.Server{}).Handler().ServeHTTP(w, r)
	}))
	t.Cleanup(remote.Close)
	wrong := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(wrong, []byte("hush-wrong\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, args, token string
		code              int
		says              string
	}{
		{"no token", "pause --all --yes --worker " + guarded.URL, "", 1, "Hint: set ORDERWALK_REST_TOKEN_FILE here"},
		{"wrong token", "pause --all --yes --worker " + guarded.URL, wrong, 1, "is not the worker's"},
		{"no such file", "pause --all --yes --worker " + guarded.URL, "/nowhere", 1, "read the worker's token"},
		{"elsewhere", "stop --all --yes --worker " + remote.URL, "", 1, "Hint: run the command on the worker's machine"},
		{"no worker", "restart --all --yes --worker 127.0.0.1:1", "", 1, "ask the worker at http://127.0.0.1:1"},
		{"no URL", "status --worker ftp://x", "", 2, "--worker: give a URL"},
		{"both", "status --worker x --data y", "", 2, "--data: --worker is set too"},
		{"no worker of that name", "status --worker nowhere.invalid:1", "", 1, "Hint: that name has no address here; check the URL of --worker"},
		{"no worker at the URL", "status --worker 127.0.0.1:1", "", 1, "Hint: no worker listens there: check the URL of --worker"},
		{"nothing given", "pause", "", 2, "give shops by name or app ID, or --all"},
		{"shops and all", "pause x --all", "", 2, "give shops by name or app ID, or --all"},
		{"no terminal", "restart --all", "", 2, "add --yes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv(tokenFileVariable, c.token)
			if code, said := command(t, c.args); code != c.code || !strings.Contains(said, c.says) || strings.Contains(said, "hush") {
				t.Errorf("%s = %d\n%s", c.args, code, said)
			}
		})
	}
}

// A call that meets a rebalance is made again; other refusals are not. The token is
// sent, and does not follow a redirect.
func TestCallsAreRepeatedWhileWorkersRebalance(t *testing.T) {
	noSettings(t)
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("right\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(tokenFileVariable, token)
	var answers []int
	worker := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/readyz" {
			return
		}
		if got := r.Header.Get("Authorization"); got != "Bearer right" {
			t.Errorf("%s %s with %q", r.Method, r.URL, got)
		}
		status := answers[0]
		answers = answers[1:]
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, `{"error_code":%d,"message":"rebalance","shops":7}`, status)
	}))
	t.Cleanup(worker.Close)
	for _, c := range []struct {
		answers []int
		code    int
		says    string
	}{
		{[]int{409, 409, 202}, 0, "pause: 7 shops\n"},
		{[]int{500}, 1, "answers 500 Internal Server Error: rebalance"},
		{[]int{307}, 1, "answers 307"},
		{[]int{404}, 1, "Hint: is it a worker of orderwalk"},
	} {
		answers = c.answers
		if code, said := command(t, "pause --all --yes --worker "+worker.URL); code != c.code || !strings.Contains(said, c.says) || len(answers) > 0 {
			t.Errorf("%v = %d, %d answers are left\n%s", c.answers, code, len(answers), said)
		}
	}
}

// What a worker that is not ready says is shown, by commands that look and by those that
// change something.
func TestAWorkerThatIsNotReady(t *testing.T) {
	noSettings(t)
	worker := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/shops":
			_, _ = io.WriteString(w, `[{"name":"red-lantern","app_id":"wx1","state":"unknown","reason":"the group is rebalancing"}]`)
		case r.URL.Path == "/readyz":
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, `{"error_code":503,"message":"starting: waiting for Kafka"}`)
		default:
			w.WriteHeader(http.StatusConflict)
			_, _ = io.WriteString(w, `{"error_code":409,"message":"no known leader URL"}`)
		}
	}))
	t.Cleanup(worker.Close)
	const says = "is not ready: starting: waiting for Kafka"
	for _, args := range []string{"status --worker ", "status --json --worker "} {
		if code, said := command(t, args+worker.URL); code != 1 || !strings.Contains(said, "red-lantern") || !strings.Contains(said, says+"\nHint: ") {
			t.Errorf("%s = %d\n%s", args, code, said)
		}
	}
	client := workerClient{base: worker.URL, http: worker.Client(), err: io.Discard}
	if err := client.change(t.Context(), "PUT", "/connectors/red-lantern/pause", nil, nil); err == nil || !strings.Contains(err.Error(), says) || hintFor(err) == "" {
		t.Errorf("a change: %v", err)
	}
}

// Each refusal says what to do about it.
func TestHintsOfRefusals(t *testing.T) {
	for _, c := range []struct {
		status        int
		retry, body   string
		withToken     bool
		shows, hinted string
	}{
		{401, "", `{"message":"no token"}`, false, "answers 401 Unauthorized: no token", "set ORDERWALK_REST_TOKEN_FILE here"},
		{401, "", `{"message":"no token"}`, true, "no token", "is not the worker's"},
		{403, "", `{"message":"` + control.ErrNoCertificate.Error() + `"}`, false, "client certificate", "--cert and --key"},
		{403, "", `{"message":"` + control.ErrLocalOnly.Error() + `"}`, false, "own machine", "kubectl exec"},
		{429, "8", `{"message":"too many"}`, true, "too many", "try again in 8 s"},
		{404, "", "<html>", false, "answers 404 Not Found", "is it a worker of orderwalk"},
		{409, "", `{"message":"rebalance"}`, false, "rebalance", "see the workers' logs"},
		{400, "", "Client sent an HTTP request to an HTTPS server.", false, "answers 400", "give --worker https://"},
		{400, "", `{"message":"watermark 5 is in the future"}`, false, "is in the future", ""},
	} {
		answer := &http.Response{StatusCode: c.status, Status: fmt.Sprint(c.status, " ", http.StatusText(c.status)), Header: http.Header{"Retry-After": {c.retry}}}
		client := &workerClient{base: "http://worker"}
		if c.withToken {
			client.tokenFile = "token"
		}
		err := newRefusedError(client, answer, []byte(c.body))
		if hint := hintFor(err); !strings.Contains(err.Error(), c.shows) || !strings.Contains(hint, c.hinted) || (c.hinted == "") != (hint == "") {
			t.Errorf("%d: %v; hint: %s", c.status, err, hint)
		}
	}
}
