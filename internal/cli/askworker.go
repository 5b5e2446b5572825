package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"orderwalk/internal/config"
)

// askTimeout bounds the wait for the worker's answer.
const askTimeout = 5 * time.Second

// askWorker makes an HTTP call to the worker at ORDERWALK_LISTEN, for commands that
// need a running worker of this machine. It returns the body of an answer with a
// status of success; any other is an error. The settings are as in
// devFolderFlag.settings.
func askWorker(ctx context.Context, settings map[string]string, method, path string) ([]byte, error) {
	address, err := config.Listen(settings)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	encrypted, err := config.ListensTLS(settings)
	if err != nil {
		return nil, err
	}
	address = loopback(address)
	request, err := http.NewRequestWithContext(ctx, method, scheme(encrypted)+"://"+address+path, nil)
	if err != nil {
		return nil, fmt.Errorf("ask the worker at %s: %w", address, err)
	}
	answer, err := probeClient().Do(request)
	if err != nil {
		return nil, &workerError{address, err, false}
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(answer.Body, 1000)) // a partial text is useful too
	if answer.StatusCode/100 != 2 {
		return nil, fmt.Errorf("the worker at %s answers %s: %s", address, answer.Status, strings.TrimSpace(string(text)))
	}
	return text, nil
}

// workerError reports that the worker does not answer.
type workerError struct {
	address string
	err     error
	given   bool // --worker names it
}

func (e *workerError) Error() string {
	err := e.err
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	return fmt.Sprintf("ask the worker at %s: %v", e.address, err)
}

func (e *workerError) Unwrap() error { return e.err }

func (e *workerError) hint() string {
	var name *net.DNSError
	switch {
	case errors.Is(e.err, syscall.ECONNREFUSED) && e.given:
		return "no worker listens there: check the URL of --worker, and that orderwalk run is up"
	case errors.Is(e.err, syscall.ECONNREFUSED):
		hint := "no worker listens there: check that orderwalk run is up and has the same ORDERWALK_LISTEN"
		if os.Getenv("ORDERWALK_KAFKA_BROKERS")+os.Getenv("ORDERWALK_LISTEN") == "" {
			hint += "; neither ORDERWALK_LISTEN nor ORDERWALK_KAFKA_BROKERS is set here, and no orderwalk dev runs in ./" + devFolder
		}
		return hint
	case errors.Is(e.err, context.DeadlineExceeded):
		return "a program listens there but does not answer; see the worker's log"
	case errors.Is(e.err, http.ErrSchemeMismatch):
		return "the worker speaks plain HTTP: give --worker http://HOST:PORT, or unset ORDERWALK_LISTEN_TLS_CERT_FILE here"
	case errors.As(e.err, &name):
		return "that name has no address here; check the URL of --worker"
	}
	if hint := tlsHint(e.err); hint != "" {
		return hint
	}
	if e.given {
		return "check the URL of --worker"
	}
	return "check that ORDERWALK_LISTEN is the same as the worker's"
}
