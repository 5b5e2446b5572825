package simulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// admin serves the controls under /simulator/; see the package comment.
func (s *Server) admin(w http.ResponseWriter, r *http.Request) {
	switch r.Method + " " + r.URL.Path {
	case "GET /simulator/faults":
		show(w, s.Faults())
	case "PUT /simulator/faults":
		s.changeFaults(w, r, Faults{})
	case "PATCH /simulator/faults":
		s.changeFaults(w, r, s.Faults())
	case "GET /simulator/stats":
		show(w, s.Stats())
	case "GET /simulator/orders":
		if _, until, ok := s.bounds(w, r); ok {
			show(w, s.Orders(r.URL.Query().Get("app_id"), until))
		}
	case "POST /simulator/orders":
		var o Order
		if read(w, r, &o) {
			s.answerChange(w, s.Add(r.URL.Query().Get("app_id"), o))
		}
	case "GET /simulator/changes":
		if from, until, ok := s.bounds(w, r); ok {
			show(w, s.Changes(r.URL.Query().Get("app_id"), from, until))
		}
	case "POST /simulator/changes":
		var c Change
		if read(w, r, &c) {
			s.answerChange(w, s.Update(r.URL.Query().Get("app_id"), c.ID, c.At, c.Status))
		}
	case "GET /simulator/authorizers":
		show(w, s.Authorizers())
	case "POST /simulator/authorizers":
		if a, err := s.Authorize(r.URL.Query().Get("app_id")); err == nil {
			show(w, a)
		} else {
			s.answerChange(w, err)
		}
	case "DELETE /simulator/authorizers":
		s.answerChange(w, s.Revoke(r.URL.Query().Get("app_id")))
	case "GET /simulator/ticket":
		faults := s.Faults()
		show(w, map[string]string{"component_verify_ticket": s.VerifyTicket(s.now(&faults))})
	default:
		http.Error(w, "GET, PUT or PATCH /simulator/faults; GET /simulator/stats; "+
			"GET or POST /simulator/orders or /simulator/changes, with app_id=; "+
			"GET, POST or DELETE /simulator/authorizers, with app_id=; GET /simulator/ticket", http.StatusNotFound)
	}
}

func (s *Server) changeFaults(w http.ResponseWriter, r *http.Request, f Faults) {
	if read(w, r, &f) {
		s.SetFaults(f)
		show(w, f)
	}
}

// bounds parses app_id, from and until; it answers the request if they are invalid.
func (s *Server) bounds(w http.ResponseWriter, r *http.Request) (from, until time.Time, ok bool) {
	in := r.URL.Query()
	if s.shops[in.Get("app_id")] == nil {
		http.Error(w, fmt.Sprintf("unknown shop %q", in.Get("app_id")), http.StatusNotFound)
		return from, until, false
	}
	for name, to := range map[string]*time.Time{"from": &from, "until": &until} {
		text := in.Get(name)
		if text == "" {
			continue
		}
		second, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			http.Error(w, fmt.Sprintf("%s: want unix seconds, not %q", name, text), http.StatusBadRequest)
			return from, until, false
		}
		*to = time.Unix(second, 0)
	}
	return from, until, true
}

// answerChange answers a request for a change, with the error if it failed.
func (s *Server) answerChange(w http.ResponseWriter, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// read decodes a body; it answers the request if the body is invalid.
func read(w http.ResponseWriter, r *http.Request, into any) bool {
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(into)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
	return err == nil
}

func show(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value) // the client may have closed the connection
}
