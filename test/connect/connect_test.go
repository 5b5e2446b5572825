package connect_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"orderwalk/test/connect"
)

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func parseScript(t *testing.T, path string) []connect.Call {
	t.Helper()
	calls, err := connect.ParseScript(read(t, path))
	if err != nil {
		t.Fatal(err)
	}
	return calls
}

// Every script has a recording of all its calls, and nothing else is recorded.
func TestScriptsAreRecorded(t *testing.T) {
	scripts, err := filepath.Glob("testdata/*.http")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("scripts: %d found, %v", len(scripts), err)
	}
	for _, script := range scripts {
		recorded, err := connect.ParseRecording(read(t, strings.TrimSuffix(script, ".http")+".recording"))
		if err != nil {
			t.Fatal(err)
		}
		calls := parseScript(t, script)
		for _, call := range calls {
			if _, found := recorded[call.Name]; !found {
				t.Errorf("%s: no answer to %s is recorded", script, call.Name)
			}
		}
		if len(recorded) > len(calls) {
			t.Errorf("%s: %d answers recorded to %d calls", script, len(recorded), len(calls))
		}
	}
}

func TestParseScriptRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"no request":          "### a\n# @gzip\n",
		"no path":             "### a\nGET\n",
		"no header":           "### a\nGET /\nAccept\n",
		"unknown directive":   "### a\n# @wait 5\nGET /\n",
		"condition without =": "### a\n# @until status 404\nGET /\n",
		"the same name twice": "### a\nGET /\n\n### a\nGET /\n",
	} {
		if _, err := connect.ParseScript(text); err == nil {
			t.Errorf("%s: parsed", name)
		}
	}
}

// A server whose answers differ in every way that Compare knows.
func TestPlayAndCompare(t *testing.T) {
	calls, err := connect.ParseScript(`### item
# @until n = 3
PUT /items/{{item}}?a=b%20c

{"name":"{{item}}"{{more}}}

### none
GET /none
Accept:
`)
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/none" {
			if r.Header.Get("Accept") != "" {
				t.Errorf("Accept is %q, want none", r.Header.Get("Accept"))
			}
			http.Error(w, "none", http.StatusNotFound)
			return
		}
		asked++
		body, err := io.ReadAll(r.Body)
		if err != nil || string(body) != `{"name":"thing-9","secret":"s"}` {
			t.Errorf("body %s, %v", body, err)
		}
		if r.RequestURI != "/items/thing-9?a=b%20c" {
			t.Errorf("asked for %s", r.RequestURI)
		}
		if asked == 1 {
			w.WriteHeader(http.StatusConflict)
			fmt.Fprint(w, `{"n":3,"message":"Cannot complete request because of a conflicting operation"}`)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Allow", "PUT,GET")
		fmt.Fprintf(w, `{"n":%d,"name":"thing-9","secret":"s","worker_id":"%s","list":[{"a":1},{"a":2}]}`, asked, r.Host)
	}))
	defer server.Close()
	target, err := connect.NewTarget(server.URL, "item = thing-9\nmore = ,\"secret\":\"s\"")
	if err != nil {
		t.Fatal(err)
	}
	answers, err := connect.Play(t.Context(), target, calls)
	if err != nil {
		t.Fatal(err)
	}
	const recording = `### item
200 OK
Allow: GET, PUT
Content-Type: application/json

{"list":[{"a":1},{"a":2}],"n":3,"name":"{{item}}","worker_id":"<host:port>"}

### none
404 Not Found
Content-Type: text/plain; charset=utf-8

none

`
	if got := connect.Format(calls, answers); got != recording {
		t.Errorf("recorded\n%s\nwant\n%s", got, recording)
	}
	other, err := connect.ParseRecording(`### item
201 Created
Content-Type: application/json
Location: /items

{"list":[{"b":1}],"n":"3","name":"{{item}}","more":true,"worker_id":"<host:port>"}
`)
	if err != nil {
		t.Fatal(err)
	}
	found := connect.Compare("item", other["item"], answers[0])
	var where []string
	for _, d := range found {
		where = append(where, d.Where)
	}
	want := []string{"status", "header Allow", "header Location", "body.list.length", "body.list[].b", "body.list[].a", "body.more", "body.n"}
	if !slices.Equal(where, want) {
		t.Errorf("differences in %q, want %q", where, want)
	}
	allowed, err := connect.ParseAllowed("it* | header * | reason\nitem | body.list[].* | reason\nother | status | reason")
	if err != nil {
		t.Fatal(err)
	}
	if left := allowed.Except(found); len(left) != 4 || left[0].Where != "status" {
		t.Errorf("not allowed: %v", left)
	}
	if unused := allowed.Unused(); len(unused) != 1 || unused[0] != "other | status | reason" {
		t.Errorf("unused: %q", unused)
	}
	if _, err := connect.ParseAllowed("a | b | "); err == nil {
		t.Error("a difference without a reason is allowed")
	}
}
