package control

import (
	"net/http"

	"orderwalk/internal/desired"
	"orderwalk/internal/fleet"
	"orderwalk/internal/httpserve"
)

// route is one call that the server answers.
type route struct {
	method, path string
	changes      bool // who may call it: see changing
	handler      http.Handler
}

// routes is the table of all calls.
func (s *Server) routes() []route {
	read := func(path string, h http.HandlerFunc) route { return route{"GET", path, false, h} }
	change := func(method, path string, h http.HandlerFunc) route { return route{method, path, true, h} }
	return append(s.loggerRoutes(),
		read("/{$}", s.root),
		read("/health", s.health),
		read("/livez", s.live),
		read("/readyz", s.ready),
		read("/openapi.json", s.openAPI),
		route{"GET", "/metrics", false, httpserve.PerPeer(scrapesOfOne, s.scrapes(), manyScrapes)},
		change("PUT", "/components/{component}/verify-ticket", s.ticket),

		read("/shops", s.shops),
		change("PUT", "/shops/target", s.targetMany),
		change("POST", "/shops/restart", s.restartMany),
		read("/connectors", s.connectors),
		read("/connectors/{name}", s.ofShop(s.Fleet.Known, notFound, func(shop fleet.Shop) any { return s.describe(shop) })),
		read("/connectors/{name}/config", s.ofShop(s.Fleet.Known, notFound, func(shop fleet.Shop) any { return s.Fleet.Config(shop.Name) })),
		read("/connectors/{name}/status", s.ofShop(s.Fleet.Shop, noStatus, func(shop fleet.Shop) any { return s.stateOf(shop) })),
		read("/connectors/{name}/tasks", s.ofShop(s.Fleet.Known, notFound, s.tasksInfo)),
		read("/connectors/{name}/topics", s.topics),
		read("/connectors/{name}/tasks/{task}/status", s.taskStatus),
		read("/connectors/{name}/offsets", s.offsets),
		read("/connector-plugins", s.plugins),
		read("/connector-plugins/{plugin}/config", s.pluginConfig),
		route{"PUT", "/connector-plugins/{plugin}/config/validate", false, http.HandlerFunc(s.validate)},

		change("POST", "/connectors", s.create),
		change("PUT", "/connectors/{name}/config", s.putConfig),
		change("PATCH", "/connectors/{name}/config", s.patchConfig),
		change("DELETE", "/connectors/{name}", s.remove),

		change("PUT", "/connectors/{name}/pause", s.target(desired.Paused, http.StatusAccepted)),
		change("PUT", "/connectors/{name}/resume", s.target(desired.Running, http.StatusAccepted)),
		change("PUT", "/connectors/{name}/stop", s.target(desired.Stopped, http.StatusNoContent)),
		change("PATCH", "/connectors/{name}/offsets", s.alterOffsets),
		change("DELETE", "/connectors/{name}/offsets", s.resetOffsets),
		change("POST", "/connectors/{name}/restart", s.restart),
		change("POST", "/connectors/{name}/tasks/{task}/restart", s.restartTask),
		change("PUT", "/connectors/{name}/topics/reset", s.resetTopics),
	)
}

// Handler returns the handler that Run serves.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, r := range s.routes() {
		if h := r.handler; r.changes {
			mux.Handle(r.method+" "+r.path, s.changing(h.ServeHTTP))
		} else {
			mux.Handle(r.method+" "+r.path, h)
		}
	}
	return notingProxies(timely(everyPath(mux)))
}
