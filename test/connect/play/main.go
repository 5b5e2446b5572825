// Command play sends a script of calls to an implementation of Kafka Connect's REST API
// and lists the differences of its answers from those of a real Connect worker:
//
//	go run ./test/connect/play -url http://127.0.0.1:8083 -vars orderwalk -allowed orderwalk -set dir=/tmp/shops
//
// It exits 1 if there are differences that are not allowed, or allowed ones that do not
// happen. It is for development; tests use package connect.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"orderwalk/test/connect"
)

func main() {
	var o options
	var given list
	flag.StringVar(&o.url, "url", "http://127.0.0.1:8083", "base of the API")
	flag.StringVar(&o.dir, "data", "test/connect/testdata", "folder of scripts, recordings, variables and allowed differences")
	flag.StringVar(&o.script, "script", "session", "script to play, without .http")
	flag.StringVar(&o.vars, "vars", "orderwalk", "variables of the implementation, without .vars")
	flag.StringVar(&o.allowed, "allowed", "", "allowed differences, without .allowed; none by default")
	flag.StringVar(&o.token, "token", "", "file with a bearer token to send")
	flag.DurationVar(&o.patience, "patience", 15*time.Second, "how long to wait for what a call expects")
	flag.Var(&given, "set", "a variable, name=value; may be repeated")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	different, err := play(ctx, o, given)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if different || err != nil {
		os.Exit(1)
	}
}

type options struct {
	url, dir, script, vars, allowed, token string
	patience                               time.Duration
}

// list is the value of a flag that may be repeated.
type list []string

func (l *list) String() string { return fmt.Sprint(*l) }

func (l *list) Set(value string) error {
	*l = append(*l, value)
	return nil
}

// play prints the differences and reports whether there are any. If the script could
// not be played to its end, it prints those until then and returns the error too.
func play(ctx context.Context, o options, given []string) (bool, error) {
	read := func(name, kind string) (string, error) {
		data, err := os.ReadFile(filepath.Join(o.dir, name+kind))
		return string(data), err
	}
	vars, err := read(o.vars, ".vars")
	if err != nil {
		return false, err
	}
	target, err := connect.NewTarget(o.url, vars, given...)
	if err != nil {
		return false, err
	}
	target.Patience = o.patience
	if o.token != "" {
		if err := target.Authorize(o.token); err != nil {
			return false, err
		}
	}
	script, err := read(o.script, ".http")
	if err != nil {
		return false, err
	}
	recording, err := read(o.script, ".recording")
	if err != nil {
		return false, err
	}
	lines := ""
	if o.allowed != "" {
		if lines, err = read(o.allowed, ".allowed"); err != nil {
			return false, err
		}
	}
	allowed, err := connect.ParseAllowed(lines)
	if err != nil {
		return false, err
	}
	result, err := connect.Session(ctx, target, script, recording, allowed)
	for _, d := range result.Differences {
		fmt.Println(d)
	}
	if err != nil {
		return true, err
	}
	for _, line := range result.Unused {
		fmt.Println("allowed, but does not happen:", line)
	}
	fmt.Printf("%d calls, %d differences, %d of them allowed\n",
		result.Calls, len(result.Differences)+result.Allowed, result.Allowed)
	return len(result.Differences)+len(result.Unused) > 0, nil
}
