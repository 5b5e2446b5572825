package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"orderwalk/internal/control"
)

// refusedError is an answer of a worker that is not a success.
type refusedError struct {
	worker    string
	status    int
	text      string // the status, with the message if there is one
	message   string // of the worker; empty = it gave none
	body      string // the start of it
	retry     string // the header Retry-After
	withToken bool   // a token was sent
}

func newRefusedError(c *workerClient, answer *http.Response, body []byte) *refusedError {
	e := &refusedError{worker: c.base, status: answer.StatusCode, text: answer.Status, body: string(body[:min(len(body), 200)]),
		retry: answer.Header.Get("Retry-After"), withToken: c.tokenFile != ""}
	var said struct{ Message string }
	if json.Unmarshal(body, &said) == nil && said.Message != "" {
		e.message = said.Message
		e.text += ": " + said.Message
	}
	return e
}

func (e *refusedError) Error() string {
	return fmt.Sprintf("the worker at %s answers %s", e.worker, e.text)
}

func (e *refusedError) hint() string {
	switch {
	case e.status == http.StatusUnauthorized && e.withToken:
		return "the token in the file that " + tokenFileVariable + " names here is not the worker's"
	case e.status == http.StatusUnauthorized:
		return "set " + tokenFileVariable + " here to a file with the worker's token, or give a client certificate with --cert and --key if the worker takes them"
	case e.status == http.StatusForbidden && strings.Contains(e.message, control.ErrNoCertificate.Error()):
		return "give a certificate that the worker's client authorities signed, with --cert and --key"
	case e.status == http.StatusForbidden:
		return "run the command on the worker's machine (kubectl exec), or through kubectl port-forward with --worker http://127.0.0.1:PORT"
	case e.status == http.StatusTooManyRequests && e.retry != "":
		return "try again in " + e.retry + " s, with the worker's token in the file that " + tokenFileVariable + " names here"
	case e.status == http.StatusNotFound:
		return "is it a worker of orderwalk, and of this version or later?"
	case e.status == http.StatusConflict:
		return "the workers still rebalance, or Kafka does not answer them; see the workers' logs, then try again"
	case e.status == http.StatusBadRequest && strings.Contains(e.body, "HTTP request to an HTTPS server"):
		return "the worker speaks TLS: give --worker https://HOST:PORT, or set ORDERWALK_LISTEN_TLS_CERT_FILE here as for the worker"
	}
	return ""
}

// notReadyError is a worker that cannot answer yet, or at the moment.
type notReadyError struct{ worker, reason string }

func (e *notReadyError) Error() string {
	return fmt.Sprintf("the worker at %s is not ready: %s", e.worker, e.reason)
}

func (e *notReadyError) hint() string {
	return "see the worker's log, and `orderwalk check` where it runs; `orderwalk health --ready` reports when it is ready"
}
