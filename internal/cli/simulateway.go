package cli

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"orderwalk/internal/config"
	"orderwalk/simulator"
)

// simulatedWay is the auth of simulated shops. Its secrets are generated and
// printed.
type simulatedWay struct {
	auth string // as ORDERWALK_AUTH; "" is stable_token
	file string // receives the cloud token or the verify ticket; "" = none
}

var simulatedPlatform = simulator.Platform{AppID: "wxsimulatedplatform", Secret: "simulated-platform-secret"}

func (w simulatedWay) check(shops int) error {
	switch {
	case !slices.Contains(config.Ways(), w.auth):
		return &usageError{"--auth: give one of " + strings.Join(config.Ways(), ", ")}
	case w.cloud() && shops != 1:
		return &usageError{"--auth " + w.auth + ": the vendor's hosting calls for one shop, give --shops 1"}
	case w.auth == "cloud_file" && w.file == "":
		return &usageError{"--auth cloud_file: give --token-file, which the simulated hosting writes"}
	case w.file != "" && w.auth != "cloud_file" && w.auth != "component":
		return &usageError{"--token-file: goes with --auth cloud_file or component"}
	}
	return nil
}

func (w simulatedWay) cloud() bool { return w.auth == "cloud_file" || w.auth == "cloud_open" }

// prepare adds the tokens and the platform of this auth to the world.
func (w simulatedWay) prepare(world *simulator.Config) {
	world.Cloud.Open = w.auth == "cloud_open"
	for i := range world.Shops {
		switch s := &world.Shops[i]; w.auth {
		case "static":
			s.Token = fmt.Sprintf("simulated-token-%d", i+1)
		case "component":
			s.RefreshToken = fmt.Sprintf("simulated-refresh-token-%d", i+1)
			world.Platform = simulatedPlatform
		}
	}
}

// credential returns the shop's credential as a field of the shops file and its
// value; empty if the shop needs none.
func (w simulatedWay) credential(s simulator.Shop) (name, value string) {
	switch w.auth {
	case "static":
		return "access_token", s.Token
	case "component":
		return "authorizer_refresh_token", s.RefreshToken
	case "cloud_file", "cloud_open":
		return "", ""
	}
	return "app_secret", s.Secret
}

// environment returns the variables of this auth besides those of the shops, as
// shell commands.
func (w simulatedWay) environment(world simulator.Config) string {
	var b strings.Builder
	if w.auth != "stable_token" && w.auth != "" {
		fmt.Fprintf(&b, "export ORDERWALK_AUTH=%s\n", w.auth)
	}
	if w.auth == "cloud_file" {
		fmt.Fprintf(&b, "export ORDERWALK_CLOUD_TOKEN_FILE=%s\n", w.file)
	}
	if w.auth == "component" {
		fmt.Fprintf(&b, "export ORDERWALK_COMPONENT_APP_ID=%s\nexport ORDERWALK_COMPONENT_APP_SECRET=%s\n", world.Platform.AppID, world.Platform.Secret)
		if w.file != "" {
			fmt.Fprintf(&b, "export ORDERWALK_COMPONENT_VERIFY_TICKET_FILE=%s\n", w.file)
		}
		b.WriteString("openssl rand -base64 32 > state.key\nexport ORDERWALK_STATE_KEY_FILE=state.key\n")
	}
	return b.String()
}

// serve serves the API until ctx ends and keeps the file up to date.
func (w simulatedWay) serve(ctx context.Context, listener net.Listener, api *simulator.Server) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return serveHTTP(ctx, listener, api) })
	switch {
	case w.file == "":
	case w.auth == "component":
		group.Go(func() error { return api.KeepVerifyTicket(ctx, w.file) })
	default:
		group.Go(func() error { return api.KeepCloudToken(ctx, w.file) })
	}
	return group.Wait()
}
