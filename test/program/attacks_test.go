package program

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"orderwalk/test/leaktest"
)

// attacker calls a worker from one address.
type attacker struct {
	*testing.T
	leaks  *leaktest.Search
	client http.Client
}

func (f *fleet) attacker(from string, keepAlive bool, leaks *leaktest.Search) *attacker {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	transport := &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: !keepAlive}
	f.Cleanup(transport.CloseIdleConnections)
	return &attacker{f.T, leaks, http.Client{Transport: transport}}
}

// call makes a call and returns its status. No answer may have a secret.
func (a *attacker) call(method, url, body string, header ...string) int {
	r, err := http.NewRequestWithContext(a.Context(), method, url, strings.NewReader(body))
	if err != nil {
		a.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	answer, err := a.client.Do(r)
	if err != nil {
		a.Errorf("%s %s: %v", method, url, err)
		return 0
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		a.Errorf("%s %s: %v", method, url, err)
	}
	a.leaks.Check(a.T, method+" "+url, string(text))
	if answer.Header.Get("Access-Control-Allow-Origin") != "" {
		a.Errorf("%s %s: pages of other sites may read the answer", method, url)
	}
	return answer.StatusCode
}

// TestAttacksOnAWorker: without the token nothing changes, whatever else a call has, and
// a flood of guesses neither finds it nor keeps another address out. No answer, log line
// or metric has the token, a guess, or a secret that a caller sends by value.
func TestAttacksOnAWorker(t *testing.T) {
	t.Parallel()
	const token, guess, sent = "7f1e-the-right-token-of-the-worker", "a1b2-a-guess-at-the-token", "s3nt-an-app-secret-by-value"
	f := startFleet(t, 3)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f.env = append(f.env, "ORDERWALK_REST_TOKEN_FILE="+file, "ORDERWALK_REST_SECRET_DIRS="+filepath.Dir(file), "ORDERWALK_LOG_LEVEL=debug")
	f.worker("a")
	f.worker("b")
	f.all("a", "RUNNING", nil)
	var leaks leaktest.Search
	leaks.Hide("the worker's token", token)
	leaks.Hide("a guess at the token", guess)
	leaks.Hide("an app secret by value", sent)
	page := f.pages["a"]
	changes := [][3]string{
		{"PUT", "/connectors/shop0/pause", ""}, {"PUT", "/connectors/shop0/stop/", ""}, {"POST", "/connectors/shop0/restart?includeTasks=true", ""}, {"DELETE", "/connectors/shop0", ""},
		{"PATCH", "/connectors/shop0/offsets", `{"offsets":[]}`}, {"DELETE", "/connectors/shop0/offsets?dry_run=true", ""}, {"PUT", "/shops/target", `{"target":"STOPPED","all":true}`},
		{"PUT", "/admin/loggers/root?scope=cluster", `{"level":"OFF"}`}, {"PUT", "/connectors/shop0/topics/reset", ""},
		{"POST", "/connectors", `{"name":"x","config":` + shopConfig("wxsimulated0000003", sent, "") + `}`},
	}

	// What other servers trust, and what a caller could take for the workers' own calls.
	stranger := f.attacker("127.0.0.1", true, &leaks)
	for i, header := range []string{
		"X-Forwarded-For: 127.0.0.1", "Forwarded: for=127.0.0.1", "X-Real-IP: 127.0.0.1", "X-Original-URL: /livez", "X-HTTP-Method-Override: GET", "X-Remote-User: admin",
		"X-SSL-Client-Verify: SUCCESS", "X-Connect-Authorization: internal", "X-Connect-Request-Signature-Algorithm: HmacSHA256", "X-Orderwalk-Worker: b", "Cookie: token=" + token,
		"Authorization: Basic dXNlcjpwYXNz", "Authorization: Bearer", "Proxy-Authorization: Bearer " + token, "X-Authorization: Bearer " + token,
	} {
		for _, c := range changes {
			separator := "?"
			if strings.Contains(c[1], "?") {
				separator = "&"
			}
			for _, more := range []string{"", separator + "forward=true", separator + "scope=worker", separator + "access_token=" + guess} {
				if code := stranger.call(c[0], page+c[1]+more, c[2], header); code != 401 {
					t.Fatalf("%d: %s %s with %s: %d", i, c[0], c[1]+more, header, code)
				}
			}
		}
	}
	if code := stranger.call("PUT", page+"/connectors/shop0/pause", "", "Authorization: Bearer "+token, "Origin: https://evil.example"); code != 403 {
		t.Errorf("with the token, for a page of another site: %d", code)
	}

	// Guesses by the thousand, over kept connections and new ones, from one address and
	// from many.
	var guessing sync.WaitGroup
	for n := range 8 {
		guessing.Go(func() {
			one := f.attacker(fmt.Sprintf("127.1.0.%d", 1+n), true, &leaks)
			for i := range 250 {
				a := one
				if n < 4 {
					a = f.attacker(fmt.Sprintf("127.0.%d.%d", n, 1+i%200), false, &leaks)
				}
				c := changes[i%len(changes)]
				if code := a.call(c[0], page+c[1], c[2], fmt.Sprintf("Authorization: Bearer %s-%d-%d", guess, n, i)); code != 401 && code != 429 {
					t.Errorf("guess %d: %s %s: %d", i, c[0], c[1], code)
				}
			}
		})
	}
	guessing.Wait()
	f.all("a", "RUNNING", nil)
	f.all("b", "RUNNING", nil)

	operator := f.attacker("127.9.9.9", true, &leaks)
	right := "Authorization: Bearer " + token
	for _, c := range []struct {
		method, path, body string
		want               int
	}{
		{"PUT", "/connectors/shop1/pause", "", 202},
		{"POST", "/connectors", `{"name":"x","config":` + shopConfig("wxsimulated0000003", sent, "") + `}`, 400},
		{"PUT", "/connectors/x/config", shopConfig("wxsimulated0000003", sent, `,"access_token":"`+sent+`"`), 400},
		{"PATCH", "/connectors/shop0/config", `{"app_secret":"` + sent + `"}`, 409},
		{"PUT", "/connector-plugins/orderwalk.WeChatOrderSource/config/validate", shopConfig("wxsimulated0000003", sent, ""), 200},
		{"PUT", "/connector-plugins/orderwalk.WeChatOrderSource/config/validate", shopConfig("wxsimulated0000003", "${file:"+file+"}", ""), 200},
	} {
		if code := operator.call(c.method, page+c.path, c.body, right); code != c.want {
			t.Errorf("%s %s: %d, want %d", c.method, c.path, code, c.want)
		}
	}
	f.all("b", "RUNNING", map[string]string{"shop1": "PAUSED"})

	for _, worker := range []string{"a", "b"} {
		for _, path := range []string{"/", "/health", "/metrics", "/shops", "/connectors?expand=status&expand=info", "/connectors/shop0/offsets", "/admin/loggers", "/openapi.json", "/connector-plugins/orderwalk.WeChatOrderSource/config"} {
			if code := operator.call("GET", f.pages[worker]+path, ""); code != 200 {
				t.Errorf("%s: %d", path, code)
			}
			f.workers[worker].searched(f.pages[worker])
		}
		leaks.Check(t, "the log of worker "+worker, f.workers[worker].stderr.String())
	}
	said := f.workers["a"].stderr.String()
	if n := strings.Count(said, `"refused a call that changes state"`); n == 0 || n > 200 {
		t.Errorf("%d lines about refused calls", n)
	}
	if !strings.Contains(said, `"who":"token","status":202,"from":"127.9.9.9:`) {
		t.Errorf("no line about the pause by the operator")
	}
}

// TestALevelOfAllWorkers: a level that is set through one worker is set in all of them, and
// not in one that starts later.
func TestALevelOfAllWorkers(t *testing.T) {
	t.Parallel()
	f := startFleet(t, 3)
	for _, name := range []string{"a", "b", "c"} {
		f.worker(name)
	}
	has := func(worker, level string) {
		t.Helper()
		eventually(t, worker+" has the level "+level, func() bool {
			_, body := get(t, f.pages[worker]+"/admin/loggers/orderwalk.txn")
			return strings.Contains(body, `"level":"`+level+`"`)
		})
	}
	set := func(worker, level string) {
		t.Helper()
		eventually(t, "worker "+worker+" sets "+level, func() bool { // 409 while it is joining
			return f.call(worker, "PUT", "/admin/loggers/orderwalk?scope=cluster", `{"level":"`+level+`"}`) == 204
		})
	}
	set("b", "DEBUG")
	for _, worker := range []string{"a", "b", "c"} {
		has(worker, "DEBUG")
	}
	f.kill("b")
	f.worker("b")
	has("b", "INFO")
	set("c", "WARN")
	for _, worker := range []string{"a", "b", "c"} {
		has(worker, "WARN")
	}
}
