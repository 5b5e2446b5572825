package program

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"orderwalk/test/connect"
	"orderwalk/test/openapitest"
)

// watch puts a proxy before a worker that fails the test for every exchange that the
// worker's own /openapi.json does not describe. The calls of the fleet go through it.
func (f *fleet) watch(worker string) *openapitest.Watch {
	f.Helper()
	code, text := get(f.T, f.pages[worker]+"/openapi.json")
	if code != 200 {
		f.Fatalf("openapi.json: %d", code)
	}
	document, err := openapitest.Parse(text)
	if err != nil {
		f.Fatal(err)
	}
	at, err := url.Parse(f.pages[worker])
	if err != nil {
		f.Fatal(err)
	}
	watch := openapitest.NewWatch(f.T, document, &httputil.ReverseProxy{
		Rewrite:      func(r *httputil.ProxyRequest) { r.SetURL(at) },
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	})
	proxy := httptest.NewServer(watch)
	p := f.workers[worker]
	f.Cleanup(func() {
		if f.Failed() {
			f.Logf("the worker's log:\n%s", p.stderr.String())
		}
	})
	f.Cleanup(proxy.Close)
	f.pages[worker] = proxy.URL
	return watch
}

// TestAWorkerAnswersAsItsDocumentSays makes every call that a worker's OpenAPI document
// describes, with every parameter, until each answer to a call that succeeds, is not valid
// or is for nothing there has been seen.
func TestAWorkerAnswersAsItsDocumentSays(t *testing.T) {
	t.Parallel()
	f, secrets := createdFleet(t)
	f.worker("a")
	watch := f.watch("a")
	one := shopConfig("wxsimulated0000001", "${file:"+secrets+"/one}", "")
	two := shopConfig("wxsimulated0000002", "${file:"+secrets+"/all.properties:two}", "")
	const shop = `{"shop":"wxsimulated0000001","range":"create_time"}`
	window := fmt.Sprintf(`{"offsets":[{"partition":%s,"offset":{"watermark":%d}}]}`, shop, time.Now().Add(-time.Hour).Unix())
	calls := func(all ...[4]any) {
		t.Helper()
		for _, c := range all {
			method, path, _ := strings.Cut(c[0].(string), " ")
			if code, body := f.body("a", method, path, c[1].(string)); code != c[2] || !strings.Contains(body, c[3].(string)) {
				t.Errorf("%s %s = %d %s, want %d with %s", c[0], c[1], code, body, c[2], c[3])
			}
		}
	}
	calls(
		[4]any{"GET /", "", 200, "kafka_cluster_id"}, [4]any{"HEAD /", "", 200, ""}, [4]any{"GET /health", "", 200, "healthy"},
		[4]any{"GET /livez", "", 200, "ok"}, [4]any{"GET /readyz", "", 200, "ok"}, [4]any{"GET /metrics", "", 200, "orderwalk_build_info"},
		[4]any{"GET /openapi.json", "", 200, "openapi"}, [4]any{"GET /nothing", "", 404, "HTTP 404"}, [4]any{"PUT /connectors", "{}", 405, "HTTP 405"},
		[4]any{"GET /connectors?expand=info&expand=status", "", 200, "{}"}, [4]any{"GET /shops", "", 200, "[]"},
		[4]any{"GET /connector-plugins?connectorsOnly=false", "", 200, "WeChatOrderSource"},
		[4]any{"GET /connector-plugins/WeChatOrderSource/config", "", 200, "app_id"}, [4]any{"GET /connector-plugins/none/config", "", 404, "none"},
		[4]any{"PUT /connector-plugins/orderwalk.WeChatOrderSource/config/validate", one, 200, "error_count"},
		[4]any{"PUT /connector-plugins/WeChatOrderSource/config/validate", `{"connector.class":"WeChatOrderSource","unknown":"x","tasks.max":null}`, 200, "unknown"},
		[4]any{"PUT /connector-plugins/WeChatOrderSource/config/validate", `{}`, 400, "type"},
		[4]any{"POST /connectors", `{"name":"one","initial_state":"Running","config":` + one + `}`, 201, "one"},
		[4]any{"POST /connectors", `{"name":"one","config":` + one + `}`, 409, "exists"},
		[4]any{"POST /connectors", `{"name":"x","config":{"connector.class":"WeChatOrderSource"}}`, 400, "app_id"},
		[4]any{"PUT /connectors/two/config", two, 201, "two"}, [4]any{"PUT /connectors/two/config", two, 200, "two"},
		[4]any{"PUT /connectors/two/config", `{"name":"three"}`, 400, "three"},
		[4]any{"PATCH /connectors/two/config", `{"rate_limit":"7","openid":null}`, 200, "rate_limit"},
		[4]any{"PATCH /connectors/two/config", `{"rate_limit":"much"}`, 400, "rate_limit"}, [4]any{"PATCH /connectors/none/config", `{}`, 404, "none"},
	)
	f.all("a", "RUNNING", nil)
	eventually(t, "one has a checkpoint", func() bool {
		_, body := f.body("a", "GET", "/connectors/one/offsets", "")
		return strings.Contains(body, "watermark")
	})
	calls(
		[4]any{"GET /shops", "", 200, "create_time"}, [4]any{"GET /shops?latest=true", "", 200, "create_time"}, [4]any{"GET /shops?scope=worker", "", 200, "create_time"}, [4]any{"GET /shops?scope=worker&shop=one", "", 200, "one"},
		[4]any{"GET /connectors", "", 200, "one"}, [4]any{"GET /connectors?expand=info&expand=status", "", 200, "RUNNING"}, [4]any{"GET /connectors?expand=info", "", 200, "kafka.topic"},
		[4]any{"GET /connectors/one", "", 200, "kafka.topic"}, [4]any{"GET /connectors/one/config", "", 200, "kafka.topic"}, [4]any{"GET /connectors/one/status", "", 200, "worker_id"},
		[4]any{"GET /connectors/one/tasks", "", 200, "task"}, [4]any{"GET /connectors/one/tasks/0/status", "", 200, "RUNNING"}, [4]any{"GET /connectors/one/topics", "", 200, "created.orders"},
		[4]any{"PUT /connectors/one/topics/reset", "", 202, ""}, [4]any{"GET /connectors/none/topics", "", 200, `{"none":{"topics":[]}}`},
		[4]any{"POST /connectors/one/tasks/0/restart", "", 204, ""}, [4]any{"POST /connectors/one/restart", "", 204, ""},
		[4]any{"POST /connectors/one/restart?includeTasks=true&onlyFailed=false", "", 202, "RESTARTING"}, [4]any{"POST /connectors/one/restart?onlyFailed=true", "", 202, "task"},
		[4]any{"PATCH /connectors/one/offsets", window, 400, "STOPPED"}, [4]any{"DELETE /connectors/one/offsets", "", 400, "STOPPED"},
		[4]any{"PUT /connectors/one/pause", "", 202, ""}, [4]any{"PUT /connectors/one/resume", "", 202, ""}, [4]any{"PUT /connectors/one/stop", "", 204, ""},
		[4]any{"PATCH /connectors/one/offsets?dry_run=true", window, 200, "orders_known"},
		[4]any{"PATCH /shops/restart", "", 405, ""},
	)
	eventually(t, "one is stopped", func() bool {
		code, _ := f.body("a", "PATCH", "/connectors/one/offsets", window)
		return code == 200
	})
	calls(
		[4]any{"GET /connectors/one/offsets", "", 200, "watermark"}, [4]any{"GET /connectors/one/tasks", "", 200, "[]"}, [4]any{"GET /connectors/one/status", "", 200, "STOPPED"},
		[4]any{"PATCH /connectors/one/offsets", `{"offsets":[{"partition":` + shop + `,"offset":{"watermark":-1}}]}`, 400, "watermark"},
		[4]any{"PATCH /connectors/one/offsets", `{"offsets":[{"partition":` + shop + `,"offset":null}]}`, 200, "altered"},
		[4]any{"DELETE /connectors/one/offsets?dry_run=true", "", 200, "orders_known"}, [4]any{"DELETE /connectors/one/offsets", "", 200, "reset"},
		[4]any{"PUT /shops/target", `{"target":"PAUSED","shops":["one","wxsimulated0000002"]}`, 202, "2"}, [4]any{"PUT /shops/target", `{"target":"RUNNING","all":true}`, 202, "2"},
		[4]any{"PUT /shops/target", `{"target":"AWAY","all":true}`, 400, "target"}, [4]any{"PUT /shops/target", `{"target":"PAUSED","shops":["none"]}`, 404, "none"},
		[4]any{"POST /shops/restart", `{"only_failed":true,"all":true}`, 202, "2"}, [4]any{"POST /shops/restart", `{}`, 400, "shops"}, [4]any{"POST /shops/restart", `{"shops":["none"]}`, 404, "none"},
		[4]any{"GET /admin/loggers", "", 200, "root"}, [4]any{"GET /admin/loggers/root", "", 200, "INFO"}, [4]any{"GET /admin/loggers/none", "", 404, "none"},
		[4]any{"PUT /admin/loggers/orderwalk.txn?scope=worker", `{"level":"debug"}`, 200, "orderwalk.txn"},
		[4]any{"PUT /admin/loggers/root", `{}`, 400, "level"}, [4]any{"PUT /admin/loggers/root", `{"level":"LOUD"}`, 404, "LOUD"},
		[4]any{"PUT /components/wxnone/verify-ticket", `{"component_verify_ticket":"ticket"}`, 404, "wxnone"},
		[4]any{"DELETE /connectors/two", "", 204, ""},
	)
	for _, path := range []string{"GET ", "DELETE ", "GET /config", "GET /status", "GET /tasks", "GET /offsets", "GET /tasks/0/status", "POST /tasks/0/restart",
		"POST /restart", "PUT /pause", "PUT /resume", "PUT /stop", "DELETE /offsets"} {
		method, rest, _ := strings.Cut(path, " ")
		calls([4]any{method + " /connectors/none" + rest, "", 404, "none"})
	}
	calls([4]any{"PATCH /connectors/none/offsets", window, 404, "none"})
	seen := watch.Seen()
	// Not here: other tests have a platform, and a worker that sets levels of others.
	elsewhere := []string{"PUT /components/{component}/verify-ticket 204", "PUT /components/{component}/verify-ticket 400", "PUT /admin/loggers/{logger} 204"}
	for _, op := range watch.Document.Operations() {
		for _, status := range op.Statuses {
			what := op.Method + " " + op.Path + " " + status
			if (status[0] == '2' || status == "400" || status == "404") && seen[what] == 0 && !slices.Contains(elsewhere, what) {
				t.Errorf("described and not seen: %s", what)
			}
		}
		for _, parameter := range op.Parameters {
			if name, ok := strings.CutPrefix(parameter, "query "); ok && seen[op.Method+" "+op.Path+"?"+name] == 0 {
				t.Errorf("described and not given: %s of %s %s", name, op.Method, op.Path)
			}
		}
	}
}

// TestTheDocumentHoldsForScripts plays the scripts of Kafka Connect's tools: whatever they
// send, the answers are as the document says. What they should be is test/connect's.
func TestTheDocumentHoldsForScripts(t *testing.T) {
	t.Parallel()
	f, secrets := createdFleet(t)
	f.worker("a")
	watch := f.watch("a")
	vars, err := os.ReadFile("../connect/testdata/orderwalk.vars")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(secrets, "secret"), []byte("simulated-secret-1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	// A worker whose shops have all failed ends, and those of the scripts have no shop.
	if code, body := f.body("a", "PUT", "/connectors/works/config", shopConfig("wxsimulated0000003", "${file:"+secrets+"/all.properties:three}", "")); code != 201 {
		t.Fatalf("%d %s", code, body)
	}
	scripts, err := filepath.Glob("../connect/testdata/*.http")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("%v, %v", scripts, err)
	}
	for _, script := range scripts {
		text, err := os.ReadFile(script)
		if err != nil {
			t.Fatal(err)
		}
		calls, err := connect.ParseScript(string(text))
		if err != nil {
			t.Fatal(err)
		}
		for i := range calls {
			calls[i].Until = nil // the states that they wait for are not of interest
		}
		target, err := connect.NewTarget(f.pages["a"], string(vars), "dir="+secrets)
		if err != nil {
			t.Fatal(err)
		}
		target.Patience = 5 * time.Second
		if _, err := connect.Play(t.Context(), target, calls); err != nil {
			t.Errorf("%s: %v", script, err)
		}
	}
	if n := len(watch.Seen()); n < 40 {
		t.Errorf("only %d different answers were seen: %v", n, watch.Seen())
	}
}
