package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"orderwalk/internal/config"
	"orderwalk/simulator"
)

const simulateAbout = `
It prints the variables with which orderwalk, or another program, reads the
simulated shops. The same flags generate the same orders.
`

const simulateExamples = `
  orderwalk simulate --shops 20 --orders 1000 --live-rate 0.5
  orderwalk simulate --fault random_606006_rate=0.2 --fault ids_as_number
  orderwalk simulate --fault chaos              everything at once
  orderwalk simulate faults                     list the faults
  orderwalk simulate --auth component --token-file ticket
  orderwalk simulate --live-rate 1 --push-url http://127.0.0.1:8085
`

// simulation holds the flags of simulate.
type simulation struct {
	listen        string
	seed          uint64
	shops, orders int
	from, to      int64
	rate          float64
	latency       time.Duration
	way           simulatedWay
	pushes        simulatedPush
	faults        simulator.Faults
}

// simulateCommand runs the API simulator.
func simulateCommand(streams Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use: "simulate", Short: "serve a simulated order-list API",
		Long: simulateAbout, Example: simulateExamples, Args: noArguments,
	}
	cmd.AddCommand(faultsCommand(streams))
	var s simulation
	flags := cmd.Flags()
	flags.StringVar(&s.listen, "listen", "127.0.0.1:8084", "`address` to serve on; port 0 takes a free one")
	flags.Func("fault", "`name=value` of a fault to enable; may be repeated; see orderwalk simulate faults", func(text string) error {
		change, err := parseFault(text)
		if err == nil {
			change(&s.faults)
		}
		return err
	})
	flags.DurationVar(&s.latency, "latency", 0, "`time` a list call takes, such as 50ms")
	completes(cmd, "fault", completeFault)

	flags.IntVar(&s.shops, "shops", 1, "`number` of shops")
	flags.IntVar(&s.orders, "orders", 10000, "`number` of orders in each shop's history")
	flags.Func("from", "`time` of the first order: unix seconds, RFC 3339 or a date (default 7 days before --to)", setTime(&s.from))
	flags.Func("to", "`time` of the last order (default now)", setTime(&s.to))
	flags.Float64Var(&s.rate, "live-rate", 0, "`number` of new orders a second in each shop, from --to on")
	flags.Uint64Var(&s.seed, "seed", 1, "`number` that seeds all random choices")
	heading(cmd, "Shops and orders", "shops", "orders", "from", "to", "live-rate", "seed")

	flags.StringVar(&s.way.auth, "auth", "stable_token", "`way` to call the shops: stable_token, token or static with each shop's token; cloud_file or cloud_open as from the vendor's hosting (one shop); component as a third-party platform")
	flags.StringVar(&s.way.file, "token-file", "", "`file` to which the hosting's token or the platform's verify ticket is written, for the calling program")
	choices(cmd, "auth", config.Ways()...)
	completesFiles(cmd, "token-file")
	heading(cmd, "Authorisation", "auth", "token-file")

	flags.StringVar(&s.pushes.url, "push-url", "", "`URL` of a push listener, without a path, that receives live orders and a platform's tickets, signed and encrypted")
	flags.StringVar(&s.pushes.token, "push-token", "simulated-push-token", "message `token` to sign pushes with")
	flags.StringVar(&s.pushes.aesKey, "push-aes-key", strings.Repeat("simulated", 4)+"pushkey", "EncodingAESKey of 43 `characters` to encrypt pushes with")
	heading(cmd, "Pushes", "push-url", "push-token", "push-aes-key")

	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if !flags.Changed("to") {
			s.to = time.Now().Unix()
		}
		if !flags.Changed("from") {
			s.from = s.to - 7*24*3600
		}
		return s.serve(cmd.Context(), streams.Out)
	}
	return cmd
}

// mostOrders and mostRate bound what a simulated world holds in memory: four bytes an order.
const (
	mostOrders = 100_000_000
	mostRate   = 10_000
)

// check rejects values out of range, and flags that exclude each other.
func (s *simulation) check() error {
	_, _, listen := net.SplitHostPort(s.listen)
	switch {
	case listen != nil:
		return &usageError{"--listen: give host:port or :port"}
	case s.shops < 1 || s.shops > 10000:
		return &usageError{"--shops: give a number from 1 to 10000"}
	case s.orders < 0 || s.orders > mostOrders/s.shops:
		return &usageError{fmt.Sprintf("--orders: give a number from 0 to %d, of all shops together", mostOrders)}
	case !(s.rate >= 0 && s.rate <= mostRate): // not a number either
		return &usageError{fmt.Sprintf("--live-rate: give a number from 0 to %d", mostRate)}
	case s.latency < 0:
		return &usageError{"--latency: give a time that is not negative"}
	case s.from > s.to:
		return &usageError{"--from: give a time before --to"}
	}
	if err := s.way.check(s.shops); err != nil {
		return err
	}
	return s.pushes.check()
}

// serve serves the simulated API until ctx ends.
func (s *simulation) serve(ctx context.Context, out io.Writer) error {
	if err := s.check(); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", s.listen)
	if err != nil {
		return fmt.Errorf("open %s: %w", s.listen, err)
	}
	world := simulator.Config{Seed: s.seed, Faults: s.faults, Latency: s.latency}
	for i := range s.shops {
		world.Shops = append(world.Shops, simulatedShop(i, s.orders, s.from, s.to, s.rate))
	}
	s.way.prepare(&world)
	api := simulator.New(world)
	pusher, err := s.pushes.pusher(api, world)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	writeEnvironment(out, "http://"+listener.Addr().String(), world, s.way, s.from)
	fmt.Fprint(out, s.pushes.environment())
	return beside(ctx, pusher, func(ctx context.Context) error { return s.way.serve(ctx, listener, api) })
}

// simulatedShop returns a shop with orders over [from, to] and live ones after it.
func simulatedShop(i, orders int, from, to int64, liveRate float64) simulator.Shop {
	s := simulator.Shop{
		AppID:  fmt.Sprintf("wxsimulated%07d", i+1),
		Secret: fmt.Sprintf("simulated-secret-%d", i+1),
	}
	if orders > 0 {
		s.Backlog = simulator.Backlog{Orders: orders, From: from, To: to}
	}
	if liveRate > 0 {
		s.Live = simulator.Live{Rate: liveRate, Since: to + 1}
	}
	return s
}

// writeEnvironment prints the variables with which orderwalk reads these shops.
func writeEnvironment(w io.Writer, url string, world simulator.Config, way simulatedWay, from int64) {
	var b strings.Builder
	fmt.Fprintf(&b, "The simulated API listens on %s\n\nexport ORDERWALK_API_URL=%s\nexport ORDERWALK_START_TIME=%d\n", url, url, from)
	b.WriteString(way.environment(world))
	if shops := world.Shops; len(shops) == 1 && way.auth != "component" {
		fmt.Fprintf(&b, "export ORDERWALK_APP_ID=%s\n", shops[0].AppID)
		if name, value := way.credential(shops[0]); name != "" {
			fmt.Fprintf(&b, "export ORDERWALK_%s=%s\n", strings.ToUpper(name), value)
		}
	} else {
		b.WriteString("cat > shops.yaml <<'END'\n" + shopsFile(shops, way) + "END\nexport ORDERWALK_SHOPS_FILE=shops.yaml\n")
	}
	fmt.Fprintln(w, b.String())
}

// shopsFile returns a shops file for simulated shops. It may contain their
// secrets, which are generated and printed.
func shopsFile(shops []simulator.Shop, way simulatedWay) string {
	var b strings.Builder
	b.WriteString("shops:\n")
	for _, s := range shops {
		fmt.Fprintf(&b, "- {app_id: %s", s.AppID)
		if name, value := way.credential(s); name != "" {
			fmt.Fprintf(&b, ", %s: %s", name, value)
		}
		b.WriteString("}\n")
	}
	return b.String()
}

// serveHTTP serves until ctx ends and then cuts off the calls in flight, like a
// server that dies.
func serveHTTP(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		// Faults reset connections on purpose: log no errors.
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve the simulated API: %w", err)
	case <-ctx.Done():
	}
	closeErr := server.Close()
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the simulated API: %w", err)
	}
	if closeErr != nil {
		return fmt.Errorf("close the simulated API: %w", closeErr)
	}
	return nil
}

func setTime(at *int64) func(string) error {
	return func(text string) (err error) {
		n, err := config.ParseTime(text)
		if err == nil {
			*at = n
		}
		return err
	}
}
