package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// node is one broker: a folder with its configuration and data, which persists across
// starts, and its process while it runs.
type node struct {
	cache string // the folder Fetch returned
	jvm   []string
	dir   string // server.properties and data
	log   string // where the process's output goes

	mu   sync.Mutex
	proc *process // nil while the broker is down
}

// process is one run of a broker or of a Connect worker.
type process struct {
	cmd   *exec.Cmd
	watch *exec.Cmd
	hold  io.Closer     // watch waits until this closes
	ended chan struct{} // closed when cmd has ended
}

// format creates an empty data folder for the cluster ID.
func (n *node) format(ctx context.Context, clusterID string) error {
	cmd := java(ctx, n.cache, "-Xmx128m", "-XX:TieredStopAtLevel=1", "kafka.tools.StorageTool",
		"format", "-t", clusterID, "-c", n.properties())
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("format the broker's storage: %w\n%s", err, out)
	}
	return nil
}

func (n *node) properties() string { return filepath.Join(n.dir, "server.properties") }

// java returns a command with the class path of Kafka in cache, the folder Fetch
// returned; args are JVM options, class, arguments.
func java(ctx context.Context, cache string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "java", append([]string{
		"-cp", filepath.Join(cache, "lib", "*"),
		"-Dlog4j2.configurationFile=" + filepath.Join(cache, "log4j2.properties"),
	}, args...)...)
}

// start starts the broker; it does not wait until the broker serves.
func (n *node) start() (err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.proc != nil {
		return errors.New("start the broker: it runs already")
	}
	args := append([]string{"-Xmx512m", "-Xms256m", "-XX:+UseSerialGC"}, n.jvm...)
	// Independent of a context: the cluster decides when a broker ends.
	cmd := java(context.Background(), n.cache, append(args, "kafka.Kafka", n.properties())...)
	n.proc, err = run(cmd, n.log, n.dir)
	if err != nil {
		return fmt.Errorf("start the broker: %w", err)
	}
	return nil
}

// run starts cmd with its output in the file log, and a guard that also removes dir.
func run(cmd *exec.Cmd, log, dir string) (*process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open its log: %w", err)
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, ended: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // its log has the reason
		close(p.ended)
	}()
	if err := p.guard(dir); err != nil {
		p.kill()
		return nil, err
	}
	return p, nil
}

// guard starts the shell that kills p and removes its data when this process ends. A
// pipe from this process is the shell's standard input: the kernel closes it, also
// after kill −9, and read returns. The shell ignores Ctrl-C, which reaches the whole
// process group.
func (p *process) guard(dir string) error {
	p.watch = exec.Command("sh", "-c",
		`trap "" INT TERM HUP; read -r _; kill -9 "$1"; rm -rf "$2"; rmdir "${2%/*}"`,
		"sh", strconv.Itoa(p.cmd.Process.Pid), dir)
	in, err := p.watch.StdinPipe()
	if err != nil {
		return fmt.Errorf("guard the process: %w", err)
	}
	if err := p.watch.Start(); err != nil {
		return fmt.Errorf("guard the process: %w", err)
	}
	p.hold = in
	return nil
}

// dismiss ends the guard without a kill.
func (p *process) dismiss() {
	if p.hold == nil {
		return
	}
	_ = p.watch.Process.Kill()
	_ = p.watch.Wait() // closes the pipe
	p.hold = nil
}

func (p *process) kill() {
	p.dismiss()
	_ = p.cmd.Process.Kill() // fails only if it has ended
	<-p.ended
}

// stop ends the broker: at once, or cleanly within grace.
func (n *node) stop(grace time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.proc == nil {
		return
	}
	if grace > 0 && n.proc.cmd.Process.Signal(syscall.SIGTERM) == nil {
		select {
		case <-n.proc.ended:
		case <-time.After(grace):
		}
	}
	n.proc.kill()
	n.proc = nil
}

// running returns the current process, or nil.
func (n *node) running() *process {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.proc
}

// tail returns the end of the broker's log, for error messages.
func (n *node) tail() string { return tail(n.log) }

func tail(log string) string {
	data, err := os.ReadFile(log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-30):], "\n")
}
