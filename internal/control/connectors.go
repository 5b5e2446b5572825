package control

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"

	"orderwalk/internal/fleet"
)

// connectors answers GET /connectors: names, or with expand, whatever its value, an object
// for each.
func (s *Server) connectors(w http.ResponseWriter, r *http.Request) {
	expand := r.URL.Query()["expand"]
	if len(expand) == 0 {
		writeJSON(w, http.StatusOK, s.Fleet.Names())
		return
	}
	status, infos := slices.Contains(expand, "status"), slices.Contains(expand, "info")
	shops := s.Fleet.Shops(r.Context())
	// Written as it is encoded: ten thousand shops take megabytes.
	w.Header().Set("Content-Type", "application/json")
	out := bufio.NewWriterSize(w, 32<<10)
	defer out.Flush()
	encode := json.NewEncoder(out)
	first := true
	for _, shop := range shops {
		var described info
		if infos {
			if described = s.describe(shop); described.Config == nil {
				continue // deleted in between
			}
		}
		_ = out.WriteByte(",{"[b2i(first)])
		first = false
		_ = encode.Encode(shop.Name)
		_ = out.WriteByte(':')
		var expanded struct {
			Status *stateInfo `json:"status,omitempty"`
			Info   *info      `json:"info,omitempty"`
		}
		if status {
			state := s.stateOf(shop)
			expanded.Status = &state
		}
		if infos {
			expanded.Info = &described
		}
		_ = encode.Encode(expanded)
	}
	if first {
		_ = out.WriteByte('{')
	}
	_, _ = out.WriteString("}\n")
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// latestTimeout bounds the wait for what other workers have just changed: the rest of
// answerTimeout is for their states.
const latestTimeout = 10 * time.Second

// shops answers GET /shops: every shop with all that is known of it, or with scope=worker
// those that this worker walks; with shop=NAME, too, that one. With latest=true what other
// workers have just changed is known, too, if Kafka can be read.
func (s *Server) shops(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if query.Get("scope") == "worker" {
		writeList(w, s.Fleet.Own(query.Get("shop")))
		return
	}
	if query.Get("latest") == "true" {
		soon, cancel := context.WithTimeout(r.Context(), latestTimeout)
		defer cancel()
		if err := s.Fleet.CatchUp(soon); err != nil {
			s.log().Debug("cannot read the latest state of the shops", "reason", err)
		}
	}
	writeList(w, s.Fleet.Shops(r.Context()))
}

// ofShop answers a call about one shop, which find finds, with what of returns for it. missing is the message
// of a 404, before the name.
func (s *Server) ofShop(find func(ctx context.Context, name string) (fleet.Shop, error), missing func(name string) string, of func(fleet.Shop) any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		name := r.PathValue("name")
		shop, err := find(r.Context(), name)
		if err != nil {
			writeError(w, http.StatusNotFound, missing(name))
			return
		}
		writeJSON(w, http.StatusOK, of(shop))
	}
}

func notFound(name string) string { return "Connector " + name + " not found" }
func noStatus(name string) string { return "No status found for connector " + name }

func (s *Server) tasksInfo(shop fleet.Shop) any {
	tasks := []taskInfo{}
	for _, id := range tasksOf(shop) {
		tasks = append(tasks, taskInfo{id, s.Fleet.Config(shop.Name)})
	}
	return tasks
}

// topics answers GET /connectors/{name}/topics. As with Connect a connector that does not
// exist has none.
func (s *Server) topics(w http.ResponseWriter, r *http.Request) {
	type topics struct {
		Topics []string `json:"topics"`
	}
	name, of := r.PathValue("name"), topics{[]string{}}
	if shop, err := s.Fleet.Known(r.Context(), name); err == nil {
		of.Topics = append(of.Topics, shop.Topic)
	}
	writeJSON(w, http.StatusOK, map[string]topics{name: of})
}

// resetTopics answers PUT /connectors/{name}/topics/reset. Connect forgets the topics that
// it has seen a connector use; the topic of a shop follows from its configuration, so there
// is nothing to forget.
func (s *Server) resetTopics(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusAccepted)
}

// taskStatus answers GET /connectors/{name}/tasks/{task}/status.
func (s *Server) taskStatus(w http.ResponseWriter, r *http.Request) {
	name, id := r.PathValue("name"), r.PathValue("task")
	if !isNumber(id) {
		notThere(w)
		return
	}
	shop, err := s.Fleet.Shop(r.Context(), name)
	if err == nil {
		if state := s.stateOf(shop); id == "0" && len(state.Tasks) == 1 {
			writeJSON(w, http.StatusOK, state.Tasks[0])
			return
		}
	}
	writeError(w, http.StatusNotFound, "No status found for task "+name+"-"+id)
}

// isNumber reports whether a text can be the number of a task.
func isNumber(text string) bool {
	_, err := strconv.ParseInt(text, 10, 32)
	return err == nil
}
