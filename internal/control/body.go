package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
)

// notJSON is the message of a 415: Connect's, and what to do.
const notJSON = "HTTP 415 Unsupported Media Type: send Content-Type: application/json"

// isJSON reports whether a request says that its body is JSON. As with Connect a body
// without a type is refused; pages of other sites can send those without being asked for
// permission.
func isJSON(r *http.Request) bool {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && kind == "application/json"
}

// isForm reports whether a request has a type of body that pages of other sites can send
// without being asked for permission. Old browsers do not say that it is such a page.
func isForm(r *http.Request) bool {
	kind, _, _ := strings.Cut(strings.ToLower(r.Header.Get("Content-Type")), ";")
	switch strings.TrimSpace(kind) {
	case "application/x-www-form-urlencoded", "multipart/form-data", "text/plain":
		return true
	}
	return false
}

// readJSON reads a JSON body of at most that many bytes, or refuses it. Unknown fields are
// refused: a misspelt "only_failed" would restart all. What it answers quotes nothing: a
// secret may be in the body.
func readJSON(w http.ResponseWriter, r *http.Request, most int64, into any) bool {
	if !isJSON(r) {
		writeError(w, http.StatusUnsupportedMediaType, notJSON)
		return false
	}
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, most))
	dec.DisallowUnknownFields()
	err := dec.Decode(into)
	if err == nil {
		if _, more := dec.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("more than one JSON value")
		}
	}
	var tooLarge *http.MaxBytesError
	var wrong *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case err == nil:
		return true
	case errors.As(err, &tooLarge):
		writeError(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("the body has more than %d bytes", most))
	case errors.As(err, &wrong):
		writeError(w, http.StatusBadRequest, fmt.Sprintf("the body is not what this call expects: a %s at byte %d", strings.Fields(wrong.Value)[0], wrong.Offset))
	case errors.As(err, &syntax):
		writeError(w, http.StatusBadRequest, fmt.Sprintf("the body is not JSON: a fault at byte %d", syntax.Offset))
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		writeError(w, http.StatusBadRequest, "the body is not JSON: it is empty or cut off")
	case strings.Contains(err.Error(), "unknown field"):
		writeError(w, http.StatusBadRequest, "the body is not what this call expects: it has a field that this call does not know")
	default:
		writeError(w, http.StatusBadRequest, "the body is not what this call expects: it has more than one JSON value, or cannot be read")
	}
	return false
}
