package program

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"orderwalk/test/leaktest"
	"orderwalk/test/logtest"
)

// patience bounds each wait of a test; tests do not measure it.
const patience = 3 * time.Minute

// process is a running orderwalk process.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdout *bufio.Reader
	said   logtest.Buffer // all that was read of stdout
	stderr logtest.Buffer
	leaks  leaktest.Search
}

// start starts orderwalk with the variables, in an environment without other
// ORDERWALK_ variables. The process is killed at the end of the test if it still runs,
// and its output is searched for secrets, except that of simulate, which prints some.
func start(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p := &process{t: t, cmd: exec.CommandContext(ctx, "orderwalk", args...)}
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "ORDERWALK_") {
			p.cmd.Env = append(p.cmd.Env, pair)
		}
	}
	p.cmd.Env = append(p.cmd.Env, env...)
	p.cmd.Stderr = &p.stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.stdout = bufio.NewReader(io.TeeReader(out, &p.said))
	p.leaks.Environment(env)
	t.Cleanup(func() {
		p.noSecret("stderr of "+args[0], p.stderr.String())
		if args[0] != "simulate" {
			p.noSecret("stdout of "+args[0], p.said.String())
		}
	})
	t.Cleanup(func() {
		cancel()
		_ = p.cmd.Wait() // the test may have waited; what it writes to may be removed now
	})
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return p
}

// patiently kills the process if the caller's step takes longer than patience: its
// outputs end then, and readers of them fail.
func (p *process) patiently() (over func() bool) {
	return time.AfterFunc(patience, func() {
		fmt.Fprintf(&p.stderr, "the test has killed it after waiting for %v\n", patience)
		_ = p.cmd.Process.Kill() // it may have ended
	}).Stop
}

// readLine returns the next line of the output.
func (p *process) readLine() (string, error) {
	defer p.patiently()()
	return p.stdout.ReadString('\n')
}

// line returns the text after word in the first line of the output that begins with
// it.
func (p *process) line(word string) string {
	p.t.Helper()
	for {
		text, err := p.readLine()
		if rest, ok := strings.CutPrefix(text, word); ok {
			return strings.Fields(rest)[0]
		}
		if err != nil {
			p.t.Fatalf("no line that begins with %q: %v\n%s", word, err, p.stderr.String())
		}
	}
}

// end waits for the process and returns its exit code, -1 after a kill.
func (p *process) end() int {
	p.t.Helper()
	defer p.patiently()()
	if _, err := io.Copy(io.Discard, p.stdout); err != nil {
		p.t.Fatal(err)
	}
	_ = p.cmd.Wait() // the exit code tells
	return p.cmd.ProcessState.ExitCode()
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// run runs orderwalk to its end.
func run(t *testing.T, env []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	p := start(t, env, args...)
	defer p.patiently()()
	out, err := io.ReadAll(p.stdout)
	if err != nil {
		t.Fatal(err)
	}
	return p.end(), string(out), p.stderr.String()
}

// eventually repeats ask until it returns true or patience ends.
func eventually(t *testing.T, what string, ask func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for !ask() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain for: %s", what)
		case <-ticker.C:
		}
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		return 0, err.Error()
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

// published returns the number of orders that a worker has published, all shops.
func published(t *testing.T, page string) (sum float64) {
	t.Helper()
	_, body := get(t, page+"/metrics")
	for line := range strings.Lines(body) {
		if strings.HasPrefix(line, "orderwalk_orders_published_total{") {
			var n float64
			if _, err := fmt.Sscan(line[strings.LastIndex(line, " ")+1:], &n); err != nil {
				t.Fatal(err)
			}
			sum += n
		}
	}
	return sum
}

func TestTailFollows(t *testing.T) {
	t.Parallel()
	dev := start(t, nil, "dev", "--data", t.TempDir(), "--orders", "50")
	brokers, page := dev.line("Kafka"), dev.line("Connector")
	env := []string{"ORDERWALK_KAFKA_BROKERS=" + brokers}

	// The topic is created when the connector starts.
	eventually(t, "readiness", func() bool { code, _ := get(t, page+"/readyz"); return code == 200 })
	eventually(t, "orders", func() bool { return published(t, page) >= 50 })
	if code, _, stderr := run(t, env, "tail", "--topic", "nosuch"); code != 1 || !strings.Contains(stderr, "describe topic nosuch: it does not exist") {
		t.Errorf("tail of no topic = %d\n%s", code, stderr)
	}
	code, lines, stderr := run(t, env, "tail", "--lines", "3")
	var times []string
	for line := range strings.Lines(lines) {
		times = append(times, strings.Fields(line)[0])
	}
	if code != 0 || len(times) != 3 || !slices.IsSorted(times) {
		t.Errorf("tail of 3 = %d\n%s%s", code, lines, stderr)
	}

	tail := start(t, env, "tail", "--follow", "--lines", "0", "--shop", "wxsimulated0000002")
	for range 3 {
		line, err := tail.readLine()
		fields := strings.Fields(line)
		if err != nil || len(fields) != 4 || fields[1] != "wxsimulated0000002" || fields[2] != "create_time" {
			t.Fatalf("line = %q, %v\n%s", line, err, tail.stderr.String())
		}
	}
	tail.signal(os.Interrupt)
	if code := tail.end(); code != 0 {
		t.Errorf("Ctrl-C on tail = %d\n%s", code, tail.stderr.String())
	}
	dev.signal(os.Interrupt)
	if code := dev.end(); code != 0 {
		t.Errorf("Ctrl-C on dev = %d\n%s", code, dev.stderr.String())
	}
}

// The settings that simulate prints are all that run needs, here with the Kafka of dev.
func TestSimulateIsReadByRun(t *testing.T) {
	t.Parallel()
	dev := start(t, nil, "dev", "--data", t.TempDir(), "--orders", "1")
	brokers := dev.line("Kafka")

	const from, to = 1_790_000_000, 1_790_086_400
	api := start(t, nil, "simulate", "--listen", "127.0.0.1:0", "--orders", "500", "--seed", "7",
		"--from", fmt.Sprint(from), "--to", fmt.Sprint(to), "--fault", "chaos=0.2")
	env := []string{"ORDERWALK_KAFKA_BROKERS=" + brokers, "ORDERWALK_LISTEN=127.0.0.1:0", "ORDERWALK_GROUP=other",
		"ORDERWALK_TOPIC=other.orders", "ORDERWALK_LOOKBACK=0", "ORDERWALK_RATE_LIMIT=1000", fmt.Sprint("ORDERWALK_END_TIME=", to)}
	for range 4 {
		env = append(env, api.line("export "))
	}
	if code, _, stderr := run(t, env, "run"); code != 0 {
		t.Fatalf("run = %d\n%s", code, stderr)
	}
	_, lines, stderr := run(t, []string{"ORDERWALK_KAFKA_BROKERS=" + brokers}, "tail", "--from-beginning", "--topic", "other.orders")
	ids := map[string]bool{}
	for line := range strings.Lines(lines) {
		ids[strings.Fields(line)[3]] = true
	}
	if len(ids) != 500 || strings.Count(lines, "\n") != 500 {
		t.Errorf("%d lines, %d order IDs\n%s", strings.Count(lines, "\n"), len(ids), stderr)
	}
}
