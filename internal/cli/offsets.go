package cli

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"orderwalk/internal/fleet"
)

const offsetsAbout = `
A shop's offsets are its checkpoint: the watermark, up to which all orders are
published, and the windows that are open or wait for their second pass. They can
be altered while the shop is stopped (` + "`orderwalk stop SHOP`" + `).
`

const offsetsExamples = `
  orderwalk offsets list
  orderwalk stop red-lantern
  orderwalk offsets set red-lantern --watermark 2026-11-01
  orderwalk resume red-lantern
`

// offsetsCommand lists and alters checkpoints.
func offsetsCommand(streams Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use: "offsets list|set|reset", Short: "list or alter the checkpoints of shops",
		Long: offsetsAbout, Example: offsetsExamples, DisableFlagsInUseLine: true,
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error { return errNoCommand },
	}
	cmd.AddCommand(offsetsListCommand(streams), offsetsSetCommand(streams), offsetsResetCommand(streams))
	return cmd
}

const offsetsListAbout = `
It prints what is committed of each shop: the watermark, where the walk began,
and how many windows are open, wait for their second pass, or are kept for their
order IDs. Of a single shop it prints the open windows too.

--json prints an object a line. Its offsets are as Kafka Connect's REST API has
them, and ` + "`orderwalk offsets set SHOP --file`" + ` accepts it.
`

const offsetsListExamples = `
  orderwalk offsets list
  orderwalk offsets list red-lantern --json
`

func offsetsListCommand(streams Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use: "list [SHOP...]", Short: "print the checkpoints of shops",
		Long: offsetsListAbout, Example: offsetsListExamples, DisableFlagsInUseLine: true,
		Args: cobra.ArbitraryArgs,
	}
	asJSON := cmd.Flags().Bool("json", false, "print a JSON object a line, with name, app_id and offsets")
	worker := addWorkerFlags(cmd)
	cmd.ValidArgsFunction = worker.shopNames
	cmd.RunE = func(cmd *cobra.Command, words []string) error {
		client, err := worker.client(streams.Err)
		if err != nil {
			return err
		}
		var shops []fleet.Shop
		if err := client.get(cmd.Context(), "/shops", &shops); err != nil {
			return err
		}
		if shops, err = pickShops(shops, words); err != nil {
			return err
		}
		print := func(out io.Writer, s fleet.Shop, stored json.RawMessage) error {
			return printOffsets(out, s, stored, nameWidth(shops), len(shops) == 1)
		}
		if *asJSON {
			print = printOffsetsJSON
		} else if len(shops) == 0 {
			_, err := io.WriteString(streams.Out, "no shops\n")
			return err
		} else if err := printOffsetsHead(streams.Out, nameWidth(shops)); err != nil {
			return err
		}
		return listOffsets(cmd.Context(), client, shops, streams, print)
	}
	return cmd
}

// offsetsAtOnce is how many shops are asked for at the same time. A worker reads a lane of
// the offsets topic once for all that are asked for meanwhile, so they are asked for lane by
// lane.
const offsetsAtOnce = 64

// listOffsets prints the offsets of each shop, in order and as soon as they are known. A
// shop whose offsets cannot be read does not keep the others from being printed.
func listOffsets(ctx context.Context, client *workerClient, shops []fleet.Shop, streams Streams, print func(io.Writer, fleet.Shop, json.RawMessage) error) error {
	type answer struct {
		stored json.RawMessage
		err    error
	}
	answers := make([]chan answer, len(shops))
	for i := range answers {
		answers[i] = make(chan answer, 1)
	}
	ctx, stop := context.WithCancel(ctx)
	var asking errgroup.Group
	defer func() { _ = asking.Wait() }() // no function of it returns an error
	defer stop()
	count := newCountLine(streams, len(shops), "shops read")
	defer count.end()
	byLane := make([]int, len(shops))
	for i := range byLane {
		byLane[i] = i
	}
	slices.SortStableFunc(byLane, func(a, b int) int { return cmp.Compare(shops[a].Lane, shops[b].Lane) })
	asking.Go(func() error {
		var each errgroup.Group
		each.SetLimit(offsetsAtOnce)
		for _, i := range byLane {
			each.Go(func() error {
				var body struct{ Offsets json.RawMessage }
				err := client.get(ctx, offsetsPath(shops[i].Name), &body)
				count.one(err != nil)
				answers[i] <- answer{body.Offsets, err}
				return nil
			})
		}
		return each.Wait()
	})
	out := bufio.NewWriter(count.above(streams.Out))
	var unread []string
	for i, s := range shops {
		got := <-answers[i]
		var refused *refusedError
		switch {
		case errors.As(got.err, &refused) && refused.status == http.StatusInternalServerError && len(shops) > 1:
			unread = append(unread, s.Name)
			if _, err := fmt.Fprintf(count.above(streams.Err), "%s: %s\n", s.Name, refused.message); err != nil {
				return err
			}
			continue
		case got.err != nil:
			return errors.Join(out.Flush(), got.err)
		}
		if err := print(out, s, got.stored); err != nil {
			return err
		}
		if err := out.Flush(); err != nil {
			return err
		}
	}
	if len(unread) > 0 {
		return fmt.Errorf("the offsets of %s cannot be read", some(unread))
	}
	return nil
}

func offsetsPath(name string) string { return "/connectors/" + url.PathEscape(name) + "/offsets" }

// storedEntry is an entry of Kafka Connect's ConnectorOffsets, of a shop or of one of its
// windows.
type storedEntry struct {
	Partition struct{ Window *int64 }
	Offset    struct {
		Watermark, Begin int64
		Start            int64 `json:"window_start"`
		End              int64 `json:"window_end"`
		State            string
		Pass, Pages      int
	}
}

func nameWidth(shops []fleet.Shop) int {
	width := len("SHOP")
	for _, s := range shops {
		width = max(width, len([]rune(s.Name)))
	}
	return width
}

// timeWidth is that of an RFC 3339 time.
const timeWidth = len("2026-11-01T00:00:00+08:00")

func printOffsetsHead(out io.Writer, names int) error {
	_, err := fmt.Fprintf(out, "%-*s  %-*s  %-*s  %s\n", names, "SHOP", timeWidth, "WATERMARK", timeWidth, "BEGAN", "WINDOWS")
	return err
}

// printOffsets prints a row for a shop, and with windows a line for each open window.
func printOffsets(out io.Writer, s fleet.Shop, stored json.RawMessage, names int, windows bool) error {
	var entries []storedEntry
	if err := json.Unmarshal(stored, &entries); err != nil {
		return fmt.Errorf("read the worker's answer: %w", err)
	}
	watermark, began, counts := "-", "-", "nothing is stored"
	var open strings.Builder
	states := make(map[string]int)
	for _, e := range entries {
		o := e.Offset
		if e.Partition.Window == nil {
			watermark, began = timeText(o.Watermark), timeText(o.Begin)
			continue
		}
		states[o.State]++
		if o.State == "open" && windows {
			fmt.Fprintf(&open, "  open from %s to %s, pass %d, %d %s read\n", timeText(o.Start), timeText(o.End), o.Pass, o.Pages, plural(o.Pages, "page"))
		}
	}
	if len(entries) > 0 {
		counts = windowCounts(states)
	}
	_, err := fmt.Fprintf(out, "%-*s  %-*s  %-*s  %s\n%s", names, s.Name, timeWidth, watermark, timeWidth, began, counts, open.String())
	return err
}

// windowCounts writes the number of windows by state.
func windowCounts(states map[string]int) string {
	var parts []string
	for _, state := range []string{"open", "waiting", "settled"} {
		if n := states[state]; n > 0 {
			parts = append(parts, thousands(int64(n))+" "+state)
		}
	}
	if parts == nil {
		return "-"
	}
	return strings.Join(parts, ", ")
}

// timeText writes a unix second as `orderwalk offsets set --watermark` accepts it.
func timeText(second int64) string {
	if second == 0 {
		return "-"
	}
	return time.Unix(second, 0).Format(time.RFC3339)
}

// offsetsLine is what `offsets list --json` prints of a shop and `offsets set --file`
// reads.
type offsetsLine struct {
	Name    string          `json:"name,omitempty"`
	AppID   string          `json:"app_id,omitempty"`
	Offsets json.RawMessage `json:"offsets"`
}

func printOffsetsJSON(out io.Writer, s fleet.Shop, stored json.RawMessage) error {
	return json.NewEncoder(out).Encode(offsetsLine{s.Name, s.AppID, stored})
}
