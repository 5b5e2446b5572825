package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// usage is what one process took from its start to its end.
type usage struct {
	started, ended time.Time
	cpu            time.Duration // user and system
	peak           int64         // bytes of resident memory
}

// measure runs cmd to its end.
func measure(cmd *exec.Cmd) (usage, error) {
	var log tail
	cmd.Stdout, cmd.Stderr = &log, &log
	u := usage{started: time.Now()}
	if err := cmd.Start(); err != nil {
		return u, err
	}
	// ru_maxrss will not do: a child begins with the peak of the process that
	// forked it. The kernel's high-water mark of the program itself only grows,
	// so the last look before the end is the peak, but for a moment.
	watched := make(chan int64)
	done := make(chan struct{})
	go func() {
		var peak int64
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				watched <- peak
				return
			case <-tick.C:
				peak = max(peak, highWater(cmd.Process.Pid))
			}
		}
	}()
	err := cmd.Wait()
	u.ended = time.Now()
	close(done)
	u.peak = <-watched
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		u.cpu = time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	}
	if err != nil {
		return u, fmt.Errorf("%s: %w\n%s", cmd.Args[0], err, log.bytes)
	}
	return u, nil
}

// tail keeps the last of what is written to it.
type tail struct{ bytes []byte }

func (t *tail) Write(p []byte) (int, error) {
	const most = 4 << 10
	t.bytes = append(t.bytes, p...)
	if extra := len(t.bytes) - most; extra > 0 {
		t.bytes = bytes.Clone(t.bytes[extra:])
	}
	return len(p), nil
}

// highWater is the peak of a process's resident memory so far, 0 once it ended.
func highWater(pid int) int64 { return memoryOf(pid, "VmHWM:") }

// memoryOf is a number of bytes that the kernel keeps of a process, by its name in
// /proc/PID/status; 0 once it ended.
func memoryOf(pid int, name string) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), name)
	line, _, _ := strings.Cut(rest, "kB")
	kib, _ := strconv.ParseInt(strings.TrimSpace(line), 10, 64) // absent in a process that is ending
	return kib << 10
}

// cpuOf is the CPU a running process has used so far.
func cpuOf(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The second field is the program's name in brackets; user and system time
	// are the 14th and 15th, in hundredths of a second on every Linux.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("read the CPU time of process %d: %q", pid, stat)
	}
	user, err := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond, errors.Join(err, err2)
}

// helper is a process of this same program that serves until its standard
// input ends, and so no longer than this process lives.
type helper struct {
	cmd  *exec.Cmd
	addr string
	in   io.Closer
}

func startHelper(ctx context.Context, word string) (*helper, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, word)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	h := &helper{cmd: cmd, in: in}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		h.stop()
		return nil, fmt.Errorf("start %s: %w", word, err)
	}
	h.addr = strings.TrimSpace(line)
	return h, nil
}

func (h *helper) stop() {
	h.in.Close()
	_ = h.cmd.Wait() // it has nothing left to say
}
