package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"orderwalk/connector"
	"orderwalk/internal/fleet"
	"orderwalk/offsets"
)

// maxOffsets bounds a body with offsets; a checkpoint of a week's windows takes 12 MB.
const maxOffsets = 32 << 20

// Texts of Kafka Connect.
const (
	altered     = "The offsets for this connector have been altered successfully"
	reset       = "The offsets for this connector have been reset successfully"
	noPartition = "Partition objects cannot be null"
	noOffsets   = "Partitions / offsets need to be provided for an alter offsets request"
	notStopped  = "Connectors must be in the STOPPED state before their offsets can be modified. This can be done for the specified connector by issuing a 'PUT' request to the '/connectors/%s/stop' endpoint"
)

// offsetsBody is Connect's ConnectorOffsets.
type offsetsBody struct {
	Offsets []offsets.Entry `json:"offsets"`
}

// offsets answers GET /connectors/{name}/offsets.
func (s *Server) offsets(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	entries, err := s.Fleet.Offsets(r.Context(), name)
	if !s.offsetsRefused(w, r, name, err) {
		writeJSON(w, http.StatusOK, offsetsBody{entries})
	}
}

// alterOffsets answers PATCH /connectors/{name}/offsets.
func (s *Server) alterOffsets(w http.ResponseWriter, r *http.Request) {
	if !isJSON(r) {
		writeError(w, http.StatusUnsupportedMediaType, notJSON)
		return
	}
	var body offsetsBody
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxOffsets))
	dec.UseNumber()
	dec.DisallowUnknownFields()
	err := dec.Decode(&body)
	if err == nil {
		if _, more := dec.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("more than one JSON value")
		}
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		writeError(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("the body has more than %d bytes", maxOffsets))
		return
	}
	if err != nil {
		writeError(w, http.StatusBadRequest, "The body is not the offsets of a connector: "+err.Error())
		return
	}
	if len(body.Offsets) == 0 {
		writeError(w, http.StatusBadRequest, noOffsets)
		return
	}
	for _, entry := range body.Offsets {
		if entry.Partition == nil {
			writeError(w, http.StatusBadRequest, noPartition)
			return
		}
	}
	s.alter(w, r, body.Offsets, altered)
}

// resetOffsets answers DELETE /connectors/{name}/offsets.
func (s *Server) resetOffsets(w http.ResponseWriter, r *http.Request) { s.alter(w, r, nil, reset) }

func (s *Server) alter(w http.ResponseWriter, r *http.Request, entries []offsets.Entry, done string) {
	name := r.PathValue("name")
	dry, err := dryRun(r)
	if err != nil {
		writeError(w, http.StatusBadRequest, err.Error())
		return
	}
	again, err := s.Fleet.Alter(r.Context(), name, entries, dry)
	switch {
	case s.offsetsRefused(w, r, name, err):
	case dry:
		writeJSON(w, http.StatusOK, again)
	default:
		writeJSON(w, http.StatusOK, map[string]string{"message": done})
	}
}

// dryRun reports whether a call only asks what it would change. Other parameters that are
// not understood count as not given, as with Connect; this one would alter what its caller
// only wanted to look at.
func dryRun(r *http.Request) (dry bool, err error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	for name := range query {
		if name != "dry_run" && strings.EqualFold(notWord.Replace(name), "dryrun") {
			err = errDryRun // misspelt
		}
	}
	for i, given := range query["dry_run"] {
		one, wrong := strconv.ParseBool(given)
		if wrong != nil || i > 0 && one != dry {
			err = errDryRun
		}
		dry = one
	}
	if err != nil {
		return false, errDryRun
	}
	return dry, nil
}

// notWord removes what may be between the words of a parameter.
var notWord = strings.NewReplacer("_", "", "-", "", " ", "")

var errDryRun = errors.New("the query is not understood, so nothing was changed: give dry_run=true, or no dry_run")

// offsetsRefused answers a call about offsets that failed, and reports whether it did.
func (s *Server) offsetsRefused(w http.ResponseWriter, r *http.Request, name string, err error) bool {
	var missing *fleet.UnknownError
	var notYet *fleet.NotStoppedError
	var bad *offsets.EntryError
	switch {
	case errors.As(err, &missing):
		writeError(w, http.StatusNotFound, notFound(name))
	case errors.As(err, &notYet):
		writeError(w, http.StatusBadRequest, fmt.Sprintf(notStopped, notYet.Name))
	case errors.As(err, &bad):
		writeError(w, http.StatusBadRequest, bad.Error())
	case errors.Is(err, connector.ErrBusy):
		writeError(w, http.StatusConflict, conflicting)
	default:
		return s.refused(w, r, err, "")
	}
	return true
}
