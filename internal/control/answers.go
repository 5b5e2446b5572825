package control

import (
	"encoding/json"
	"net/http"
)

// connectVersion is the version of Kafka Connect whose calls the server answers. Clients
// compare its numbers to decide which calls they may make.
const connectVersion = "3.9.0"

// root is the first answer that Connect's clients request, to identify the server.
func (s *Server) root(w http.ResponseWriter, _ *http.Request) {
	clusterID := ""
	if s.ClusterID != nil {
		clusterID = s.ClusterID()
	}
	writeJSON(w, http.StatusOK, struct {
		Version   string `json:"version"`
		Commit    string `json:"commit"`
		ClusterID string `json:"kafka_cluster_id"`
	}{connectVersion, "orderwalk " + s.Version + " " + s.Commit, clusterID})
}

// health implements Connect's /health: 200 healthy, 503 starting, 500 unhealthy.
func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	type answer struct {
		Status  string `json:"status"`
		Message string `json:"message"`
	}
	switch err := s.check(); {
	case err == nil:
		writeJSON(w, http.StatusOK, answer{"healthy", "Worker has completed startup and is ready to handle requests."})
	case s.wasReady.Load():
		writeJSON(w, http.StatusInternalServerError, answer{"unhealthy", err.Error()})
	default:
		writeJSON(w, http.StatusServiceUnavailable, answer{"starting", err.Error()})
	}
}

// live answers as long as the process can answer at all: a restart does not help a worker
// that waits for Kafka or for the API.
func (s *Server) live(w http.ResponseWriter, _ *http.Request) { writeText(w, "ok\n") }

func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	if err := s.check(); err != nil {
		writeError(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	writeText(w, "ok\n")
}

func (s *Server) check() error {
	if s.Ready != nil {
		if err := s.Ready(); err != nil {
			return err
		}
	}
	s.wasReady.Store(true)
	return nil
}

// writeError writes Connect's error body.
func writeError(w http.ResponseWriter, status int, message string) {
	writeJSON(w, status, struct {
		Code    int    `json:"error_code"`
		Message string `json:"message"`
	}{status, message})
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// An error means that the client has gone away.
	_ = json.NewEncoder(w).Encode(body)
}

func writeText(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte(text))
}
