package control_test

import (
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"orderwalk/docs"
	"orderwalk/internal/config"
	"orderwalk/internal/control"
	"orderwalk/internal/fleet"
	"orderwalk/test/openapitest"
)

// described is the document of all calls.
func described(t testing.TB) *openapitest.Document {
	t.Helper()
	document, err := openapitest.Parse(docs.OpenAPI)
	if err != nil {
		t.Fatalf("docs/openapi.json:\n%v", err)
	}
	return document
}

// watched is a server's handler that fails the test for an answer that the document does
// not describe, and for a request that is accepted and not valid by the document.
func watched(t testing.TB, s *control.Server) http.Handler {
	t.Helper()
	return openapitest.NewWatch(t, described(t), s.Handler())
}

// The document is one of OpenAPI 3.1, and nothing in it leads nowhere.
func TestTheDocumentIsValid(t *testing.T) {
	if err := described(t).Faults(); err != nil {
		t.Errorf("docs/openapi.json:\n%v", err)
	}
}

// The document has the calls of the routes table and no others, and asks for a right
// where the table does.
func TestTheDocumentHasEveryRoute(t *testing.T) {
	operations := described(t).Operations()
	routes := withLevels().Routes()
	for _, r := range routes {
		i := slices.IndexFunc(operations, func(op openapitest.Operation) bool { return op.Method == r.Method && op.Path == r.Path })
		if i < 0 {
			t.Errorf("docs/openapi.json does not describe %s %s", r.Method, r.Path)
			continue
		}
		op := operations[i]
		if op.Secured != r.Changes {
			t.Errorf("%s %s: security is described: %v; it needs a right: %v", r.Method, r.Path, op.Secured, r.Changes)
		}
		for _, status := range []string{"401", "403", "429", "503"} {
			if r.Changes && !slices.Contains(op.Statuses, status) {
				t.Errorf("%s %s: %s is not described", r.Method, r.Path, status)
			}
		}
	}
	for _, op := range operations {
		if !slices.ContainsFunc(routes, func(r control.Route) bool { return r.Method == op.Method && r.Path == op.Path }) {
			t.Errorf("docs/openapi.json describes %s %s, which is not served", op.Method, op.Path)
		}
	}
}

// Everybody may read the document, also where calls that change state need a token.
func TestTheDocumentIsServed(t *testing.T) {
	s := newServer()
	s.Token = func() (string, error) { return aToken, nil }
	code, header, body := answer(t, s, "GET", "/openapi.json")
	if code != 200 || header.Get("Content-Type") != "application/json" || body != docs.OpenAPI {
		t.Errorf("%d %v %.100s", code, header, body)
	}
	if !strings.HasPrefix(body, "{\n  \"openapi\": \"3.1.") {
		t.Errorf("it begins with %.40q", body)
	}
}

// What is served without a group of workers is described: the servers of the other tests
// are checked in the same way.
func TestAnswersAreDescribed(t *testing.T) {
	s := withLevels()
	for _, c := range []struct {
		method, path, body string
		want               int
	}{
		{"GET", "/", "", 200}, {"HEAD", "/", "", 200}, {"GET", "/health/", "", 200}, {"GET", "/livez", "", 200}, {"GET", "/readyz", "", 200},
		{"GET", "/metrics", "", 200}, {"GET", "/connector-plugins/", "", 200}, {"GET", "/connector-plugins/nothing/config", "", 404},
		{"PUT", "/connector-plugins/nothing/config/validate", `{"connector.class":"nothing"}`, 500},
		{"PUT", "/connector-plugins/nothing/config/validate", `{"connector.class":"else"}`, 400},
		{"POST", "/connectors", `{"name":"a"}`, 400}, {"POST", "/connectors", `[]`, 400},
		{"PUT", "/connectors/a/config", `{"name":"b"}`, 400}, {"PATCH", "/connectors/a/config", `{"name":"b"}`, 400},
		{"PATCH", "/connectors/a/offsets", `{"offsets":[]}`, 400}, {"GET", "/connectors/a/tasks/x/status", "", 404},
		{"DELETE", "/connectors", "", 405}, {"OPTIONS", "/connectors", "", 200}, {"GET", "/connectors/a/nothing", "", 404},
	} {
		if w := call(t, s, c.method, c.path, c.body); w.Code != c.want {
			t.Errorf("%s %s = %d %s, want %d", c.method, c.path, w.Code, w.Body, c.want)
		}
	}
}

// Fields that only some answers have are described too.
func TestTheDocumentHasEveryField(t *testing.T) {
	document := described(t)
	for schema, value := range map[string]any{
		"Shop": fleet.Shop{}, "Again": fleet.Again{},
		"ConfigInfos": config.ConfigInfos{}, "ConfigKey": config.ConfigKeyInfo{}, "ConfigValue": config.ConfigValueInfo{},
	} {
		var all, required []string
		for _, field := range reflect.VisibleFields(reflect.TypeOf(value)) {
			name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
			all = append(all, name)
			if options != "omitempty" {
				required = append(required, name)
			}
		}
		slices.Sort(all)
		slices.Sort(required)
		described, always := document.Members(schema)
		if !slices.Equal(described, all) || !slices.Equal(always, required) {
			t.Errorf("schema %s has %v, always %v; %T has %v, always %v", schema, described, always, value, all, required)
		}
	}
}
