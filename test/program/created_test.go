package program

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// createdFleet is a fleet whose shops file is empty, and a directory of secrets.
func createdFleet(t *testing.T) (f *fleet, secrets string) {
	f, secrets = startFleet(t, 3), t.TempDir()
	shops := filepath.Join(t.TempDir(), "none.yaml")
	for path, text := range map[string]string{shops: "shops: []\n", filepath.Join(secrets, "one"): "simulated-secret-1\n", filepath.Join(secrets, "all.properties"): "two=simulated-secret-2\nthree=simulated-secret-3\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f.env = append(f.env, "ORDERWALK_SHOPS_FILE="+shops, "ORDERWALK_REST_SECRET_DIRS="+secrets)
	return f, secrets
}

// shopConfig returns a configuration as JSON.
func shopConfig(appID, secret, more string) string {
	return `{"connector.class":"orderwalk.WeChatOrderSource","tasks.max":"1","kafka.topic":"created.orders","app_id":"` + appID + `","app_secret":"` + secret + `"` + more + `}`
}

// TestShopsAreCreatedOverHTTP: without a shop of its own a worker waits. A shop that is
// created at one worker is walked by one of them, is known to every other, is changed and
// deleted, and survives kill −9 of all workers with its configuration as it was sent.
func TestShopsAreCreatedOverHTTP(t *testing.T) {
	t.Parallel()
	f, secrets := createdFleet(t)
	f.worker("a")
	f.worker("b")
	if code, body := f.body("a", "GET", "/connectors", ""); code != 200 || strings.TrimSpace(body) != "[]" {
		t.Errorf("no connectors: %d %s", code, body)
	}
	one := shopConfig("wxsimulated0000001", "${file:"+secrets+"/one}", "")
	code, body := f.body("a", "POST", "/connectors", `{"name":"one","config":`+one+`}`)
	if code != 201 {
		t.Fatalf("create: %d %s", code, body)
	}
	f.all("b", "RUNNING", nil)
	for _, worker := range []string{"a", "b"} {
		_, got := f.body(worker, "GET", "/connectors/one/config", "")
		var have, want map[string]string
		_, _ = json.Unmarshal([]byte(got), &have), json.Unmarshal([]byte(one), &want)
		want["name"] = "one"
		if fmt.Sprint(have) != fmt.Sprint(want) {
			t.Errorf("worker %s: config is %v, want %v", worker, have, want)
		}
	}
	for _, c := range []struct {
		worker, method, path, body string
		code                       int
		says                       string
	}{
		{"b", "POST", "/connectors", `{"name":"one","config":` + one + `}`, 409, "already exists"},
		{"b", "POST", "/connectors", `{"name":"again","config":` + one + `}`, 400, "app_id"},
		{"a", "POST", "/connectors", `{"name":"two","config":` + shopConfig("wxsimulated0000002", "simulated-secret-2", "") + `}`, 400, "holds a secret by value"},
		{"a", "POST", "/connectors", `{"name":"two","config":` + shopConfig("wxsimulated0000002", "${file:/etc/passwd}", "") + `}`, 400, "REST_SECRET_DIRS"},
		{"a", "POST", "/connectors", `{"name":"two","config":` + shopConfig("wxsimulated0000002", "${file:"+secrets+"/all.properties:two}", `,"time_range":"update"`) + `}`, 400, "time_range"},
		{"a", "POST", "/connectors/", `{"name":"two","initial_state":"paused","config":` + shopConfig("wxsimulated0000002", "${file:"+secrets+"/all.properties:two}", "") + `}`, 201, `"two"`},
		{"b", "PUT", "/connectors/three/config", shopConfig("wxsimulated0000003", "${file:"+secrets+"/all.properties:three}", ""), 201, `"three"`},
		{"a", "PATCH", "/connectors/three/config", `{"rate_limit":"7"}`, 200, `"rate_limit":"7"`},
		{"b", "PATCH", "/connectors/three/config", `{"rate_limit":null,"tasks.max":"1"}`, 200, `"tasks.max":"1"`},
		{"a", "PATCH", "/connectors/none/config", `{}`, 404, "none not found"},
		{"a", "DELETE", "/connectors/none", ``, 404, "none not found"},
	} {
		if code, body := f.body(c.worker, c.method, c.path, c.body); code != c.code || !strings.Contains(body, c.says) {
			t.Errorf("%s %s %s = %d %s, want %d with %s", c.method, c.path, c.body, code, body, c.code, c.says)
		} else if strings.Contains(body, "simulated-secret") {
			t.Errorf("%s %s answers with a secret: %s", c.method, c.path, body)
		}
	}
	f.all("a", "RUNNING", map[string]string{"two": "PAUSED"})
	f.all("b", "RUNNING", map[string]string{"two": "PAUSED"})
	if code, body := f.body("b", "DELETE", "/connectors/three", ""); code != 204 {
		t.Errorf("delete: %d %s", code, body)
	}
	for _, worker := range []string{"b", "a"} {
		eventually(t, "three is gone", func() bool { code, _ := f.body(worker, "GET", "/connectors/three/status", ""); return code == 404 })
	}
	for _, worker := range []string{"a", "b"} {
		if text := f.workers[worker].stderr.String(); strings.Contains(text, "simulated-secret") {
			t.Errorf("worker %s logs a secret", worker)
		}
		f.kill(worker)
	}
	f.worker("c")
	f.all("c", "RUNNING", map[string]string{"two": "PAUSED"})
	if states, _ := f.states("c"); len(states) != 2 {
		t.Errorf("after a restart: %v", states)
	}
}

// TestTheFileWins: a created shop whose name is in the shops file gives way to it, and one
// with a listed shop's app ID is shown as failed with that reason. Both may be read, the
// second may be deleted, shops of the file are not changed.
func TestTheFileWins(t *testing.T) {
	t.Parallel()
	f, secrets := createdFleet(t)
	f.worker("a")
	for name, config := range map[string]string{
		"same":  shopConfig("wxsimulated0000001", "${file:"+secrets+"/one}", ""),
		"other": shopConfig("wxsimulated0000002", "${file:"+secrets+"/all.properties:two}", ""),
	} {
		if code, body := f.body("a", "PUT", "/connectors/"+name+"/config", config); code != 201 {
			t.Fatalf("create: %d %s", code, body)
		}
	}
	f.kill("a")
	listed := filepath.Join(t.TempDir(), "listed.yaml")
	file := "shops:\n- {app_id: wxsimulated0000002, app_secret: simulated-secret-2, name: listed}\n- {app_id: wxsimulated0000003, app_secret: simulated-secret-3, name: same}\n"
	if err := os.WriteFile(listed, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	f.env = append(f.env, "ORDERWALK_SHOPS_FILE="+listed)
	f.worker("b")
	var body string
	defer func() { t.Log(body) }()
	eventually(t, "other is failed", func() bool {
		_, body = f.body("b", "GET", "/connectors/other/status", "")
		return strings.Contains(body, "FAILED") && strings.Contains(body, `\"listed\"`)
	})
	if _, body = f.body("b", "GET", "/connectors/same/config", ""); !strings.Contains(body, "wxsimulated0000003") || strings.Contains(body, "simulated-secret") {
		t.Errorf("the file's shop is %s", body)
	}
	for path, code := range map[string]int{"/connectors/same": 409, "/connectors/listed": 409, "/connectors/other": 204} {
		if got, body := f.body("b", "DELETE", path, ""); got != code || code == 409 && !strings.Contains(body, "shops file") {
			t.Errorf("DELETE %s = %d %s, want %d", path, got, body, code)
		}
	}
	if got, body := f.body("b", "PUT", "/connectors/listed/config", shopConfig("wxsimulated0000002", "${file:"+secrets+"/one}", "")); got != 409 {
		t.Errorf("PUT of a listed shop = %d %s", got, body)
	}
	f.all("b", "RUNNING", nil)
	if said := strings.Count(f.workers["b"].stderr.String(), "a shop that was created over HTTP is not walked"); said != 2 {
		t.Errorf("said %d times that a created shop is not walked, want once each", said)
	}
}

// TestACreatedShopThatFailsEndsNoWorker: the only shop is one whose app ID the API does
// not know. It is failed with the reason, and its worker goes on: it can be deleted.
func TestACreatedShopThatFailsEndsNoWorker(t *testing.T) {
	t.Parallel()
	f, secrets := createdFleet(t)
	f.worker("a")
	if code, body := f.body("a", "PUT", "/connectors/bad/config", shopConfig("wx0000000000000000", "${file:"+secrets+"/one}", "")); code != 201 {
		t.Fatalf("create: %d %s", code, body)
	}
	eventually(t, "bad is failed", func() bool {
		_, body := f.body("a", "GET", "/connectors/bad/tasks/0/status", "")
		return strings.Contains(body, "FAILED") && strings.Contains(body, "40013")
	})
	if code, body := f.body("a", "DELETE", "/connectors/bad", ""); code != 204 {
		t.Errorf("delete: %d %s", code, body)
	}
	if code, body := f.body("a", "PUT", "/connectors/good/config", shopConfig("wxsimulated0000001", "${file:"+secrets+"/one}", "")); code != 201 {
		t.Errorf("create: %d %s", code, body)
	}
	f.all("a", "RUNNING", nil)
}
