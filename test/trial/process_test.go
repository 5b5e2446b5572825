//go:build kafka

package trial

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"orderwalk/test/logtest"
)

// TestMain builds the program, with and without the race detector, and puts both in
// the PATH.
func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "orderwalk-trial-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		for name, flags := range map[string][]string{"orderwalk": nil, "orderwalk-race": {"-race"}} {
			args := append([]string{"build", "-o", filepath.Join(dir, name)}, append(flags, "orderwalk")...)
			if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
				fmt.Fprintf(os.Stderr, "go %s: %v\n%s", strings.Join(args, " "), err, out)
				return 1
			}
		}
		if err := os.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

// process is one process of `orderwalk run`.
type process struct {
	w              *fixture
	number         int
	settings       []string
	cmd            *exec.Cmd
	stdout, stderr logtest.Buffer
	ended          chan struct{} // closed when the process has ended
	// counted has the largest value that each series has had: those of a shop that
	// moves to another worker end.
	counted map[string]float64
}

// run starts `orderwalk run` with the fixture's shops, with settings such as
// "PAGE_SIZE=7", in an environment without other ORDERWALK_ variables.
func (w *fixture) run(settings ...string) *process { return w.runWith("orderwalk", settings...) }

func (w *fixture) runWith(program string, settings ...string) *process {
	w.Helper()
	p := &process{w: w, number: len(w.lives) + 1, settings: settings, cmd: exec.Command(program, "run"), ended: make(chan struct{}), counted: map[string]float64{}}
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "ORDERWALK_") {
			p.cmd.Env = append(p.cmd.Env, pair)
		}
	}
	for _, pair := range append([]string{
		"KAFKA_BROKERS=" + strings.Join(w.brokers, ","), "GROUP=" + w.group, "TOPIC=" + w.orders(), "OFFSETS_TOPIC=" + w.offsets(),
		// Fewer lanes than sources, so that some share one.
		"OFFSETS_PARTITIONS=4", "API_URL=" + w.url, "SHOPS_FILE=" + w.file,
		// One worker ID for all processes, like a container that restarts in its pod.
		"WORKER_ID=worker", "LISTEN=127.0.0.1:0", "LOG_LEVEL=debug", "RATE_LIMIT=10000",
	}, settings...) {
		p.cmd.Env = append(p.cmd.Env, "ORDERWALK_"+pair)
	}
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	if err := p.cmd.Start(); err != nil {
		w.Fatal(err)
	}
	w.lives = append(w.lives, p)
	w.guard.watch(p.cmd.Process.Pid)
	go func() {
		_ = p.cmd.Wait() // its state has the result
		w.guard.forget(p.cmd.Process.Pid)
		close(p.ended)
	}()
	return p
}

// running reports whether the process is running.
func (p *process) running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

func (p *process) signal(s os.Signal) {
	p.w.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.w.Fatalf("%v to life %d: %v\n%s", s, p.number, err, p.tail())
	}
}

// kill kills the process with SIGKILL and reports whether it was still running.
func (p *process) kill() bool {
	err := p.cmd.Process.Kill()
	<-p.ended
	return err == nil && p.cmd.ProcessState.ExitCode() == -1
}

// exit waits until it ends by itself and returns its exit code.
func (p *process) exit() int {
	p.w.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.w.Fatalf("life %d did not come to an end\n%s", p.number, p.tail())
	}
	return p.cmd.ProcessState.ExitCode()
}

// listen returns its HTTP address, from its first log line.
func (p *process) listen() string {
	p.w.Helper()
	var address string
	p.w.eventually("address", p, func() bool {
		line, _, whole := strings.Cut(p.stderr.String(), "\n")
		var start struct{ Listen string }
		if whole && json.Unmarshal([]byte(line), &start) == nil {
			address = start.Listen
		}
		return address != ""
	})
	return "http://" + address
}

// get returns one of its pages.
func (p *process) get(path string) string {
	p.w.Helper()
	body, err := p.page(path)
	if err != nil {
		p.w.Fatalf("life %d: %v\n%s", p.number, err, p.tail())
	}
	return body
}

// glance returns one of its pages, and whether the process was running: it may end by
// itself.
func (p *process) glance(path string) bool {
	p.w.Helper()
	if _, err := p.page(path); err != nil {
		select {
		case <-p.ended:
			return false
		case <-time.After(patience):
			p.w.Fatalf("life %d: %v\n%s", p.number, err, p.tail())
		}
	}
	return true
}

func (p *process) page(path string) (string, error) {
	p.w.Helper()
	answer, err := http.Get(p.listen() + path)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	p.w.noSecret(path+" of life "+fmt.Sprint(p.number), string(body))
	return string(body), err
}

// ready reports whether the group has assigned its lanes.
func (p *process) ready() bool {
	p.w.Helper()
	answer, err := http.Get(p.listen() + "/readyz")
	if err != nil {
		p.w.Fatalf("life %d: %v\n%s", p.number, err, p.tail())
	}
	answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

// metric returns the sum of a counter's series, with those that have ended since.
func (p *process) metric(name string) (sum float64) {
	p.w.Helper()
	for line := range strings.Lines(p.get("/metrics")) {
		if rest, ok := strings.CutPrefix(line, name); ok && (rest[0] == '{' || rest[0] == ' ') {
			end := strings.LastIndexByte(line, ' ')
			n, err := strconv.ParseFloat(strings.TrimSpace(line[end:]), 64)
			if err != nil {
				p.w.Fatal(err)
			}
			p.counted[line[:end]] = max(n, p.counted[line[:end]])
		}
	}
	for series, n := range p.counted {
		if before, _, _ := strings.Cut(series, "{"); before == name {
			sum += n
		}
	}
	return sum
}

// published waits until this process has committed at least n orders.
func (p *process) published(n int) {
	p.w.Helper()
	p.w.eventually(fmt.Sprintf("%d orders", n), p, func() bool { return p.metric("orderwalk_orders_published_total") >= float64(n) })
}

// eventually repeats a check until it returns true; the process must not end before.
func (w *fixture) eventually(what string, p *process, ask func() bool) {
	w.Helper()
	deadline := time.After(patience)
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for !ask() {
		select {
		case <-ticker.C:
		case <-p.ended:
			w.Fatalf("life %d ended (%s) before: %s\n%s", p.number, p.cmd.ProcessState, what, p.tail())
		case <-deadline:
			w.Fatalf("life %d, waited in vain for: %s\n%s", p.number, what, p.tail())
		}
	}
}

// tail returns the end of its output.
func (p *process) tail() string {
	lines := strings.Split(strings.TrimRight(p.stderr.String(), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-25):], "\n")
}

// guard is a shell that kills the remaining processes if this one ends without
// clean-up: a frozen process would stay forever. It reads a line with all process IDs
// whenever one starts or ends; the kernel closes its input when this process ends.
type guard struct {
	mu    sync.Mutex
	cmd   *exec.Cmd
	in    io.WriteCloser
	alive map[int]bool
}

func newGuard(t testing.TB) *guard {
	t.Helper()
	g := &guard{alive: map[int]bool{}, cmd: exec.Command("sh", "-c",
		`trap "" INT TERM HUP; pids=; while read -r line; do pids=$line; done; [ -z "$pids" ] || kill -9 $pids`)}
	in, err := g.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	g.in = in
	if err := g.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return g
}

func (g *guard) watch(pid int) { g.tell(func() { g.alive[pid] = true }) }

func (g *guard) forget(pid int) { g.tell(func() { delete(g.alive, pid) }) }

func (g *guard) tell(change func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change()
	for pid := range g.alive {
		fmt.Fprint(g.in, pid, " ")
	}
	fmt.Fprintln(g.in)
}

func (g *guard) dismiss() {
	g.mu.Lock()
	defer g.mu.Unlock()
	_ = g.in.Close() // no process is running, so it has nothing to kill
	_ = g.cmd.Wait()
}
