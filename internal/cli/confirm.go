package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// canAsk reports whether a question can be answered at stdin.
func canAsk(stdin *os.File) bool { return stdin != nil && term.IsTerminal(int(stdin.Fd())) }

// errNotConfirmed reports that the answer to a question was not yes.
var errNotConfirmed = errors.New("not confirmed; nothing was changed")

// confirm asks a question and returns nil if the answer is yes.
func confirm(ctx context.Context, question string, in io.Reader, out io.Writer) error {
	if _, err := fmt.Fprint(out, question+" [y/N] "); err != nil {
		return err
	}
	answer := make(chan string, 1)
	go func() { // ends with the process if no line comes
		line, _ := bufio.NewReader(in).ReadString('\n')
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case said := <-answer:
		if said != "y" && said != "yes" {
			return errNotConfirmed
		}
		return nil
	case <-ctx.Done():
		return errInterrupted
	}
}
