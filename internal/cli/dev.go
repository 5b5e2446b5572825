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
one with a long history and one with new orders every second, and the connector
between them. They listen on 127.0.0.1, ports 9092, 8084 and 8083, or the next
free ones. dev stores its data in the data folder: the next start resumes there,
also after kill -9; --fresh starts over.

tail, check, plan, health, status and what steers shops find a running dev by
its folder, in the directory where it was started; elsewhere give them --data
too.

Every ORDERWALK_ variable applies. ORDERWALK_AUTH sets how the shops are called;
with cloud_file or cloud_open only the second one is, as from its hosting. Set
ORDERWALK_KAFKA_BROKERS or ORDERWALK_API_URL to use your own Kafka or API
instead of the built-in one.
`

// The simulated world. Reading the long history takes a few seconds, so that its
// progress is visible.
const (
	devHistory     = 100_000
	devHistoryDays = 30
	devRecent      = 2_000
	devRecentDays  = 2
	devLiveRate    = 2
)

// Where dev listens if these ports are free.
const (
	devKafkaPort  = 9092
	devAPIPort    = 8084
	devListenPort = 8083
)

const devExamples = `
  orderwalk dev
  orderwalk dev --data /tmp/demo --orders 5000
`

// devCommand runs Kafka, the API simulator and the connector on this machine.
func devCommand(streams Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use: "dev", Short: "run everything on this machine: Kafka, the API and the connector",
		Long: devNotes, Example: devExamples, Args: noArguments,
	}
	dir := cmd.Flags().String("data", devFolder, "`folder` for topics, checkpoints and the simulated world")
	orders := cmd.Flags().Int("orders", 0, fmt.Sprintf("`number` of orders in the long history of a new world (default %d)", devHistory))
	fresh := cmd.Flags().Bool("fresh", false, "delete the data of an earlier dev in the data folder")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return runDev(cmd.Context(), streams, *dir, *orders, *fresh)
	}
	completesFolders(cmd, "data")
	return cmd
}

// runDev opens the data folder and the ports, and runs broker, simulator and
// worker until ctx ends or one of them fails.
func runDev(ctx context.Context, c Streams, dir string, orders int, fresh bool) error {
	if orders < 0 || orders > mostOrders {
		return &usageError{fmt.Sprintf("--orders: give a number from 1 to %d", mostOrders)}
	}
	data, err := openDevData(dir, orders, fresh)
	if err != nil {
		return err
	}
	defer data.close()

	var ports devPorts
	api, err := ports.listen(ctx, "API_URL", devAPIPort)
	if err != nil {
		return err
	}
	defer api.Close()
	page, err := ports.listen(ctx, "LISTEN", devListenPort)
	if err != nil {
		return err
	}
	defer page.Close()
	kafka, err := ports.listen(ctx, "KAFKA_BROKERS", devKafkaPort)
	if err != nil {
		return err
	}
	defer kafka.Close()

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
	defaults, err := devDefaults(data, world.Shops, way, start, kafka.Addr().String(), api.Addr().String(), page.Addr().String())
	if err != nil {
		return err
	}
	cfg, err := config.Load(defaults)
	if err != nil {
		return err
	}
	settings := devSettings(defaults)
	if os.Getenv("ORDERWALK_LISTEN") != "" {
		page.Close()
		if page, err = net.Listen("tcp", cfg.Listen); err != nil {
			return fmt.Errorf("open %s: %w", cfg.Listen, err)
		}
		settings["ORDERWALK_LISTEN"] = loopback(page.Addr().String())
	}
	if err := data.writeJSON(runningName, runningDev{os.Getpid(), settings}); err != nil {
		return err
	}
	broker, err := startBroker(kafka, data)
	if err != nil {
		return err
	}
	defer func() {
		broker.close()
		_ = os.Remove(filepath.Join(data.dir, runningName)) // if it stays, the next start repairs needlessly
	}()
	fmt.Fprint(c.Out, ports.taken()+devWelcome(dir, data, cfg, page.Addr(), broker.recovered))

	shown := progress{before: broker.recovered.orders(cfg.OrdersTopics)}
	if os.Getenv("ORDERWALK_KAFKA_BROKERS") != "" {
		shown = progress{since: sinceStart}
	}
	w := worker{cfg: cfg, defaults: defaults, listener: page}
	show := w.devLog(c, shown)

	// Broker and API stop last: the connector needs both for an orderly end.
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
	if err = group.Wait(); err != nil {
		// Its Kafka only says "Unknown" of a disk that is full.
		if full := data.tryWrite(); full != nil {
			return fmt.Errorf("%w; %w", err, full)
		}
	}
	return err
}

func devShops(w devWorld) []simulator.Shop {
	const day = 24 * 3600
	return []simulator.Shop{
		simulatedShop(0, w.Orders, w.Started-devHistoryDays*day, w.Started, 0),
		simulatedShop(1, devRecent, w.Started-devRecentDays*day, w.Started, devLiveRate),
	}
}

// devDefaults returns the settings of dev; variables that the user sets take
// precedence.
func devDefaults(data *devData, shops []simulator.Shop, way simulatedWay, start int64, broker, api, page string) (map[string]string, error) {
	d := map[string]string{
		"ORDERWALK_KAFKA_BROKERS":      broker,
		"ORDERWALK_API_URL":            "http://" + api,
		"ORDERWALK_LISTEN":             page,
		"ORDERWALK_WORKER_ID":          "dev",
		"ORDERWALK_OFFSETS_PARTITIONS": "4",
		"ORDERWALK_START_TIME":         strconv.FormatInt(start, 10),
		// Publish new orders within seconds.
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

// devLog sets the log and returns the function that shows the progress: a line on a
// terminal with only warnings above it, or periodic log lines.
func (w *worker) devLog(c Streams, p progress) func(context.Context, func() []connector.ShopStatus) {
	if screen, ok := terminal(c.Err); ok {
		if os.Getenv("ORDERWALK_LOG_LEVEL") == "" {
			w.cfg.LogLevel = slog.LevelWarn
		}
		line := &statusLine{w: screen}
		w.log, w.levels = newLog(w.cfg, line)
		return func(ctx context.Context, status func() []connector.ShopStatus) {
			p.draw(ctx, line, func() int { return width(screen) }, status)
		}
	}
	w.log, w.levels = newLog(w.cfg, c.Err)
	return func(ctx context.Context, status func() []connector.ShopStatus) { p.log(ctx, w.log, status) }
}

// devPorts listens on loopback and remembers which ports were in use.
type devPorts struct{ inUse []string }

// listen listens on the port or the next free one; on any free port if the
// variable replaces the built-in server.
func (p *devPorts) listen(ctx context.Context, variable string, port int) (net.Listener, error) {
	var lc net.ListenConfig
	if os.Getenv("ORDERWALK_"+variable) == "" {
		for next := port; next < port+100; next++ {
			l, err := lc.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(next)))
			if err != nil {
				continue
			}
			if next != port {
				p.inUse = append(p.inUse, strconv.Itoa(port))
			}
			return l, nil
		}
	}
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("open a port on loopback: %w", err)
	}
	return l, nil
}

// taken returns a line about the ports that were in use, if any.
func (p *devPorts) taken() string {
	if len(p.inUse) == 0 {
		return ""
	}
	return fmt.Sprintf("In use by another program: %s %s; dev uses the next free one.\n", plural(len(p.inUse), "port"), strings.Join(p.inUse, ", "))
}

// devWelcome returns the addresses, what was resumed, and the next command to
// try.
func devWelcome(dir string, data *devData, cfg *config.Config, page net.Addr, kept recovery) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Kafka          %s\nAPI            %s\nConnector      %s://%s  (/metrics, /health, /readyz)\nData           %s\n",
		strings.Join(cfg.Kafka.Brokers, ","), cfg.APIURL, scheme(cfg.ListenTLS.CertFile != ""), loopback(page.String()), data.dir)
	if !data.created && os.Getenv("ORDERWALK_KAFKA_BROKERS") == "" {
		fmt.Fprintf(&b, "Resumed        %s\n", resumed(kept, cfg.OrdersTopics, data.killed))
	}
	if dir == devFolder {
		dir = ""
	} else {
		dir = " --data " + dir
	}
	fmt.Fprintf(&b, "\nSee the orders, in another terminal:\n\n  %s tail%s --follow\n\nCtrl-C stops; the next start resumes here.\n\n", selfCommand(), dir)
	return b.String()
}

// resumed describes the state that the last process left.
func resumed(kept recovery, topics []string, killed bool) string {
	n := kept.orders(topics)
	text := fmt.Sprintf("%s %s on %s", thousands(n), plural(int(n), "order"), strings.Join(topics, ", "))
	if !killed {
		return text
	}
	text += "; the last run was killed"
	aborted := len(kept.ended)
	for _, committed := range kept.ended { // one at most
		if committed {
			text += ", its last commit was completed"
			aborted--
		}
	}
	if aborted > 0 {
		text += fmt.Sprintf(", %d open %s rolled back", aborted, plural(aborted, "transaction"))
	}
	return text
}

// loopback returns the address to connect to for an address to listen on.
func loopback(address string) string {
	host, port, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return address
}

// selfCommand returns the command that started this program.
func selfCommand() string {
	if path, err := os.Executable(); err == nil && strings.Contains(path, string(filepath.Separator)+"go-build") {
		return "go run ."
	}
	return os.Args[0]
}
