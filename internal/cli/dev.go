package cli

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"orderwalk/connector"
	"orderwalk/internal/config"
	"orderwalk/simulator"
)

const devNotes = `
It starts Kafka (in this process), a simulated order-list API with two shops,
one with a long history and one where orders keep coming, and the connector
between them. What it writes is kept in the data folder: the next start goes on
where this one ended, also after kill -9. Delete the folder to begin anew.
Every ORDERWALK_ variable applies. With ORDERWALK_AUTH the shops are called that
way: by cloud_file or cloud_open the second one only, as from its hosting. With
ORDERWALK_KAFKA_BROKERS or ORDERWALK_API_URL your own Kafka or API takes the
place of the built-in one.
`

// The simulated world: the long history takes a few seconds to read, so that
// there is something to see.
const (
	devHistory     = 100_000
	devHistoryDays = 30
	devRecent      = 2_000
	devRecentDays  = 2
	devLiveRate    = 2
)

const devExamples = `
  orderwalk dev
  orderwalk dev --data /tmp/demo --orders 5000
`

// devCommand is everything on this machine.
func devCommand(streams Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use: "dev", Short: "all of it on this machine: Kafka, the API and the connector",
		Long: devNotes, Example: devExamples, Args: noArguments,
	}
	dir := cmd.Flags().String("data", "orderwalk-dev", "`folder` for topics, checkpoints and the simulated world")
	orders := cmd.Flags().Int("orders", 0, fmt.Sprintf("`number` of orders in the long history of a new world (default %d)", devHistory))
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return runDev(cmd.Context(), streams, *dir, *orders) }
	completesFolders(cmd, "data")
	return cmd
}

// runDev runs everything on this machine.
func runDev(ctx context.Context, c Streams, dir string, orders int) error {
	if orders < 0 {
		return &usageError{"--orders: give a number above 0"}
	}
	data, err := openDevData(dir, orders)
	if err != nil {
		return err
	}
	defer data.close()

	api, err := listenAgain(ctx, &data.APIPort)
	if err != nil {
		return err
	}
	defer api.Close()
	page, err := listenAgain(ctx, &data.ListenPort)
	if err != nil {
		return err
	}
	defer page.Close()
	broker, err := startBroker(ctx, data)
	if err != nil {
		return err
	}
	defer broker.close()
	if err := data.save(); err != nil {
		return err
	}

	way := simulatedWay{auth: os.Getenv("ORDERWALK_AUTH")}
	world := simulator.Config{Seed: data.Seed, Shops: devShops(data.devWorld)}
	start := world.Shops[0].Backlog.From
	if way.cloud() {
		world.Shops = world.Shops[1:]
	}
	switch way.auth {
	case "cloud_file":
		way.file = filepath.Join(data.dir, "cloudbase_access_token")
	case "component":
		way.file = filepath.Join(data.dir, "verify_ticket")
	}
	way.prepare(&world)
	defaults, err := devDefaults(data, world.Shops, way, start, broker.addr, api.Addr().String(), page.Addr().String())
	if err != nil {
		return err
	}
	cfg, err := config.Load(defaults)
	if err != nil {
		return err
	}
	if os.Getenv("ORDERWALK_LISTEN") != "" {
		page.Close()
		page = nil
	}
	fmt.Fprint(c.Out, devWelcome(data.dir, cfg, page))

	log, show := devLog(c, cfg)
	w := worker{cfg: cfg, log: log, defaults: defaults}
	if page != nil {
		w.listener = page
	}

	// Broker and API go last: the connector needs both to end in order.
	serving, stopServing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopServing()
	watching, stopWatching := context.WithCancel(serving)
	defer stopWatching()
	group, walking := errgroup.WithContext(ctx)
	w.started = func(status func() []connector.ShopStatus) {
		group.Go(func() error {
			show(watching, status)
			return nil
		})
	}
	group.Go(func() error {
		return way.serve(serving, api, simulator.New(world))
	})
	group.Go(func() error {
		defer stopServing()
		return w.run(walking)
	})
	return group.Wait()
}

// listenAgain listens where the last run did, or elsewhere, and notes where.
func listenAgain(ctx context.Context, port *int) (net.Listener, error) {
	l, bound, err := listenLoopback(ctx, *port)
	*port = bound
	return l, err
}

func devShops(w devWorld) []simulator.Shop {
	const day = 24 * 3600
	return []simulator.Shop{
		simulatedShop(0, w.Orders, w.Started-devHistoryDays*day, w.Started, 0),
		simulatedShop(1, devRecent, w.Started-devRecentDays*day, w.Started, devLiveRate),
	}
}

// devDefaults are the settings of dev; the user's own go before them.
func devDefaults(data *devData, shops []simulator.Shop, way simulatedWay, start int64, broker, api, page string) (map[string]string, error) {
	d := map[string]string{
		"ORDERWALK_KAFKA_BROKERS":      broker,
		"ORDERWALK_API_URL":            "http://" + api,
		"ORDERWALK_LISTEN":             page,
		"ORDERWALK_WORKER_ID":          "dev",
		"ORDERWALK_OFFSETS_PARTITIONS": "4",
		"ORDERWALK_START_TIME":         strconv.FormatInt(start, 10),
		// Orders should show soon after they came into being.
		"ORDERWALK_POLL_INTERVAL": "2s",
		"ORDERWALK_SETTLE_DELAY":  "3s",
		"ORDERWALK_LOOKBACK":      "1m",
		"ORDERWALK_LOG_FORMAT":    "text",
	}
	switch way.auth {
	case "cloud_file":
		d["ORDERWALK_CLOUD_TOKEN_FILE"] = way.file
	case "component":
		key, err := data.stateKey()
		if err != nil {
			return nil, err
		}
		d["ORDERWALK_STATE_KEY_FILE"] = key
		d["ORDERWALK_COMPONENT_APP_ID"] = simulatedPlatform.AppID
		d["ORDERWALK_COMPONENT_APP_SECRET"] = simulatedPlatform.Secret
		d["ORDERWALK_COMPONENT_VERIFY_TICKET_FILE"] = way.file
	}
	if os.Getenv("ORDERWALK_APP_ID") == "" && os.Getenv("ORDERWALK_SHOPS_FILE") == "" {
		file, err := data.write("shops.yaml", shopsFile(shops, way))
		if err != nil {
			return nil, err
		}
		d["ORDERWALK_SHOPS_FILE"] = file
	}
	return d, nil
}

// devLog returns the log and what shows the progress: a line on a terminal with
// only warnings above it, or a log line now and then.
func devLog(c Streams, cfg *config.Config) (*slog.Logger, func(context.Context, func() []connector.ShopStatus)) {
	if screen, ok := terminal(c.Err); ok {
		if os.Getenv("ORDERWALK_LOG_LEVEL") == "" {
			cfg.LogLevel = slog.LevelWarn
		}
		line := &statusLine{w: screen}
		return newLog(cfg, line), func(ctx context.Context, status func() []connector.ShopStatus) {
			draw(ctx, line, func() int { return width(screen) }, status)
		}
	}
	log := newLog(cfg, c.Err)
	return log, func(ctx context.Context, status func() []connector.ShopStatus) { logProgress(ctx, log, status) }
}

// devWelcome says where everything is and what to do next.
func devWelcome(dir string, cfg *config.Config, page net.Listener) string {
	address := cfg.Listen
	if page != nil {
		address = page.Addr().String()
	}
	if host, port, err := net.SplitHostPort(address); err == nil && host == "" {
		address = net.JoinHostPort("127.0.0.1", port)
	}
	brokers := strings.Join(cfg.Kafka.Brokers, ",")
	var b strings.Builder
	fmt.Fprintf(&b, "Kafka          %s\nAPI            %s\nConnector      http://%s  (/metrics, /health, /readyz)\nData           %s\n\n",
		brokers, cfg.APIURL, address, dir)
	fmt.Fprintf(&b, "See the orders, in another terminal:\n\n  ORDERWALK_KAFKA_BROKERS=%s %s tail --follow\n\nCtrl-C stops; the next start goes on from here.\n\n",
		brokers, selfCommand())
	return b.String()
}

// selfCommand is how the user started this program.
func selfCommand() string {
	if path, err := os.Executable(); err == nil && strings.Contains(path, string(filepath.Separator)+"go-build") {
		return "go run ."
	}
	return os.Args[0]
}
