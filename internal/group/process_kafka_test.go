//go:build kafka

package group

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// childVariable makes the test binary a worker, configured in JSON, that prints a line
// for each call until SIGTERM.
const childVariable = "GROUP_CHILD"

// said is a line of a child process.
type said struct {
	Lost       bool
	Assignment Assignment
	Current    bool   // the coordinator's answer about the assignment
	Log        string // of level warn or above
}

type childConfig struct {
	Brokers        []string
	Group, Worker  string
	SessionTimeout time.Duration
}

func TestMain(m *testing.M) {
	if given := os.Getenv(childVariable); given != "" {
		if err := child(given); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func child(given string) error {
	var c childConfig
	if err := json.Unmarshal([]byte(given), &c); err != nil {
		return err
	}
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	out := json.NewEncoder(os.Stdout)
	logged, sayLog, err := os.Pipe()
	if err != nil {
		return err
	}
	var saying sync.Mutex
	say := func(s said) {
		saying.Lock()
		defer saying.Unlock()
		_ = out.Encode(s) // fails once the test is over
	}
	go func() {
		for lines := bufio.NewScanner(logged); lines.Scan(); {
			say(said{Log: lines.Text()})
		}
	}()
	m := New(Config{
		Brokers: c.Brokers, Dialer: &kafka.Dialer{}, Addr: kafka.TCP(c.Brokers...), Transport: &kafka.Transport{ClientID: c.Worker},
		GroupID: c.Group, Topic: topic, Worker: c.Worker, SessionTimeout: c.SessionTimeout,
		Log: slog.New(slog.NewTextHandler(sayLog, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	return m.Run(ctx, func(a Assignment) {
		current, err := m.Current(ctx, a)
		if err != nil && ctx.Err() == nil {
			say(said{Log: err.Error()})
		}
		say(said{Assignment: a, Current: current})
	}, func() { say(said{Lost: true}) })
}

// process is a child process.
type process struct {
	t    *testing.T
	name string
	cmd  *exec.Cmd

	mu      sync.Mutex
	changed chan struct{} // closed at the next line
	last    Assignment
	told    int
	current bool
	lost    int
	logs    []string
}

func startProcess(t *testing.T, c childConfig) *process {
	t.Helper()
	given, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, name: c.Worker, cmd: exec.Command(os.Args[0]), changed: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), childVariable+"="+string(given))
	p.cmd.Stderr = os.Stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		for lines := json.NewDecoder(out); ; {
			var s said
			if lines.Decode(&s) != nil {
				return
			}
			p.mu.Lock()
			switch {
			case s.Lost:
				p.lost++
			case s.Log != "":
				p.logs = append(p.logs, s.Log)
			default:
				p.last, p.current = s.Assignment, s.Current
				p.told++
			}
			close(p.changed)
			p.changed = make(chan struct{})
			p.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // it may have ended already
		<-read
		_ = p.cmd.Wait()
		if t.Failed() {
			t.Logf("%s said:\n%s", p.name, strings.Join(p.logs, "\n"))
		}
	})
	return p
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// log returns p's log so far.
func (p *process) log() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.logs)
}

// state returns p's last line and a channel that closes at the next one.
func (p *process) state() (a Assignment, told, lost int, changed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last, p.told, p.lost, p.changed
}

// waitFor waits until the processes hold all lanes once in one generation, and
// returns how long that took.
func waitFor(t *testing.T, lanes int, processes ...*process) time.Duration {
	t.Helper()
	began := time.Now()
	limit := time.After(2 * time.Minute)
	for {
		var all []int
		generations := map[int32]bool{}
		anyChange := make(chan struct{}, len(processes))
		done, cancel := context.WithCancel(t.Context())
		for _, p := range processes {
			a, _, _, changed := p.state()
			all = append(all, a.Lanes...)
			generations[a.Generation] = true
			if a.Members != len(processes) {
				generations[-1] = true
			}
			go func() {
				select {
				case <-changed:
					anyChange <- struct{}{}
				case <-done.Done():
				}
			}()
		}
		slices.Sort(all)
		if slices.Equal(all, upTo(lanes)) && len(generations) == 1 {
			cancel()
			return time.Since(began)
		}
		select {
		case <-anyChange:
			cancel()
		case <-limit:
			cancel()
			for _, p := range processes {
				a, told, lost, _ := p.state()
				t.Logf("%s: %+v, assigned %d times, lost %d times", p.name, a, told, lost)
			}
			t.Fatal("the processes do not hold all lanes")
		}
	}
}

func createTopic(t *testing.T, brokers []string, lanes int32) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := kadm.NewClient(client).CreateTopic(t.Context(), lanes, -1, nil, topic); err != nil {
		t.Fatal(err)
	}
}
