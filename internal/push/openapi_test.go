package push

import (
	"testing"

	"orderwalk/docs"
	"orderwalk/test/openapitest"
)

// The document of the listener is one of OpenAPI 3.1, and has its addresses; desk.ask
// holds the answers of all other tests against it.
func TestTheDocumentIsValid(t *testing.T) {
	document, err := openapitest.Parse(docs.OpenAPIPush)
	if err != nil {
		t.Fatal(err)
	}
	if err := document.Faults(); err != nil {
		t.Errorf("docs/openapi-push.json:\n%v", err)
	}
	for _, op := range document.Operations() {
		if _, ok := accountOf(op.Path); ok {
			t.Errorf("%s has no variables", op.Path)
		}
	}
	for path, want := range map[string]string{"/push/wx1": "/push/{app_id}", "/push/component/wx2": "/push/component/{component_app_id}",
		"/push/component/wx2/wx1": "/push/component/{component_app_id}/{app_id}"} {
		if _, ok := accountOf(path); !ok {
			t.Errorf("%s is not served", path)
		}
		if got, _ := document.Find(path); got != want {
			t.Errorf("%s is described as %s", path, got)
		}
	}
	if n := len(document.Operations()); n != 6 {
		t.Errorf("%d operations, want GET and POST of 3 addresses", n)
	}
}
