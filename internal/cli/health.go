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

	"github.com/spf13/cobra"

	"orderwalk/internal/config"
)

// healthTimeout bounds the wait for the worker's answer.
const healthTimeout = 5 * time.Second

const healthAbout = `
For container engines without HTTP probes: the image's HEALTHCHECK is this
command. It calls /livez at ORDERWALK_LISTEN: exit code 0 if the worker answers,
else 1. A worker that waits for Kafka or the API counts as alive, since a
restart would not help; --ready calls /readyz instead.

If ORDERWALK_KAFKA_BROKERS and ORDERWALK_LISTEN are unset, it asks the orderwalk
dev that runs in --data, if any.
`

const healthExamples = `
  orderwalk health
  ORDERWALK_LISTEN=:9000 orderwalk health --ready
`

// healthCommand asks the worker on this machine, or in this container, for its
// health.
func healthCommand(streams Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use: "health", Short: "ask the worker on this machine for its health",
		Long: healthAbout, Example: healthExamples, Args: noArguments,
	}
	ready := cmd.Flags().Bool("ready", false, "ask whether the worker owns its share of the shops, not only whether it is alive")
	data := dataFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		settings, err := data.settings(streams.Err, "ORDERWALK_KAFKA_BROKERS", "ORDERWALK_LISTEN")
		if err != nil {
			return err
		}
		return askHealth(cmd.Context(), streams, settings, *ready)
	}
	return cmd
}

func askHealth(ctx context.Context, c Streams, settings map[string]string, ready bool) error {
	address, err := config.Listen(settings)
	if err != nil {
		return err
	}
	path := "/livez"
	if ready {
		path = "/readyz"
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	address = loopback(address)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		return fmt.Errorf("ask the worker at %s: %w", address, err)
	}
	client := http.Client{Transport: &http.Transport{}} // without a proxy
	answer, err := client.Do(request)
	if err != nil {
		return &healthError{address, err}
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(answer.Body, 1000)) // a partial text is useful too
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the worker at %s answers %s: %s", address, answer.Status, strings.TrimSpace(string(text)))
	}
	_, err = c.Out.Write(text)
	return err
}

// healthError reports that the worker does not answer.
type healthError struct {
	address string
	err     error
}

func (e *healthError) Error() string {
	err := e.err
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	return fmt.Sprintf("ask the worker at %s: %v", e.address, err)
}

func (e *healthError) Unwrap() error { return e.err }

func (e *healthError) hint() string {
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
