package control

import (
	"io"
	"net/http"

	"orderwalk/docs"
)

// openAPI answers GET /openapi.json with the description of all calls. A new call, a new
// parameter or another status belongs in it: tests compare.
func (s *Server) openAPI(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, docs.OpenAPI)
}
