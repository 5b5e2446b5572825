package control

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"orderwalk/internal/loglevel"
)

// loggerRoutes are Connect's calls for the levels of loggers. As with Connect, setting
// the level of a logger that does not exist adds it: operators set those of Connect's own
// libraries on every cluster.
func (s *Server) loggerRoutes() []route {
	if s.Levels == nil {
		return nil
	}
	return []route{
		{"GET", "/admin/loggers", false, http.HandlerFunc(s.loggers)},
		{"GET", "/admin/loggers/{logger}", false, http.HandlerFunc(s.logger)},
		{"PUT", "/admin/loggers/{logger}", true, http.HandlerFunc(s.setLogger)},
	}
}

// loggerLevel is Connect's LoggerLevel.
type loggerLevel struct {
	Level    string `json:"level"`
	Modified *int64 `json:"last_modified"` // in milliseconds since 1970; null = never
}

func levelAnswer(l loglevel.Level) loggerLevel {
	answer := loggerLevel{Level: l.Word}
	if !l.Modified.IsZero() {
		at := l.Modified.UnixMilli()
		answer.Modified = &at
	}
	return answer
}

func (s *Server) loggers(w http.ResponseWriter, _ *http.Request) {
	answer := map[string]loggerLevel{}
	for name, level := range s.Levels.All() {
		answer[name] = levelAnswer(level)
	}
	writeJSON(w, http.StatusOK, answer)
}

func (s *Server) logger(w http.ResponseWriter, r *http.Request) {
	level, ok := s.Levels.Get(r.PathValue("logger"))
	if !ok {
		writeError(w, http.StatusNotFound, "Logger "+shortened(r.PathValue("logger"))+" not found.")
		return
	}
	writeJSON(w, http.StatusOK, levelAnswer(level))
}

// setLogger sets a level for this worker or, with scope=cluster, for all of the group. A
// scope that does not exist sets nothing, as with Connect.
func (s *Server) setLogger(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("logger")
	var body struct {
		Level *string `json:"level"`
	}
	if status, err := readBody(w, r, &body); err != nil {
		writeError(w, status, err.Error())
		return
	}
	if body.Level == nil {
		writeError(w, http.StatusBadRequest, "Desired 'level' parameter was not specified in request.")
		return
	}
	switch err := loglevel.Check(name, *body.Level); {
	case errors.Is(err, loglevel.ErrLevel):
		writeError(w, http.StatusNotFound, fmt.Sprintf("invalid log level '%s'.", shortened(*body.Level)))
		return
	case err != nil:
		writeError(w, http.StatusBadRequest, err.Error())
		return
	}
	word := strings.ToUpper(*body.Level)
	if strings.EqualFold(r.URL.Query().Get("scope"), "cluster") {
		s.setClusterLogger(w, r, name, word)
		return
	}
	if scope := r.URL.Query().Get("scope"); scope != "" && !strings.EqualFold(scope, "worker") {
		writeJSON(w, http.StatusOK, []string{}) // nothing is set, as with Connect
		return
	}
	set, err := s.Levels.Set(name, word)
	if err != nil {
		writeError(w, http.StatusBadRequest, err.Error())
		return
	}
	loglevel.Always(s.log()).Info("log level set", "logger", name, "to", word)
	writeJSON(w, http.StatusOK, set)
}

func (s *Server) setClusterLogger(w http.ResponseWriter, r *http.Request, name, word string) {
	if s.ClusterLevel == nil {
		writeError(w, http.StatusNotImplemented, "this worker cannot set levels of other workers; use scope=worker at each of them")
		return
	}
	err := s.ClusterLevel(r.Context(), name, word)
	switch {
	case errors.Is(err, loglevel.ErrTooMany):
		writeError(w, http.StatusBadRequest, err.Error())
	case !s.refused(w, r, err, ""):
		w.WriteHeader(http.StatusNoContent)
	}
}
