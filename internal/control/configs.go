package control

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"orderwalk/internal/config"
	"orderwalk/internal/desired"
	"orderwalk/internal/fleet"
	"orderwalk/internal/roster"
)

// maxConfig bounds a body with a configuration.
const maxConfig = 256 << 10

// Texts of Kafka Connect.
const (
	noType  = "Connector config contains no connector type"
	noClass = "Failed to find any class that implements Connector and which name matches "
)

// unknownClass is what clients look for to list the classes there are.
func unknownClass(class string) string {
	return noClass + shortened(class) + ", available connectors are: " + config.ConnectorClass
}

// createBody is Connect's CreateConnectorRequest.
type createBody struct {
	Name    string   `json:"name"`
	Config  settings `json:"config"`
	Initial *string  `json:"initial_state"`
}

// create answers POST /connectors.
func (s *Server) create(w http.ResponseWriter, r *http.Request) {
	var body createBody
	if !readJSON(w, r, maxConfig, &body) {
		return
	}
	name, target := strings.TrimSpace(body.Name), desired.Running
	noteShop(w, name)
	if body.Config == nil {
		writeError(w, http.StatusBadRequest, `the body has no "config"`)
		return
	}
	if body.Initial != nil {
		target = desired.Target(strings.ToUpper(*body.Initial))
	}
	switch target {
	case desired.Running, desired.Paused, desired.Stopped:
	default:
		writeError(w, http.StatusBadRequest, "initial_state must be RUNNING, PAUSED or STOPPED")
		return
	}
	sent, ok := named(w, name, values(body.Config))
	if !ok {
		return
	}
	err := s.Fleet.Create(r.Context(), name, sent, target, caller(r))
	if !s.configRefused(w, r, name, err) {
		s.made(w, r, name, http.StatusCreated)
	}
}

// putConfig answers PUT /connectors/{name}/config, which creates a connector that does not
// exist.
func (s *Server) putConfig(w http.ResponseWriter, r *http.Request) {
	var body settings
	if !readJSON(w, r, maxConfig, &body) {
		return
	}
	name := strings.TrimSpace(r.PathValue("name"))
	sent, ok := named(w, name, values(body))
	if !ok {
		return
	}
	isNew, err := s.Fleet.Configure(r.Context(), name, sent, caller(r))
	switch {
	case s.configRefused(w, r, name, err):
	case isNew:
		s.made(w, r, name, http.StatusCreated)
	default:
		s.made(w, r, name, http.StatusOK)
	}
}

// patchConfig answers PATCH /connectors/{name}/config.
func (s *Server) patchConfig(w http.ResponseWriter, r *http.Request) {
	var changes settings
	if !readJSON(w, r, maxConfig, &changes) {
		return
	}
	if changes == nil {
		writeError(w, http.StatusBadRequest, "the body is null: send an object with the keys to change")
		return
	}
	name := r.PathValue("name")
	if given := changes["name"]; given != nil && *given != name {
		writeError(w, http.StatusBadRequest, nameDiffers(*given, name))
		return
	}
	err := s.Fleet.Patch(r.Context(), name, changes, caller(r))
	if !s.configRefused(w, r, name, err) {
		s.made(w, r, name, http.StatusOK)
	}
}

// remove answers DELETE /connectors/{name}.
func (s *Server) remove(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	err := s.Fleet.Delete(r.Context(), name, caller(r))
	if !s.configRefused(w, r, name, err) {
		w.WriteHeader(http.StatusNoContent)
	}
}

// made answers with the connector that a call has created or changed. Its place is a path
// of this server, under whatever name the client reaches it.
func (s *Server) made(w http.ResponseWriter, r *http.Request, name string, status int) {
	if status == http.StatusCreated {
		w.Header().Set("Location", "/connectors/"+url.PathEscape(name))
	}
	shop, err := s.Fleet.Known(r.Context(), name)
	if err != nil { // deleted in between
		shop = fleet.Shop{Name: name}
	}
	answer := s.describe(shop)
	if answer.Config == nil {
		answer.Config = map[string]string{}
	}
	writeJSON(w, status, answer)
}

// configRefused answers a change of a configuration that was not made, and reports whether
// it was one.
func (s *Server) configRefused(w http.ResponseWriter, r *http.Request, name string, err error) bool {
	var invalid *config.InvalidError
	var own *roster.OwnError
	var authorized *roster.AuthorizedError
	var missing *fleet.UnknownError
	switch {
	case errors.As(err, &invalid):
		writeError(w, http.StatusBadRequest, invalid.Error())
	case errors.As(err, &own):
		writeError(w, http.StatusConflict, own.Error())
	case errors.As(err, &authorized):
		writeError(w, http.StatusConflict, authorized.Error())
	case errors.Is(err, roster.ErrExists):
		writeError(w, http.StatusConflict, "Connector "+name+" already exists")
	case errors.As(err, &missing):
		writeError(w, http.StatusNotFound, notFound(name))
	default:
		return s.refused(w, r, err, "")
	}
	return true
}

// named returns a configuration with its name in it, or refuses it if it has another, or
// no class that is this connector's.
func named(w http.ResponseWriter, name string, sent map[string]string) (map[string]string, bool) {
	given, has := sent["name"]
	class := strings.TrimSpace(sent["connector.class"])
	switch {
	case has && given != name:
		writeError(w, http.StatusBadRequest, nameDiffers(given, name))
	case class == "":
		writeError(w, http.StatusBadRequest, noType)
	case !config.IsConnectorClass(class):
		writeError(w, http.StatusBadRequest, unknownClass(class))
	default:
		sent["name"] = name
		return sent, true
	}
	return nil, false
}

func nameDiffers(given, name string) string {
	return fmt.Sprintf("Connector name configuration (%s) doesn't match connector name in the URL (%s)", shortened(given), shortened(name))
}

// values returns the values that are not null.
func values(sent map[string]*string) map[string]string {
	out := make(map[string]string, len(sent))
	for key, value := range sent {
		if value != nil {
			out[key] = *value
		}
	}
	return out
}
