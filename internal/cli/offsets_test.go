package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// standIn is a worker that answers for a few shops and notes the calls that change them.
type standIn struct {
	mu      sync.Mutex
	changes []string
}

const standInShops = `[
{"name":"red-lantern","app_id":"wx1","time_range":"create_time","topic":"orders","state":"stopped","target":"STOPPED"},
{"name":"changes","app_id":"wx1","time_range":"update_time","topic":"changes","state":"live","target":"RUNNING"},
{"name":"a/b","app_id":"wx2","time_range":"create_time","topic":"orders","state":"stopped","target":"STOPPED"},
{"name":"new","app_id":"wx3","time_range":"create_time","topic":"orders","state":"stopped","target":"STOPPED"},
{"name":"wx3","app_id":"wx3","time_range":"update_time","topic":"orders","state":"stopped","target":"STOPPED"},
{"name":"bad","app_id":"wx4","time_range":"create_time","topic":"orders","state":"failed","target":"RUNNING"}]`

const standInOffsets = `{"offsets":[{"partition":{"range":"create_time","shop":"wx1"},"offset":{"begin":1793000000,"v":1,"watermark":1794000000}},` +
	`{"partition":{"range":"create_time","shop":"wx1","window":1794000000},"offset":{"next_key":"abc","pages":2,"pass":1,"state":"open","v":1,"window_end":1794003600,"window_start":1794000000}},` +
	`{"partition":{"range":"create_time","shop":"wx1","window":1794003600},"offset":{"state":"waiting","v":1,"window_end":1794007200,"window_start":1794003600}}]}`

func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	name, isOffsets := strings.CutSuffix(strings.TrimPrefix(r.URL.EscapedPath(), "/connectors/"), "/offsets")
	text := ""
	switch {
	case r.URL.Path == "/shops":
		text = standInShops
	case !isOffsets:
		w.WriteHeader(http.StatusNotFound)
	case name == "bad":
		w.WriteHeader(http.StatusInternalServerError)
		text = `{"error_code":500,"message":"its checkpoint is damaged"}`
	case r.Method == http.MethodGet && name == "new":
		text = `{"offsets":[]}`
	case r.Method == http.MethodGet:
		text = standInOffsets
	case r.URL.Query().Get("dry_run") == "true":
		text = `{"from":1793990000,"to":1794000000,"windows":3,"calls":4,"orders_known":0,"orders_known_seconds":0}`
	default:
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.changes = append(s.changes, fmt.Sprintf("%s %s %s", r.Method, name, body))
		s.mu.Unlock()
		text = `{"message":"done"}`
	}
	_, _ = io.WriteString(w, text)
}

func (s *standIn) made() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := strings.Join(s.changes, "\n")
	s.changes = nil
	return all
}

func TestOffsets(t *testing.T) {
	noSettings(t)
	var worker standIn
	server := httptest.NewServer(&worker)
	t.Cleanup(server.Close)
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	entry := `[{"partition":{"shop":"wx1","range":"create_time"},"offset":null}]`
	nameless := file("nameless", `{"offsets":`+entry+`}`)
	good, foreign := file("good", `{"name":"red-lantern","offsets":`+entry+`}`), file("foreign", `{"name":"blue","offsets":[]}`)
	empty, two, misspelt := file("empty", `{}`), file("two", `{"offsets":[]}{"offsets":[]}`), file("misspelt", `{"ofsets":[]}`)
	moved := `{"offsets":[{"partition":{"range":"create_time","shop":"wx1"},"offset":{"watermark":1793990000}}]}`
	for _, c := range []struct {
		args    string
		code    int
		says    []string
		changes string
	}{
		{"list", 1, []string{"SHOP         WATERMARK ", fmt.Sprintf("\nred-lantern  %-25s  %-25s  1 open, 1 waiting\n", timeText(1794000000), timeText(1793000000)), "\nnew          -  ", "  nothing is stored\n",
			"bad: its checkpoint is damaged\n", "the offsets of bad cannot be read"}, ""},
		{"list red-lantern", 0, []string{"\n  open from " + timeText(1794000000) + " to " + timeText(1794003600) + ", pass 1, 2 pages read\n"}, ""},
		{"list bad", 1, []string{"answers 500 Internal Server Error: its checkpoint is damaged"}, ""},
		{"list red-lantern a/b --json", 0, []string{`{"name":"red-lantern","app_id":"wx1","offsets":[{"partition":`, `{"name":"a/b",`}, ""},
		{"list red-lantren", 1, []string{`no shop has the name or app ID "red-lantren"`, "Hint: did you mean red-lantern?"}, ""},
		{"set red-lantern --watermark 1793990000 --yes", 0, []string{"The walk goes back", "at least 3 windows and 4 list", "set: red-lantern\n", "Now `orderwalk resume red-lantern`"}, "PATCH red-lantern " + moved},
		{"set red-lantern --watermark 1793990000 --dry-run", 0, []string{"The walk goes back"}, ""},
		{"set red-lantern --file " + good + " --yes", 0, []string{"set: red-lantern\n"}, `PATCH red-lantern {"offsets":` + entry + "}"},
		{"set red-lantern --file " + foreign + " --yes", 1, []string{"has the offsets of blue, not of red-lantern", "Hint: "}, ""},
		{"set red-lantern --file " + empty + " --yes", 2, []string{`it has no "offsets"`}, ""},
		{"set red-lantern --file " + two + " --yes", 2, []string{"more than one JSON value"}, ""},
		{"set red-lantern --file " + misspelt + " --yes", 2, []string{`unknown field "ofsets"`}, ""},
		{"set red-lantern --file nosuch --yes", 1, []string{"--file: open nosuch"}, ""},
		{"set red-lantern --watermark soon --yes", 2, []string{"give unix seconds, RFC 3339"}, ""},
		{"set red-lantern --yes", 2, []string{"give --watermark or --file"}, ""},
		{"set red-lantern a/b --watermark 1 --yes", 2, []string{"give one shop"}, ""},
		{"set wx1 --watermark 1793990000 --yes", 1, []string{`"wx1" is the app ID of red-lantern, changes`, "Hint: name one of them"}, ""},
		{"set wx3 --file " + nameless + " --yes", 0, []string{"set: wx3\n"}, `PATCH wx3 {"offsets":` + entry + "}"},
		{"reset wx3 --yes", 1, []string{`"wx3" is the name of one shop and also the app ID of new`, "Hint: name those too"}, ""},
		{"set changes --watermark 1793990000 --yes", 1, []string{"changes is not stopped", "Hint: run `orderwalk stop changes` first"}, ""},
		{"set changes --watermark 1793990000 --dry-run", 0, []string{"The walk goes back"}, ""},
		{"set red-lantern --watermark 1793990000", 2, []string{"there is no terminal to ask for a confirmation; add --yes"}, ""},
		{"reset wx2 red-lantern --yes", 0, []string{"All together: at least 6 windows and 8 list calls.\n", "reset: red-lantern\nreset: a/b\n"}, "DELETE red-lantern \nDELETE a%2Fb "},
		{"reset wx1 --yes", 1, []string{"changes is not stopped"}, ""},
		{"reset wx2 --dry-run", 0, []string{"a/b:\n"}, ""},
		{"reset", 2, []string{"give shops"}, ""},
		{"lst", 2, []string{"did you mean list?"}, ""},
		{"", 2, []string{"Usage: orderwalk offsets list|set|reset"}, ""},
	} {
		args := "offsets " + c.args
		if c.args != "" && c.args != "lst" {
			args += " --worker " + server.URL
		}
		code, said := command(t, args)
		for _, want := range c.says {
			if !strings.Contains(said, want) {
				t.Errorf("%s: no %q in\n%s", args, want, said)
			}
		}
		if made := worker.made(); code != c.code || made != c.changes {
			t.Errorf("%s = %d, want %d, with the changes\n%s\n%s", args, code, c.code, made, said)
		}
	}

	// What list prints is what set reads.
	code, line := command(t, "offsets list red-lantern --json --worker "+server.URL)
	if code != 0 || !json.Valid([]byte(line)) {
		t.Fatalf("list --json = %d\n%s", code, line)
	}
	if code, said := command(t, "offsets set red-lantern --yes --worker "+server.URL+" --file "+file("listed", line)); code != 0 {
		t.Errorf("what was listed: %d\n%s", code, said)
	}
	if got, want := worker.made(), "PATCH red-lantern "+standInOffsets; got != want {
		t.Errorf("sent\n%s\nwant\n%s", got, want)
	}
}
