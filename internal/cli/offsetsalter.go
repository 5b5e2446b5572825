package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"orderwalk/connector"
	"orderwalk/internal/desired"
	"orderwalk/internal/fleet"
)

const alterAbout = `
The shop must be stopped: ` + "`orderwalk stop SHOP`" + ` before, ` + "`orderwalk resume SHOP`" + `
afterwards. First a dry run shows what will be published again, or not at all;
on a terminal a question follows, scripts give --yes. --dry-run changes nothing,
and needs no stopped shop.
`

const offsetsSetAbout = `
With --watermark the shop walks on from that time: it publishes the orders since
then, once more if it has published them before, and none of before.

--file sets single windows too. It has JSON as ` + "`orderwalk offsets list --json`" + `
prints it and PATCH /connectors/SHOP/offsets of the REST API takes it: an entry
of the shop replaces everything; without one the entries add, replace and (null)
forget windows.
` + alterAbout

const offsetsSetExamples = `
  orderwalk offsets set red-lantern --watermark 2026-11-01T00:00:00+08:00
  orderwalk offsets set red-lantern --file offsets.json --dry-run
`

const offsetsResetAbout = `
A shop without a checkpoint begins again: at its start time, whose orders it
publishes once more, or if it has none at the time when it is resumed.
` + alterAbout

const offsetsResetExamples = `
  orderwalk offsets reset red-lantern --dry-run
  orderwalk offsets reset red-lantern blue-kite --yes
`

func offsetsSetCommand(streams Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use: "set SHOP --watermark TIME|--file FILE", Short: "set the checkpoint of a stopped shop",
		Long: offsetsSetAbout, Example: offsetsSetExamples, DisableFlagsInUseLine: true,
		Args: cobra.ArbitraryArgs,
	}
	a := alteration{verb: "set", method: http.MethodPatch, streams: streams}
	var watermark int64
	cmd.Flags().Func("watermark", "`time` from which the shop walks on: unix seconds, RFC 3339 or a date", setTime(&watermark))
	file := cmd.Flags().String("file", "", "JSON `file` with the offsets, - for stdin")
	completesFiles(cmd, "file")
	a.flags(cmd)
	cmd.RunE = func(cmd *cobra.Command, words []string) error {
		switch {
		case len(words) == 0:
			return &usageError{"give a shop by name or app ID"}
		case len(words) > 1:
			return &usageError{"give one shop: offsets are set shop by shop"}
		case (watermark == 0) == (*file == ""):
			return &usageError{"give --watermark or --file"}
		}
		var given offsetsLine
		if *file != "" {
			var err error
			if given, err = readOffsets(*file, cmd.InOrStdin()); err != nil {
				return err
			}
		}
		a.body = func(s fleet.Shop) (any, error) {
			if watermark > 0 {
				given.Offsets = movedTo(s, watermark)
			}
			if given.Name != "" && given.Name != s.Name {
				return nil, &shopError{fmt.Sprintf("%s has the offsets of %s, not of %s", *file, given.Name, s.Name), "give the file of the shop, or remove its name"}
			}
			return offsetsLine{Offsets: given.Offsets}, nil
		}
		return a.run(cmd, words)
	}
	return cmd
}

func offsetsResetCommand(streams Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use: "reset SHOP...", Short: "forget the checkpoints of stopped shops",
		Long: offsetsResetAbout, Example: offsetsResetExamples, DisableFlagsInUseLine: true,
		Args: cobra.ArbitraryArgs,
	}
	a := alteration{verb: "reset", method: http.MethodDelete, streams: streams, body: func(fleet.Shop) (any, error) { return nil, nil }}
	a.flags(cmd)
	cmd.RunE = func(cmd *cobra.Command, words []string) error {
		if len(words) == 0 {
			return &usageError{"give shops by name or app ID"}
		}
		return a.run(cmd, words)
	}
	return cmd
}

// readOffsets reads a file of offsets; - is stdin.
func readOffsets(path string, stdin io.Reader) (offsetsLine, error) {
	var text []byte
	var err error
	if path == "-" {
		text, err = io.ReadAll(stdin)
	} else {
		text, err = os.ReadFile(path)
	}
	if err != nil {
		return offsetsLine{}, fmt.Errorf("--file: %w", err)
	}
	var given offsetsLine
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	err = dec.Decode(&given)
	if err == nil && given.Offsets == nil {
		err = errors.New(`it has no "offsets"`)
	}
	if _, more := dec.Token(); err == nil && !errors.Is(more, io.EOF) {
		err = errors.New("it has more than one JSON value: give one shop")
	}
	if err != nil {
		return offsetsLine{}, &usageError{fmt.Sprintf("--file: %s is not what `orderwalk offsets list SHOP --json` prints: %v", path, err)}
	}
	return given, nil
}

// movedTo is the one entry that moves a shop to a watermark.
func movedTo(s fleet.Shop, watermark int64) json.RawMessage {
	type entry struct {
		Partition map[string]string `json:"partition"`
		Offset    map[string]int64  `json:"offset"`
	}
	text, _ := json.Marshal([]entry{{map[string]string{"shop": s.AppID, "range": s.Range}, map[string]int64{"watermark": watermark}}}) // strings and numbers always encode
	return text
}

// alteration is a command that alters offsets.
type alteration struct {
	verb, method string
	body         func(fleet.Shop) (any, error)
	streams      Streams
	worker       workerFlags
	dry, yes     *bool
}

func (a *alteration) flags(cmd *cobra.Command) {
	a.dry = cmd.Flags().Bool("dry-run", false, "show what would be published again, and change nothing")
	a.yes = cmd.Flags().Bool("yes", false, "do not ask for a confirmation")
	a.worker = addWorkerFlags(cmd)
	cmd.ValidArgsFunction = a.worker.shopNames
}

// run makes the dry run, asks, and makes the change.
func (a *alteration) run(cmd *cobra.Command, words []string) error {
	ctx := cmd.Context()
	stdin, _ := cmd.InOrStdin().(*os.File)
	if !*a.dry && !*a.yes && !canAsk(stdin) {
		return &usageError{"it may publish orders again, and there is no terminal to ask for a confirmation; add --yes, or look first with --dry-run"}
	}
	client, err := a.worker.client(a.streams.Err)
	if err != nil {
		return err
	}
	pick := pickCertain
	if a.method == http.MethodPatch {
		pick = pickOne
	}
	shops, err := shopsOf(ctx, client, words, pick)
	if err != nil {
		return err
	}
	running := notStopped(shops)
	if len(running) > 0 && !*a.dry {
		return &notStoppedError{running}
	}
	again := make([]fleet.Again, len(shops))
	bodies := make([]any, len(shops))
	for i, s := range shops {
		if bodies[i], err = a.body(s); err != nil {
			return err
		}
		if err := client.change(ctx, a.method, offsetsPath(s.Name)+"?dry_run=true", bodies[i], &again[i]); err != nil {
			return shopFault(s.Name, len(shops), err)
		}
	}
	about := a.streams.Err
	if *a.dry {
		about = a.streams.Out
	}
	if _, err := io.WriteString(about, againTexts(shops, again)); err != nil || *a.dry {
		return err
	}
	if !*a.yes {
		question := fmt.Sprintf("%s the offsets of %s?", a.verb, some(shopList(shops)))
		if err := confirm(ctx, question, stdin, a.streams.Err); err != nil {
			return err
		}
	}
	for i, s := range shops {
		if err := client.change(ctx, a.method, offsetsPath(s.Name), bodies[i], nil); err != nil {
			return shopFault(s.Name, len(shops), err)
		}
		if _, err := fmt.Fprintf(a.streams.Out, "%s: %s\n", a.verb, s.Name); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(a.streams.Err, "Now `orderwalk resume %s` lets the walk go on.\n", strings.Join(words, " "))
	return err
}

// shopFault names the shop of a call, if there are several.
func shopFault(name string, shops int, err error) error {
	if shops == 1 {
		return err
	}
	return fmt.Errorf("%s: %w", name, err)
}

func shopList(shops []fleet.Shop) []string {
	names := make([]string, len(shops))
	for i, s := range shops {
		names[i] = s.Name
	}
	return names
}

// notStopped returns the names of shops that an operator has not stopped.
func notStopped(shops []fleet.Shop) (names []string) {
	for _, s := range shops {
		if s.Target != desired.Stopped {
			names = append(names, s.Name)
		}
	}
	return names
}

// notStoppedError is an alteration of offsets of shops that are not stopped.
type notStoppedError struct{ shops []string }

func (e *notStoppedError) Error() string {
	return fmt.Sprintf("%s %s not stopped: offsets can be altered only while a shop is %s", some(e.shops), isAre(len(e.shops)), connector.StateStopped)
}

func (e *notStoppedError) hint() string {
	return fmt.Sprintf("run `orderwalk stop %s` first; --dry-run shows what would happen without it", strings.Join(e.shops, " "))
}

func isAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}
