package openapitest_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"orderwalk/test/openapitest"
)

const items = `{"openapi":"3.1.1","info":{"title":"items","version":"1"},
"paths":{"/items/{id}":{"parameters":[{"$ref":"#/components/parameters/ID"}],
 "put":{"operationId":"putItem","requestBody":{"required":true,"content":{"application/json":{"schema":{"type":"object","properties":{"n":{"type":"integer"}}},"example":{"n":1}}}},
  "security":[{}],
  "responses":{"200":{"description":"done","content":{"application/json":{"schema":{"$ref":"#/components/schemas/Item"}}}},
   "201":{"description":"new","headers":{"Location":{"required":true,"schema":{"type":"string","pattern":"^/items/"}}}},
   "409":{"$ref":"#/components/responses/OtherError"}}}}},
"components":{"parameters":{"ID":{"name":"id","in":"path","required":true,"schema":{"type":"integer"}}},
 "schemas":{"Item":{"type":"object","required":["id"],"properties":{"id":{"type":"integer"}}}},
 "responses":{"OtherError":{"description":"error","content":{"text/plain":{"schema":{"type":"string"}}}},
  "MethodNotAllowed":{"description":"no","headers":{"Allow":{"required":true,"schema":{"type":"string"}}}}}}}`

func parse(t *testing.T, text string) *openapitest.Document {
	t.Helper()
	d, err := openapitest.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestFaults(t *testing.T) {
	if err := parse(t, items).Faults(); err != nil {
		t.Error(err)
	}
	for what, c := range map[string]struct{ from, to, want string }{
		"no response":             {`"description":"new",`, ``, "missing property 'description'"},
		"another specification":   {`"openapi":"3.1.1"`, `"openapi":"3.0.3"`, "/openapi"},
		"an unknown type":         {`"n":{"type":"integer"}`, `"n":{"type":"number of items"}`, "/properties/n/type"},
		"a reference to nothing":  {`schemas/Item"`, `schemas/Items"`, "leads nowhere"},
		"a wrong example":         {`"example":{"n":1}`, `"example":{"n":"one"}`, "/example"},
		"an unknown member":       {`"example":{"n":1}`, `"example":{"m":1}`, "/example"},
		"no ID of an operation":   {`"operationId":"putItem",`, ``, "operationId"},
		"an undescribed variable": {`/items/{id}"`, `/items/{id}/{part}"`, "variables"},
	} {
		text := strings.Replace(items, c.from, c.to, 1)
		if err := parse(t, text).Faults(); text == items || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", what, err, c.want)
		}
	}
}

func TestCheck(t *testing.T) {
	d := parse(t, items)
	kind := http.Header{"Content-Type": {"application/json"}}
	for what, c := range map[string]struct {
		method, path, request string
		status                int
		header                http.Header
		answer                string
		want                  string // empty = it is described
	}{
		"as described":                {"PUT", "/items/7", `{"n":1}`, 200, kind, `{"id":7}`, ""},
		"a slash at the end":          {"PUT", "/items/7/", `{"n":1}`, 200, kind, `{"id":7}`, ""},
		"a header":                    {"PUT", "/items/7", `{"n":1}`, 201, http.Header{"Location": {"/items/7"}}, "", ""},
		"a refused request":           {"PUT", "/items/x", `[]`, 409, http.Header{"Content-Type": {"text/plain"}}, "no", ""},
		"an unknown path":             {"GET", "/", "", 404, http.Header{"Content-Type": {"text/plain"}}, "no", ""},
		"an unknown method":           {"GET", "/items/7", "", 405, http.Header{"Allow": {"PUT"}}, "", ""},
		"methods":                     {"OPTIONS", "/items/7", "", 200, http.Header{"Allow": {"PUT"}}, "", ""},
		"methods of no path":          {"OPTIONS", "/", "", 200, http.Header{"Allow": {"PUT"}}, "", "path is not described"},
		"nothing acceptable":          {"PUT", "/items/7", `{"n":1}`, 406, http.Header{"Content-Type": {"text/plain"}}, "no", ""},
		"no Allow":                    {"GET", "/items/7", "", 405, nil, "", "no Allow"},
		"an undescribed path":         {"GET", "/", "", 200, nil, "", "path is not described"},
		"an undescribed method":       {"GET", "/items/7", "", 200, nil, "", "does not describe GET"},
		"an undescribed status":       {"PUT", "/items/7", "", 400, kind, "{}", "status 400"},
		"another Content-Type":        {"PUT", "/items/7", `{"n":1}`, 200, nil, `{"id":7}`, "Content-Type"},
		"another body":                {"PUT", "/items/7", `{"n":1}`, 200, kind, `{"id":"7"}`, "want integer"},
		"an undescribed member":       {"PUT", "/items/7", `{"n":1}`, 200, kind, `{"id":7,"new":1}`, "additional properties"},
		"a body where there is none":  {"PUT", "/items/7", `{"n":1}`, 201, http.Header{"Location": {"/items/7"}}, "x", "none is described"},
		"another header":              {"PUT", "/items/7", `{"n":1}`, 201, http.Header{"Location": {"/"}}, "", "Location"},
		"a bad request is accepted":   {"PUT", "/items/7", `{"n":"1"}`, 200, kind, `{"id":7}`, "the request"},
		"a bad variable is accepted":  {"PUT", "/items/x", `{"n":1}`, 200, kind, `{"id":7}`, "{id}"},
		"an empty request is taken":   {"PUT", "/items/7", ``, 200, kind, `{"id":7}`, "the request"},
		"an answer that is not JSON":  {"PUT", "/items/7", `{"n":1}`, 200, kind, `{"id":`, "the answer"},
		"another path, another error": {"GET", "/", "", 500, kind, "{}", "path is not described"},
	} {
		at, err := url.Parse(c.path)
		if err != nil {
			t.Fatal(err)
		}
		err = d.Check(openapitest.Exchange{Method: c.method, URL: at, Request: []byte(c.request), Status: c.status, Header: c.header, Answer: []byte(c.answer)})
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", what, err, c.want)
		}
	}
}

// faults counts the errors of a test, in place of failing.
type faults struct {
	testing.TB
	n int
}

func (f *faults) Errorf(string, ...any) { f.n++ }

func TestWatch(t *testing.T) {
	found := &faults{TB: t}
	w := openapitest.NewWatch(found, parse(t, items), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(r.URL.Query().Get("answer")))
	}))
	for answer, want := range map[string]int{`{"id":1}`: 0, `{}`: 1} {
		found.n = 0
		r := httptest.NewRequest(http.MethodPut, "/items/1?answer="+url.QueryEscape(answer), strings.NewReader(`{"n":1}`))
		got := httptest.NewRecorder()
		w.ServeHTTP(got, r)
		if found.n != want || got.Body.String() != answer {
			t.Errorf("%s: %d faults, passed on as %s", answer, found.n, got.Body)
		}
	}
	if seen := w.Seen(); seen["PUT /items/{id} 200"] != 2 || seen["PUT /items/{id}?answer"] != 2 {
		t.Errorf("seen: %v", seen)
	}
}
