package control

import "strings"

// Route is a row of the table of calls, for tests.
type Route struct {
	Method, Path string
	Changes      bool
}

// Routes returns the table of calls.
func (s *Server) Routes() []Route {
	var all []Route
	for _, r := range s.routes() {
		all = append(all, Route{r.method, strings.TrimSuffix(r.path, "{$}"), r.changes})
	}
	return all
}
