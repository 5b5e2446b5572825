package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"orderwalk/internal/backoff"
	"orderwalk/internal/fleet"
)

const statusAbout = `
It prints a line for each shop: its state (and what an operator wants, if that
differs), for how long, up to when all orders are published, how far that is
behind, orders a second over about the last half minute, list calls left of the
day, and the worker; below it the reason, if there is one, and when the calls
run out, if they do not last for the day.

Shops are given by name or by app ID, which means all ranges of the shop. Any
worker of the group can be asked. Exit code 1 if the worker is not ready and
does not know the state of a shop.
`

const statusExamples = `
  orderwalk status
  orderwalk status red-lantern --watch
  orderwalk status --json --worker http://orderwalk:8083
`

// watchInterval is the time between two looks of --watch.
const watchInterval = 2 * time.Second

// statusCommand prints the state of shops.
func statusCommand(streams Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use: "status [SHOP...]", Short: "print the state of each shop",
		Long: statusAbout, Example: statusExamples, DisableFlagsInUseLine: true,
		Args: cobra.ArbitraryArgs,
	}
	asJSON := cmd.Flags().Bool("json", false, "print a JSON array; with --watch, a JSON object a line, with its time in \"at\"")
	watch := cmd.Flags().Bool("watch", false, "print again every 2 s, until Ctrl-C; on a terminal, redraw")
	worker := addWorkerFlags(cmd)
	cmd.ValidArgsFunction = worker.shopNames
	cmd.RunE = func(cmd *cobra.Command, words []string) error {
		client, err := worker.client(streams.Err)
		if err != nil {
			return err
		}
		l := looker{client: client, words: words, out: bufio.NewWriter(streams.Out)}
		switch {
		case *asJSON && *watch:
			return l.watch(cmd.Context(), l.jsonLines)
		case *watch:
			screen, redraw := terminal(streams.Out)
			return l.watch(cmd.Context(), func(shops []reportedShop, now time.Time) error { return l.page(shops, now, screen, redraw) })
		case *asJSON:
			err = l.once(cmd.Context(), l.jsonArray)
		default:
			err = l.once(cmd.Context(), func(shops []reportedShop, now time.Time) error { return l.table(shops, now, streams) })
		}
		if err == nil && l.unknown {
			return client.unready(cmd.Context())
		}
		return err
	}
	return cmd
}

// reportedShop is a shop with its JSON, which may have fields of a later version.
type reportedShop struct {
	fleet.Shop
	text json.RawMessage
}

// looker asks a worker for shops and prints them.
type looker struct {
	client *workerClient
	words  []string
	out    *bufio.Writer
	// unknown reports that the state of a shop was unknown at the latest look.
	unknown bool
}

// look returns the shops that were asked for.
func (l *looker) look(ctx context.Context) ([]reportedShop, error) {
	var texts []json.RawMessage
	if err := l.client.get(ctx, "/shops", &texts); err != nil {
		return nil, err
	}
	shops := make([]fleet.Shop, len(texts))
	text := make(map[string]json.RawMessage, len(texts))
	for i, t := range texts {
		if err := json.Unmarshal(t, &shops[i]); err != nil {
			return nil, fmt.Errorf("read the worker's answer: %w", err)
		}
		text[shops[i].Name] = t
	}
	picked, err := pickShops(shops, l.words)
	if err != nil {
		return nil, err
	}
	out := make([]reportedShop, len(picked))
	l.unknown = false
	for i, s := range picked {
		l.unknown = l.unknown || s.State == fleet.Unknown
		out[i] = reportedShop{s, text[s.Name]}
	}
	return out, nil
}

func (l *looker) once(ctx context.Context, print func([]reportedShop, time.Time) error) error {
	shops, err := l.look(ctx)
	if err != nil {
		return err
	}
	if err := print(shops, time.Now()); err != nil {
		return err
	}
	return l.out.Flush()
}

// watch prints until ctx ends, which is not a failure, or the worker does not answer.
func (l *looker) watch(ctx context.Context, print func([]reportedShop, time.Time) error) error {
	for {
		if err := l.once(ctx, print); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		if backoff.Sleep(ctx, watchInterval) != nil {
			return nil
		}
	}
}

func (l *looker) jsonArray(shops []reportedShop, _ time.Time) error {
	texts := make([]json.RawMessage, len(shops))
	for i, s := range shops {
		texts[i] = s.text
	}
	return json.NewEncoder(l.out).Encode(texts)
}

// jsonLines prints an object for each shop, with the time in front of its fields.
func (l *looker) jsonLines(shops []reportedShop, now time.Time) error {
	for _, s := range shops {
		if _, err := fmt.Fprintf(l.out, "{\"at\":%d,%s\n", now.Unix(), s.text[1:]); err != nil {
			return err
		}
	}
	return nil
}

// table prints all shops. Only on a terminal names are cut.
func (l *looker) table(shops []reportedShop, now time.Time, streams Streams) error {
	columns := math.MaxInt
	if screen, ok := terminal(streams.Out); ok {
		columns = max(helpWidth, width(screen))
	}
	_, err := l.out.WriteString(statusTable(shops, now, columns, len(shops)))
	return err
}

// page prints one look of --watch. On a terminal it fits the screen.
func (l *looker) page(shops []reportedShop, now time.Time, screen *os.File, redraw bool) error {
	columns, rows := math.MaxInt, len(shops)
	if redraw {
		columns = helpWidth
		if w, h, err := term.GetSize(int(screen.Fd())); err == nil {
			// A shop may take a second line, with its reason.
			columns, rows = max(columns, w), max(1, (h-4)/2)
		}
		if _, err := l.out.WriteString("\x1b[H\x1b[J"); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(l.out, "%s\n%s\n", now.Format(time.DateTime), statusTable(shops, now, columns, rows))
	return err
}
