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

	"orderwalk/internal/config"
	"orderwalk/simulator"
)

const simulateNotes = `
It prints what to put into the environment of orderwalk, or of another program,
to have it read the simulated shops. The same flags give the same orders.
--fault may be repeated: --fault random_606006_rate=0.2 --fault ids_as_number,
or --fault chaos for everything at once. Faults can be changed while it runs:
see /simulator/faults on its address.
--auth says how the shops are called: stable_token, token or static by tokens of
their own, cloud_file or cloud_open as from the vendor's hosting (one shop), or
component as a third-party platform, which they all have authorised.
--token-file is where the hosting's token, or the platform's verify ticket, is
kept for the program that calls.
--push-url has new orders of --live-rate pushed to a listener, signed and
encrypted, as --push-url http://127.0.0.1:8085 for the program on this machine.
`

// simulateCommand serves the simulated API until ctx ends.
func simulateCommand(ctx context.Context, c *call) error {
	now := time.Now().Unix()
	listen := c.flags.String("listen", "127.0.0.1:8084", "`address` to serve on; port 0 takes a free one")
	seed := c.flags.Uint64("seed", 1, "`number` that decides all that looks random")
	shops := c.flags.Int("shops", 1, "`number` of shops")
	orders := c.flags.Int("orders", 10000, "`number` of orders each shop begins with")
	from, to := now-7*24*3600, now
	c.flags.Func("from", "`time` of the first order: unix seconds, RFC 3339 or a date (default 7 days before --to)", setTime(&from))
	c.flags.Func("to", "`time` of the last order (default now)", setTime(&to))
	rate := c.flags.Float64("live-rate", 0, "new orders a second in each shop, from --to on, as a `number`")
	latency := c.flags.Duration("latency", 0, "`time` a list call takes")
	way := simulatedWay{auth: "stable_token"}
	c.flags.StringVar(&way.auth, "auth", way.auth, "`way` to be authorised that is printed")
	c.flags.StringVar(&way.file, "token-file", "", "`file` to keep the cloud token or the verify ticket in")
	pushes := simulatedPush{}
	c.flags.StringVar(&pushes.url, "push-url", "", "`URL` of a push listener that is told of live orders, and of a platform's tickets; without a path")
	c.flags.StringVar(&pushes.token, "push-token", "simulated-push-token", "message `token` that pushes are signed with")
	c.flags.StringVar(&pushes.aesKey, "push-aes-key", strings.Repeat("simulated", 4)+"pushkey", "EncodingAESKey of 43 `characters` that they are encrypted with")
	var faults simulator.Faults
	c.flags.Func("fault", "`name=value` of a fault to switch on, several times if you like", func(text string) error {
		change, err := simulator.ParseFault(text)
		if err != nil {
			return suggestFault(err)
		}
		change(&faults)
		return nil
	})
	if err := c.parse(simulateNotes + faultTable()); err != nil {
		return err
	}
	if !c.isSet("from") {
		from = to - 7*24*3600
	}
	switch {
	case *shops < 1 || *shops > 10000:
		return &usageError{"--shops: give a number from 1 to 10000"}
	case *orders < 0:
		return &usageError{"--orders: give a number that is not negative"}
	case *rate < 0:
		return &usageError{"--live-rate: give a number that is not negative"}
	case *latency < 0:
		return &usageError{"--latency: give a time that is not negative"}
	case from > to:
		return &usageError{"--from: give a time before --to"}
	}
	if err := way.check(*shops); err != nil {
		return err
	}
	if err := pushes.check(); err != nil {
		return err
	}

	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		return fmt.Errorf("open %s: %w", *listen, err)
	}
	world := simulator.Config{Seed: *seed, Faults: faults, Latency: *latency}
	for i := range *shops {
		world.Shops = append(world.Shops, simulatedShop(i, *orders, from, to, *rate))
	}
	way.prepare(&world)
	api := simulator.New(world)
	pusher, err := pushes.pusher(api, world)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	writeEnvironment(c.Out, "http://"+listener.Addr().String(), world, way, from)
	fmt.Fprint(c.Out, pushes.environment())
	return beside(ctx, pusher, func(ctx context.Context) error { return way.serve(ctx, listener, api) })
}

// simulatedShop is a shop with orders over [from, to] and live ones after it.
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

// writeEnvironment prints what makes orderwalk read these shops.
func writeEnvironment(w io.Writer, url string, world simulator.Config, way simulatedWay, from int64) {
	var b strings.Builder
	fmt.Fprintf(&b, "The simulated API listens on %s\n\nexport ORDERWALK_API_URL=%s\nexport ORDERWALK_START_TIME=%d\n", url, url, from)
	b.WriteString(way.environment(world))
	if shops := world.Shops; len(shops) == 1 && way.auth != "component" {
		fmt.Fprintf(&b, "export ORDERWALK_APP_ID=%s\n", shops[0].AppID)
		if name, value := way.secret(shops[0]); name != "" {
			fmt.Fprintf(&b, "export ORDERWALK_%s=%s\n", strings.ToUpper(name), value)
		}
	} else {
		b.WriteString("cat > shops.yaml <<'END'\n" + shopsFile(shops, way) + "END\nexport ORDERWALK_SHOPS_FILE=shops.yaml\n")
	}
	fmt.Fprintln(w, b.String())
}

// shopsFile is a shops file for simulated shops. Their secrets are made up and
// printed for use, which is why they may stand in it.
func shopsFile(shops []simulator.Shop, way simulatedWay) string {
	var b strings.Builder
	b.WriteString("shops:\n")
	for _, s := range shops {
		fmt.Fprintf(&b, "- {app_id: %s", s.AppID)
		if name, value := way.secret(s); name != "" {
			fmt.Fprintf(&b, ", %s: %s", name, value)
		}
		b.WriteString("}\n")
	}
	return b.String()
}

// serveHTTP serves until ctx ends; calls that are under way then are cut off,
// as by a server that goes away.
func serveHTTP(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		// Connections that a fault resets are no news.
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

// suggestFault adds the name that was probably meant.
func suggestFault(err error) error {
	var unknown *simulator.UnknownFaultError
	if !errors.As(err, &unknown) {
		return err
	}
	names := []string{"chaos"}
	for _, f := range simulator.FaultNames() {
		names = append(names, f.Name)
	}
	if near := config.Nearest(unknown.Name, names); near != "" {
		return fmt.Errorf("%w; did you mean %s?", err, near)
	}
	return fmt.Errorf("%w; orderwalk simulate --help lists them", err)
}

// faultTable lists the faults for --help.
func faultTable() string {
	var b strings.Builder
	b.WriteString("\nFaults:\n")
	for _, f := range simulator.FaultNames() {
		fmt.Fprintf(&b, "  %-24s %s (%s)\n", f.Name, f.Meaning, f.Type)
	}
	return b.String()
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
