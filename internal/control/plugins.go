package control

import (
	"net/http"

	"orderwalk/internal/config"
)

// plugin is Connect's PluginInfo.
type plugin struct {
	Class   string `json:"class"`
	Type    string `json:"type"`
	Version string `json:"version"`
}

// plugins answers GET /connector-plugins.
func (s *Server) plugins(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, []plugin{{config.ConnectorClass, kind, s.Version}})
}

// pluginConfig answers GET /connector-plugins/{plugin}/config.
func (s *Server) pluginConfig(w http.ResponseWriter, r *http.Request) {
	if name := r.PathValue("plugin"); !config.IsConnectorClass(name) {
		writeError(w, http.StatusNotFound, "Unknown plugin "+shortened(name)+".")
		return
	}
	writeJSON(w, http.StatusOK, s.Fleet.Keys())
}

// validate answers PUT /connector-plugins/{plugin}/config/validate. It changes nothing, so
// everybody may ask; whether a secret can be read is only for who may create shops.
func (s *Server) validate(w http.ResponseWriter, r *http.Request) {
	var sent settings
	if !readJSON(w, r, maxConfig, &sent) {
		return
	}
	given := values(sent)
	named, class := r.PathValue("plugin"), given["connector.class"]
	switch {
	case class == "":
		writeError(w, http.StatusBadRequest, noType)
		return
	case !config.IsConnectorClass(named) || !config.IsConnectorClass(class):
		if named != class && !(config.IsConnectorClass(named) && config.IsConnectorClass(class)) {
			writeError(w, http.StatusBadRequest, "Included connector type "+shortened(class)+" does not match request type "+shortened(named))
			return
		}
		writeError(w, http.StatusInternalServerError, unknownClass(class))
		return
	}
	_, no := s.permit(r)
	writeJSON(w, http.StatusOK, s.Fleet.Validate(given, no == nil))
}
