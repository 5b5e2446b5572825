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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal asks for an orderly end; with the handler gone, the
	// second one ends the program at once.
	context.AfterFunc(ctx, stop)
	os.Exit(cli.Main(ctx, os.Args[1:], cli.Streams{Out: os.Stdout, Err: os.Stderr}))
}
