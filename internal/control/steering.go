package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"orderwalk/internal/desired"
	"orderwalk/internal/fleet"
	"orderwalk/internal/grouplog"
)

// answerTimeout is how long a call may wait, for Kafka or another worker: less than
// writeTimeout, so that the caller is told. Connect's is 90 s.
const answerTimeout = 25 * time.Second

// Texts of Kafka Connect that clients look for before they try a call again.
const (
	noLeader    = "Cannot complete request momentarily due to no known leader URL, likely because a rebalance was underway."
	conflicting = "Cannot complete request because of a conflicting operation (e.g. worker rebalance)"
)

// timely ends the context of a call in time for its answer. No commit begins after that, nor
// once the client has gone.
func timely(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), answerTimeout)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// refused answers a call that failed, and reports whether it did. unknown is the start of
// the message for a shop that does not exist. If the client has gone, that is why the call
// failed, and nothing that an operator can act on.
func (s *Server) refused(w http.ResponseWriter, r *http.Request, err error, unknown string) bool {
	var missing *fleet.UnknownError
	switch {
	case err == nil:
		return false
	case errors.As(err, &missing):
		writeError(w, http.StatusNotFound, unknown+missing.Name)
	case errors.Is(err, fleet.ErrStarting), errors.Is(err, grouplog.ErrNotYet):
		writeError(w, http.StatusConflict, noLeader)
	case errors.Is(err, desired.ErrConflict):
		writeError(w, http.StatusConflict, conflicting)
	default:
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("no answer from Kafka within %v: %w", answerTimeout, err)
		}
		level := slog.LevelError
		if errors.Is(r.Context().Err(), context.Canceled) {
			level = slog.LevelDebug
		}
		s.log().Log(r.Context(), level, "cannot do what was asked for over HTTP", "error", err)
		s.refuse(w, http.StatusInternalServerError, err)
	}
	return true
}

// target answers PUT /connectors/{name}/pause, resume and stop.
func (s *Server) target(target desired.Target, status int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		err := s.Fleet.Steer(r.Context(), target, caller(r), r.PathValue("name"))
		if !s.refused(w, r, err, "Unknown connector ") {
			w.WriteHeader(status)
		}
	}
}

// restart answers POST /connectors/{name}/restart. Without includeTasks and onlyFailed
// Connect restarts the connector and not its task; a shop is both.
func (s *Server) restart(w http.ResponseWriter, r *http.Request) {
	name, query := r.PathValue("name"), r.URL.Query()
	tasks, _ := strconv.ParseBool(query.Get("includeTasks"))
	onlyFailed, _ := strconv.ParseBool(query.Get("onlyFailed"))
	find := s.Fleet.Known
	if tasks || onlyFailed { // the answer has its state
		find = s.Fleet.Shop
	}
	shop, err := find(r.Context(), name)
	if err == nil {
		err = s.Fleet.Restart(r.Context(), onlyFailed, caller(r), name)
	}
	switch {
	case s.refused(w, r, err, "Unknown connector: "):
	case tasks || onlyFailed:
		writeJSON(w, http.StatusAccepted, asRestarting(s.stateOf(shop), onlyFailed))
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// restartTask answers POST /connectors/{name}/tasks/{task}/restart.
func (s *Server) restartTask(w http.ResponseWriter, r *http.Request) {
	name, id := r.PathValue("name"), r.PathValue("task")
	if !isNumber(id) {
		notThere(w)
		return
	}
	shop, err := s.Fleet.Known(r.Context(), name)
	if err == nil && len(tasksOf(shop)) == 0 { // another worker may have resumed it
		shop, err = s.Fleet.Latest(r.Context(), name)
	}
	switch {
	case err != nil:
	case id != "0" || len(tasksOf(shop)) == 0:
		writeError(w, http.StatusNotFound, "Unknown task: "+name+"-"+id)
		return
	default:
		err = s.Fleet.Restart(r.Context(), false, caller(r), name)
	}
	if !s.refused(w, r, err, "Unknown connector: ") {
		w.WriteHeader(http.StatusNoContent)
	}
}

// caller names who makes a call, for the log and for what is stored with a change.
func caller(r *http.Request) string { return r.RemoteAddr }
