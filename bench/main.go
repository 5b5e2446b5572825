// Command bench measures `orderwalk run` beside a bare client of the same API
// and the same Kafka: orders a second, CPU of the program and of the broker,
// memory, the time to the first record, and the time to go on after kill −9.
//
//	make bench
//	go run ./bench -binary bin/orderwalk -rounds 5 -markdown
//	go run ./bench -binary bin/orderwalk -beside ../before/bin/orderwalk
//
// Everything measured runs in a process of its own and in alternating rounds,
// and every run writes to fresh topics that are read back afterwards: a run
// that lost or repeated an order is an error, not a result.
//
//	api.go, shop.go   the list API, as cheap as can be
//	peer.go           the bare client: no checkpoints, no transactions
//	broker.go         a real Kafka, or kfake
//	child.go          one process, its CPU and its memory
//	run.go            one measured run
//	suite.go          what is run against what, and the targets
//	fleet.go          many shops and several workers
//	fleets.go         what is measured of them, and the targets
//	scale.go          what very many shops cost one worker
//	group.go          what they cost a group of workers
//	steer.go          pausing, resuming and reading very many shops
//	report.go         medians and tables
//
// It is no load generator for other systems and not part of the product. It
// reads /proc, so it needs Linux.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	// Children of the benchmark are the same program with one of these words.
	if len(args) > 0 {
		switch args[0] {
		case "api":
			return serveAPI(ctx)
		case "kfake":
			return serveKfake(ctx)
		case "peer":
			return runPeer(ctx, args[1:])
		}
	}
	var s suite
	var only string
	var markdown bool
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.StringVar(&s.binary, "binary", "bin/orderwalk", "the program to measure")
	flags.StringVar(&s.other, "beside", "", "another build of the program, to measure in the bare client's place")
	flags.IntVar(&s.rounds, "rounds", 5, "rounds of each comparison")
	flags.IntVar(&s.orders, "orders", 2_000_000, "orders of a run at 0 ms a page")
	flags.IntVar(&s.perWindow, "window-orders", windowOrders, "orders of each window of a run at 20 ms a page")
	flags.IntVar(&s.shops, "shops", manyShops, "shops of kafka/scale and kafka/group")
	flags.IntVar(&s.lanes, "lanes", manyLanes, "lanes of kafka/scale and kafka/group")
	flags.IntVar(&s.workers, "workers", groupWorkers, "workers of kafka/group")
	flags.Func("set", "a setting of the workers of kafka/scale and kafka/group, such as POLL_INTERVAL=60s; may be repeated", func(pair string) error {
		s.settings = append(s.settings, pair)
		return nil
	})
	flags.StringVar(&only, "only", "", "run only what matches this regular expression; names are like kafka/0ms/8, kafka/start, kafka/restart, kafka/kill, kafka/many")
	flags.BoolVar(&markdown, "markdown", false, "print Markdown tables")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return nil
	case err != nil:
		return err
	case s.rounds < 1 || min(s.orders, s.perWindow) < pageSize || s.shops < reloads || s.lanes < 1 || s.workers < 2 || flags.NArg() > 0:
		return fmt.Errorf("wrong usage: at least 1 round, %d orders, %d shops, 1 lane and 2 workers, no arguments", pageSize, reloads)
	}
	pattern, err := regexp.Compile(only)
	if err != nil {
		return fmt.Errorf("parse -only: %w", err)
	}
	s.only = pattern
	s.report = report{out: os.Stdout, markdown: markdown, beside: s.other}
	s.report.line("%s, %s/%s, %d CPUs, %d rounds; medians, in brackets the lowest and the highest round",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), s.rounds)
	return s.run(ctx)
}
