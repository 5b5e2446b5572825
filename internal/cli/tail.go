package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/segmentio/kafka-go"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"orderwalk/internal/config"
	"orderwalk/internal/fleet"
	"orderwalk/internal/kafkaconn"
	"orderwalk/internal/txn"
)

const tailAbout = `
It prints a line for each record: the time its page was read, shop, range, order
ID. It shows committed records only, like a consumer with
isolation.level=read_committed.

If ORDERWALK_KAFKA_BROKERS is unset, it reads from the orderwalk dev that runs
in --data. --shop accepts names and app IDs; a name selects one range of its
shop, an app ID all ranges. Names are those in ORDERWALK_SHOPS_FILE, if set, and
those that a worker knows (--worker, else this machine's).
`

const tailExamples = `
  orderwalk tail --follow
  orderwalk tail --from-beginning --shop red-lantern
  orderwalk tail --lines 1 --json
`

// tailing holds the flags of tail.
type tailing struct {
	fromBeginning, follow, asJSON bool
	lines                         int
	topic, shop                   string
}

// tailCommand prints records of the orders topic.
func tailCommand(streams Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use: "tail", Short: "print the orders topic, committed records only",
		Long: tailAbout, Example: tailExamples, Args: noArguments,
	}
	var t tailing
	flags := cmd.Flags()
	flags.BoolVar(&t.follow, "follow", false, "also print later records, until Ctrl-C")
	flags.BoolVar(&t.fromBeginning, "from-beginning", false, "print all records, not only the newest")
	flags.IntVar(&t.lines, "lines", 10, "`number` of the newest records to print first")
	flags.StringVar(&t.shop, "shop", "", "print only records of this `shop`, by its name or its app ID")
	flags.StringVar(&t.topic, "topic", "", "`topic` to read (default ORDERWALK_TOPIC)")
	flags.BoolVar(&t.asJSON, "json", false, "print each record as JSON, with partition, offset, key, headers and value")
	worker := addWorkerFlags(cmd)
	completes(cmd, "shop", worker.shopNames)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		settings, err := worker.data.settings(streams.Err, "ORDERWALK_KAFKA_BROKERS")
		if err != nil {
			return err
		}
		return runTail(cmd.Context(), streams, settings, t, func() ([]fleet.Shop, error) {
			client, err := worker.client(io.Discard)
			if err != nil {
				return nil, err
			}
			return askShops(cmd.Context(), client)
		})
	}
	return cmd
}

// runTail prints the topic. ask returns the shops that a worker knows.
func runTail(ctx context.Context, c Streams, settings map[string]string, asked tailing, ask func() ([]fleet.Shop, error)) error {
	p := printer{asJSON: asked.asJSON}
	shop := asked.shop
	if asked.lines < 0 || asked.lines > 100_000 {
		return &usageError{"--lines: give a number from 0 to 100000"}
	}
	cfg, err := config.LoadWithoutShops(settings)
	if err != nil {
		return err
	}
	names := tailNames{configured: config.NamedShops(settings), ask: ask}
	one, topic, err := names.topicOf(shop, asked.topic, cfg.Topic)
	if err != nil {
		return err
	}
	p.shop, p.timeRange = one.appID, one.timeRange
	// Warnings are text for people, regardless of LOG_FORMAT.
	log := slog.New(slog.NewTextHandler(c.Err, &slog.HandlerOptions{Level: max(cfg.LogLevel, slog.LevelWarn)}))
	brokers := kafkaconn.New(kafkaConfig(cfg.Kafka, "orderwalk-tail", log))
	defer brokers.Close()
	if _, err := reachKafka(ctx, brokers, log); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	client := &kafka.Client{Addr: brokers.Addr, Transport: brokers.Transport, Timeout: 2 * kafkaconn.DialTimeout}
	partitions, err := countPartitions(ctx, client, topic)
	if err != nil {
		return err
	}

	p.out = bufio.NewWriter(c.Out)
	t := tailer{reader: &txn.Reader{Addr: brokers.Addr, Transport: brokers.Transport, Log: log}, printer: &p, topic: topic, newest: asked.lines,
		count: func(ctx context.Context) (int, error) { return countPartitions(ctx, client, topic) }}
	if asked.fromBeginning {
		t.newest = all
	}
	if err := t.run(ctx, partitions, asked.follow); err != nil && ctx.Err() == nil {
		return err
	}
	if err := p.flush(); err != nil || p.shop == "" || p.lines > 0 || ctx.Err() != nil {
		return err
	}
	return one.noOrders(c.Err, shop, topic)
}

// countPartitions returns the number of partitions of the topic.
func countPartitions(ctx context.Context, client *kafka.Client, topic string) (int, error) {
	answer, err := client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		return 0, fmt.Errorf("describe topic %s: %w", topic, err)
	}
	if len(answer.Topics) != 1 || errors.Is(answer.Topics[0].Error, kafka.UnknownTopicOrPartition) {
		return 0, fmt.Errorf("describe topic %s: it does not exist; check the name (orderwalk run creates the topic at its start)", topic)
	}
	if err := answer.Topics[0].Error; err != nil {
		return 0, fmt.Errorf("describe topic %s: %w", topic, err)
	}
	return len(answer.Topics[0].Partitions), nil
}

// all, as tailer.newest, means from the beginning.
const all = -1

// tailer prints one topic.
type tailer struct {
	reader  *txn.Reader
	printer *printer
	topic   string
	newest  int
	count   func(context.Context) (int, error) // returns the current number of partitions
}

// recountEvery is the interval at which a followed topic is checked for added
// partitions.
const recountEvery = 30 * time.Second

// run prints the existing records, all of them or the newest in time order,
// and then the new ones, reading the partitions in parallel.
func (t *tailer) run(ctx context.Context, partitions int, follow bool) error {
	next, ends := make([]int64, partitions), make([][]txn.Record, partitions)
	there, reading := errgroup.WithContext(ctx)
	for i := range next {
		there.Go(func() (err error) {
			if t.newest == all {
				next[i], err = t.whole(reading, int32(i))
			} else {
				next[i], ends[i], err = t.end(reading, int32(i))
			}
			return err
		})
	}
	if err := there.Wait(); err != nil {
		return err
	}
	held := slices.Concat(ends...)
	slices.SortStableFunc(held, func(a, b txn.Record) int { return a.Time.Compare(b.Time) })
	for _, r := range held[max(0, len(held)-max(0, t.newest)):] {
		if err := t.printer.print(r); err != nil {
			return err
		}
	}
	if err := t.printer.flush(); err != nil || !follow {
		return err
	}
	later, reading := errgroup.WithContext(ctx)
	begin := func(partition int, from int64) {
		later.Go(func() error {
			return t.reader.Follow(reading, t.topic, int32(partition), from, func(r txn.Record) error {
				if err := t.printer.print(r); err != nil {
					return err
				}
				return t.printer.flush()
			})
		})
	}
	for i, from := range next {
		begin(i, from)
	}
	later.Go(func() error {
		for known := len(next); ; {
			select {
			case <-reading.Done():
				return reading.Err()
			case <-time.After(recountEvery):
			}
			// Follow reports errors of the topic.
			for has, _ := t.count(reading); known < has; known++ {
				begin(known, 0)
			}
		}
	})
	return later.Wait()
}

// whole prints the existing records of a partition.
func (t *tailer) whole(ctx context.Context, partition int32) (next int64, err error) {
	from, err := t.reader.First(ctx, t.topic, partition)
	if err != nil {
		return 0, err
	}
	return t.reader.ReadToEnd(ctx, t.topic, partition, from, t.printer.print)
}

// end returns the newest matching records of a partition.
func (t *tailer) end(ctx context.Context, partition int32) (next int64, newest []txn.Record, err error) {
	first, err := t.reader.First(ctx, t.topic, partition)
	if err != nil {
		return 0, nil, err
	}
	last, err := t.reader.Last(ctx, t.topic, partition)
	if err != nil {
		return 0, nil, err
	}
	// Transaction markers, aborted records and other shops' records use offsets
	// too, so an unknown number of offsets yields the lines.
	for reach := 8 * int64(max(1, t.newest)); ; reach *= 8 {
		from := max(first, last-reach)
		newest = nil
		next, err = t.reader.ReadToEnd(ctx, t.topic, partition, from, func(r txn.Record) error {
			if t.printer.wants(r) {
				newest = append(newest, r)
			}
			if len(newest) > 2*t.newest+1000 { // no need to hold them all
				newest = slices.Clone(newest[len(newest)-t.newest:])
			}
			return nil
		})
		if err != nil || len(newest) >= t.newest || from == first {
			return next, newest, err
		}
	}
}

// printer writes records, a line each, from several partitions at once.
type printer struct {
	// shop is the app ID of the only shop to print, timeRange its only range;
	// empty = any.
	shop, timeRange string
	asJSON          bool

	mu    sync.Mutex
	out   *bufio.Writer
	lines int // printed
}

// wants reports whether the record belongs to the requested shop.
func (p *printer) wants(r txn.Record) bool {
	return (p.shop == "" || header(r, "shop") == p.shop) && (p.timeRange == "" || header(r, "time_range") == p.timeRange)
}

func (p *printer) print(r txn.Record) error {
	if !p.wants(r) {
		return nil
	}
	var line string
	if p.asJSON {
		line = jsonLine(r)
	} else {
		line = fmt.Sprintf("%s  %s  %s  %s", r.Time.UTC().Format("2006-01-02T15:04:05.000Z"),
			orDash(header(r, "shop")), orDash(header(r, "time_range")), printable(r.Key))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lines++
	_, err := io.WriteString(p.out, line+"\n")
	return err
}

func (p *printer) flush() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.Flush()
}

// jsonLine returns the whole record as JSON. A value that is valid JSON is
// embedded, any other is base64.
func jsonLine(r txn.Record) string {
	line := struct {
		Partition int32             `json:"partition"`
		Offset    int64             `json:"offset"`
		Timestamp time.Time         `json:"timestamp"`
		Key       string            `json:"key"`
		Headers   map[string]string `json:"headers"`
		Value     any               `json:"value"`
	}{r.Partition, r.Offset, r.Time.UTC(), string(r.Key), map[string]string{}, r.Value}
	for _, h := range r.Headers {
		line.Headers[h.Key] = string(h.Value)
	}
	if json.Valid(r.Value) {
		line.Value = json.RawMessage(r.Value)
	}
	text, err := json.Marshal(line)
	if err != nil { // cannot happen: every field can be encoded
		return fmt.Sprintf(`{"error":%q}`, err)
	}
	return string(text)
}

func header(r txn.Record, name string) string {
	for _, h := range r.Headers {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}

// printable quotes text with control characters, so that records of other
// producers cannot send escape sequences to the terminal.
func printable(b []byte) string {
	if !utf8.Valid(b) || strings.ContainsFunc(string(b), func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Sprintf("%q", b)
	}
	return string(b)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return printable([]byte(s))
}
