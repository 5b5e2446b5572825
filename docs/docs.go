// Package docs holds the OpenAPI documents, in the folder of the other documents: so there
// is one of each, and it is found beside them. internal/control serves that of the HTTP
// port.
package docs

import _ "embed" // for OpenAPI

// OpenAPI is an OpenAPI 3.1 document of all calls of the HTTP port, as JSON. Tests of
// internal/control and test/program hold it against the routes and their answers.
//
//go:embed openapi.json
var OpenAPI string

// OpenAPIPush is the same of the listener for the vendor's pushes, which does not serve it.
// Tests of internal/push hold it against the answers.
//
//go:embed openapi-push.json
var OpenAPIPush string
