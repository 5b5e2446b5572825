package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	address = loopback(address)
	request, err := http.NewRequestWithContext(ctx, method, "http://"+address+path, nil)
	if err != nil {
		return nil, fmt.Errorf("ask the worker at %s: %w", address, err)
	}
	client := http.Client{Transport: &http.Transport{}} // without a proxy
	answer, err := client.Do(request)
	if err != nil {
		return nil, &workerError{address, err}
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
	switch {
	case errors.Is(e.err, syscall.ECONNREFUSED):
		hint := "no worker listens there: check that orderwalk run is up and has the same ORDERWALK_LISTEN"
		if os.Getenv("ORDERWALK_KAFKA_BROKERS")+os.Getenv("ORDERWALK_LISTEN") == "" {
			hint += "; neither ORDERWALK_LISTEN nor ORDERWALK_KAFKA_BROKERS is set here, and no orderwalk dev runs in ./" + devFolder
		}
		return hint
	case errors.Is(e.err, context.DeadlineExceeded):
		return "a program listens there but does not answer; see the worker's log"
	}
	return "check that ORDERWALK_LISTEN is the same as the worker's"
}
