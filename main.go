// Command orderwalk publishes the order IDs of WeChat Shops to Kafka, each
// exactly once. See README.md, or run it with --help.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"orderwalk/internal/cli"
)

func main() {
	ctx, _ := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal asks for an orderly end. A second Ctrl-C ends the program
	// at once; a second SIGTERM does not, because some programs, such as timeout,
	// send one SIGTERM to the process and one to its group.
	context.AfterFunc(ctx, func() { signal.Reset(os.Interrupt) })
	os.Exit(cli.Main(ctx, os.Args[1:], cli.Streams{Out: os.Stdout, Err: os.Stderr}))
}
