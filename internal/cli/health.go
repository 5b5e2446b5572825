package cli

import (
	"context"
	"net/http"

	"github.com/spf13/cobra"
)

const healthAbout = `
For container engines without HTTP probes: the image's HEALTHCHECK is this
command. It calls /livez at ORDERWALK_LISTEN: exit code 0 if the worker answers,
else 1. A worker that waits for Kafka or the API counts as alive, since a
restart would not help; --ready calls /readyz instead. If
ORDERWALK_LISTEN_TLS_CERT_FILE is set it calls by https, and accepts any
certificate, since the call carries no secret.

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
	path := "/livez"
	if ready {
		path = "/readyz"
	}
	text, err := askWorker(ctx, settings, http.MethodGet, path)
	if err != nil {
		return err
	}
	_, err = c.Out.Write(text)
	return err
}
