package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

const (
	// maxBody is far more than any call needs.
	maxBody = 64 << 10
	// longestTicket is several times the length of observed tickets.
	longestTicket = 1024
	// keepTimeout bounds the wait until Kafka has stored a ticket.
	keepTimeout = 10 * time.Second
)

// ticket receives a third-party platform's verify ticket from an operator, in the
// vendor's own JSON. No answer quotes it.
func (s *Server) ticket(w http.ResponseWriter, r *http.Request) {
	if component := r.PathValue("component"); s.Ticket == nil || component != s.Component {
		s.refuse(w, http.StatusNotFound, fmt.Errorf("component %s not found: %w", component, ErrOtherPlatform))
		return
	}
	var body struct {
		Ticket string `json:"component_verify_ticket"`
	}
	if status, err := readBody(w, r, &body); err != nil {
		writeError(w, status, err.Error())
		return
	}
	if err := plausible(body.Ticket); err != nil {
		writeError(w, http.StatusBadRequest, "component_verify_ticket "+err.Error())
		return
	}
	// If the caller goes away the ticket is stored all the same.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), keepTimeout)
	defer cancel()
	if err := s.Ticket(ctx, body.Ticket); err != nil {
		writeError(w, http.StatusServiceUnavailable, fmt.Sprintf("cannot store the ticket: %v; send it again", err))
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// plausible checks that a text can be a ticket.
func plausible(ticket string) error {
	switch {
	case ticket == "":
		return errors.New("is missing or empty")
	case len(ticket) > longestTicket:
		return fmt.Errorf("has %d bytes, more than a ticket", len(ticket))
	case strings.ContainsFunc(ticket, func(r rune) bool { return r <= ' ' || r > '~' }):
		return errors.New("has characters that are not allowed in a ticket, such as spaces or line ends")
	}
	return nil
}

// readBody reads the JSON object of a request, or returns the status and the reason to
// refuse it.
func readBody(w http.ResponseWriter, r *http.Request, into any) (status int, err error) {
	if !isJSON(r) {
		return http.StatusUnsupportedMediaType, errors.New(notJSON)
	}
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch err := decoder.Decode(into); {
	case errors.As(err, &tooLarge):
		return http.StatusRequestEntityTooLarge, fmt.Errorf("the body has more than %d bytes", maxBody)
	case err != nil: // may quote the body
		return http.StatusBadRequest, errors.New("the body is not the JSON object that this call expects")
	}
	if _, more := decoder.Token(); !errors.Is(more, io.EOF) { // More takes a stray bracket for the end
		return http.StatusBadRequest, errors.New("the body has more than one JSON value")
	}
	return 0, nil
}
