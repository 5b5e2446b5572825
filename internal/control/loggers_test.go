package control_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"orderwalk/internal/control"
	"orderwalk/internal/loglevel"
	"orderwalk/test/openapitest"
)

func withLevels() *control.Server {
	s := newServer()
	s.Levels = loglevel.New(slog.LevelInfo, "orderwalk.txn")
	return s
}

func call(t testing.TB, s *control.Server, method, target, body string) *httptest.ResponseRecorder {
	t.Helper()
	return callOf(watched(t, s), method, target, body)
}

func callOf(h http.Handler, method, target, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://localhost:8083"+target, strings.NewReader(body))
	r.RemoteAddr = "127.0.0.1:40000"
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// The calls and answers are Connect's, with and without the slash at the end.
func TestLoggers(t *testing.T) {
	s := withLevels()
	times := regexp.MustCompile(`"last_modified":\d{13}\b`)
	for _, c := range []struct {
		method, target, body string
		want                 int
		says                 string
	}{
		{"GET", "/admin/loggers", "", 200, `{"orderwalk":{"level":"INFO","last_modified":null},"orderwalk.txn":{"level":"INFO","last_modified":null},"root":{"level":"INFO","last_modified":null}}`},
		{"GET", "/admin/loggers/root", "", 200, `{"level":"INFO","last_modified":null}`},
		{"GET", "/admin/loggers/ROOT", "", 200, `{"level":"INFO","last_modified":null}`},
		{"GET", "/admin/loggers/org.reflections", "", 404, `{"error_code":404,"message":"Logger org.reflections not found."}`},
		{"PUT", "/admin/loggers/orderwalk", `{"level":"debug"}`, 200, `["orderwalk","orderwalk.txn"]`},
		{"GET", "/admin/loggers/orderwalk.txn/", "", 200, `{"level":"DEBUG","last_modified":MS}`},
		{"PUT", "/admin/loggers/org.reflections/?scope=worker", `{"level":"OFF","other":1}`, 200, `["org.reflections"]`},
		{"GET", "/admin/loggers/org.reflections", "", 200, `{"level":"OFF","last_modified":MS}`},
		{"PUT", "/admin/loggers/root?scope=everywhere", `{"level":"OFF"}`, 200, `[]`},
		{"PUT", "/admin/loggers/root?scope=WORKER", `{"level":"WARN"}`, 200, `["orderwalk","orderwalk.txn","org.reflections","root"]`},
		{"GET", "/admin/loggers/", "", 200, `{"orderwalk":{"level":"WARN","last_modified":MS},"orderwalk.txn":{"level":"WARN","last_modified":MS},"org.reflections":{"level":"WARN","last_modified":MS},"root":{"level":"WARN","last_modified":MS}}`},

		{"PUT", "/admin/loggers/root", `{}`, 400, `{"error_code":400,"message":"Desired 'level' parameter was not specified in request."}`},
		{"PUT", "/admin/loggers/root", `{"level":null}`, 400, `{"error_code":400,"message":"Desired 'level' parameter was not specified in request."}`},
		{"PUT", "/admin/loggers/root", `null`, 400, `{"error_code":400,"message":"Desired 'level' parameter was not specified in request."}`},
		{"PUT", "/admin/loggers/root", `{"level":"LOUD"}`, 404, `{"error_code":404,"message":"invalid log level 'LOUD'."}`},
		{"PUT", "/admin/loggers/a%20b", `{"level":"INFO"}`, 400, `{"error_code":400,"message":"invalid logger name: give up to 200 letters, digits and dots"}`},
		{"PUT", "/admin/loggers/root", `DEBUG`, 400, `{"error_code":400,"message":"the body is not the JSON object that this call expects"}`},
		{"PUT", "/admin/loggers/root", `{"level":"` + strings.Repeat("x", 70000) + `"}`, 413, `{"error_code":413,"message":"the body has more than 65536 bytes"}`},
		{"PUT", "/admin/loggers", `{"level":"INFO"}`, 405, `{"error_code":405,"message":"HTTP 405 Method Not Allowed"}`},
		{"POST", "/admin/loggers/root", `{"level":"INFO"}`, 405, `{"error_code":405,"message":"HTTP 405 Method Not Allowed"}`},
		{"GET", "/admin/loggers/root/more", "", 404, `{"error_code":404,"message":"HTTP 404 Not Found"}`},
		{"PUT", "/admin/loggers/root?scope=cluster", `{"level":"INFO"}`, 501, `{"error_code":501,"message":"this worker cannot set levels of other workers; use scope=worker at each of them"}`},
	} {
		w := call(t, s, c.method, c.target, c.body)
		got := times.ReplaceAllString(strings.TrimSpace(w.Body.String()), `"last_modified":MS`)
		if w.Code != c.want || got != c.says || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s %s %.40s\n got %d %s\nwant %d %s", c.method, c.target, c.body, w.Code, got, c.want, c.says)
		}
	}
}

// The whole cluster's levels are set by whom the server is given for it.
func TestLoggersOfTheCluster(t *testing.T) {
	s := withLevels()
	var told []string
	var fault error
	s.ClusterLevel = func(ctx context.Context, logger, level string) error {
		told = append(told, logger+"="+level)
		return errors.Join(ctx.Err(), fault)
	}
	if w := call(t, s, "PUT", "/admin/loggers/orderwalk.txn/?scope=Cluster", `{"level":"debug"}`); w.Code != http.StatusNoContent || w.Body.Len() > 0 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := call(t, s, "PUT", "/admin/loggers/root?scope=cluster", `{"level":"LOUD"}`); w.Code != 404 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	fault = errors.New("kafka is away")
	if w := call(t, s, "PUT", "/admin/loggers/root?scope=cluster", `{"level":"INFO"}`); w.Code != 500 || !strings.Contains(w.Body.String(), "kafka is away") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if got := strings.Join(told, " "); got != "orderwalk.txn=DEBUG root=INFO" {
		t.Errorf("told %q", got)
	}
}

// Levels are read by all and set by those who may change state; the line of the change
// has the level.
func TestWhoMaySetLevels(t *testing.T) {
	var log bytes.Buffer
	s := withLevels()
	s.Log = slog.New(slog.NewJSONHandler(&log, nil))
	s.Token = func() (string, error) { return aToken, nil }
	if w := call(t, s, "PUT", "/admin/loggers/root", `{"level":"DEBUG"}`); w.Code != 401 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := call(t, s, "GET", "/admin/loggers/root", ""); w.Code != 200 || !strings.Contains(w.Body.String(), "INFO") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	s.Token = nil
	if w := call(t, s, "PUT", "/admin/loggers/root", `{"level":"DEBUG"}`); w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	all := lines(t, log.String())
	if last := all[len(all)-2]; last["msg"] != "log level set" || last["logger"] != "root" || last["to"] != "DEBUG" || last["level"] != "INFO" {
		t.Errorf("the log:\n%s", log.String())
	}
	if last := all[len(all)-1]; last["who"] != "local" || last["path"] != "/admin/loggers/root" || last["status"] != 200.0 {
		t.Errorf("the log:\n%s", log.String())
	}
}

// Who switches the log off cannot hide it.
func TestTheLogOfChangesCannotBeSwitchedOff(t *testing.T) {
	var log bytes.Buffer
	s := withLevels()
	s.Log = slog.New(s.Levels.Handler(slog.NewJSONHandler(&log, nil)))
	for range 2 {
		if w := call(t, s, "PUT", "/admin/loggers/root", `{"level":"OFF"}`); w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	s.Log.Error("unheard")
	s.Token = func() (string, error) { return aToken, nil }
	call(t, s, "PUT", "/admin/loggers/root", `{"level":"INFO"}`)
	var messages []string
	for _, l := range lines(t, log.String()) {
		messages = append(messages, l["msg"].(string))
	}
	if got, want := strings.Join(messages, ", "), "log level set, call that changes state, log level set, call that changes state, refused a call that changes state"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// FuzzLoggers sends any name, scope and body: the answer is one of Connect's, and a level
// that was set is the level that is read.
func FuzzLoggers(f *testing.F) {
	f.Add("root", "worker", `{"level":"DEBUG"}`)
	f.Add("orderwalk.txn", "cluster", `{"level":"trace"}`)
	f.Add("..", "", `{"level":"\u0000"}`)
	f.Add("a/b", "%zz", `[]`)
	f.Add("a", "no scope", `{"level":"TRACE"}`)
	f.Add(strings.Repeat("n", 300), "x", `{"level":"off"}{}`)
	document := described(f)
	f.Fuzz(func(t *testing.T, name, scope, body string) {
		s := withLevels()
		told := 0
		s.ClusterLevel = func(context.Context, string, string) error { told++; return nil }
		h := openapitest.NewWatch(t, document, s.Handler())
		target := "/admin/loggers/" + url.PathEscape(name)
		if name == "" || name == "." || name == ".." || name == "/" { // paths of their own
			return
		}
		w := callOf(h, "PUT", target+"?scope="+url.QueryEscape(scope), body)
		switch w.Code {
		case 200:
			var set []string
			nowhere := scope != "" && !strings.EqualFold(scope, "worker") // nothing is set, as with Connect
			if err := json.Unmarshal(w.Body.Bytes(), &set); err != nil || nowhere != (len(set) == 0) {
				t.Fatalf("%s, %v", w.Body, err)
			}
			if nowhere {
				return
			}
			var asked struct {
				Level string `json:"level"`
			}
			if err := json.Unmarshal([]byte(body), &asked); err != nil {
				t.Fatalf("%q is accepted: %v", body, err)
			}
			var got struct {
				Level string `json:"level"`
			}
			w := callOf(h, "GET", target, "")
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got.Level != strings.ToUpper(asked.Level) {
				t.Errorf("asked for %q, got %d %s", asked.Level, w.Code, w.Body)
			}
		case 204:
			if told != 1 {
				t.Errorf("the cluster was told %d times", told)
			}
		case 400, 404, 413:
			var e struct {
				Code int `json:"error_code"`
			}
			if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || e.Code != w.Code || told != 0 {
				t.Errorf("%d %s, told %d", w.Code, w.Body, told)
			}
		default:
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}
