package control

import (
	"context"
	"net/http"

	"orderwalk/internal/desired"
)

// maxNames bounds a body with names of shops: ten thousand take less than 1 MB.
const maxNames = 4 << 20

// chosen is which shops a call concerns: those named by name or app ID, or all.
type chosen struct {
	Shops []string `json:"shops"`
	All   bool     `json:"all"`
}

// targetBody is the body of PUT /shops/target.
type targetBody struct {
	Target desired.Target `json:"target"`
	chosen
}

// restartBody is the body of POST /shops/restart.
type restartBody struct {
	OnlyFailed bool `json:"only_failed"`
	chosen
}

// targetMany answers PUT /shops/target, which sets what is wanted of many shops in one
// transaction: of all of them, or of none after an error.
func (s *Server) targetMany(w http.ResponseWriter, r *http.Request) {
	var body targetBody
	if !readJSON(w, r, maxNames, &body) {
		return
	}
	switch body.Target {
	case desired.Running, desired.Paused, desired.Stopped:
	default:
		writeError(w, http.StatusBadRequest, "target must be RUNNING, PAUSED or STOPPED")
		return
	}
	s.changeMany(w, r, body.chosen, func(ctx context.Context) (int, error) {
		if body.All {
			return s.Fleet.SteerAll(ctx, body.Target, caller(r))
		}
		return len(body.Shops), s.Fleet.Steer(ctx, body.Target, caller(r), body.Shops...)
	})
}

// restartMany answers POST /shops/restart.
func (s *Server) restartMany(w http.ResponseWriter, r *http.Request) {
	var body restartBody
	if !readJSON(w, r, maxNames, &body) {
		return
	}
	s.changeMany(w, r, body.chosen, func(ctx context.Context) (int, error) {
		if body.All {
			return s.Fleet.RestartAll(ctx, body.OnlyFailed, caller(r))
		}
		return len(body.Shops), s.Fleet.Restart(ctx, body.OnlyFailed, caller(r), body.Shops...)
	})
}

// changeMany makes a change to the chosen shops and answers with how many were given, or
// are all.
func (s *Server) changeMany(w http.ResponseWriter, r *http.Request, c chosen, change func(ctx context.Context) (int, error)) {
	if c.All == (len(c.Shops) > 0) {
		writeError(w, http.StatusBadRequest, `give either "shops" with names or "all": true`)
		return
	}
	n, err := change(r.Context())
	if !s.refused(w, r, err, "Unknown connector ") {
		writeJSON(w, http.StatusAccepted, map[string]int{"shops": n})
	}
}
