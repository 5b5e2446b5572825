//go:build kafka

package trial

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// steering is a fleet of three workers whose shops are steered through any of them.
type steering struct {
	*fixture
	workers [3]*process
	frozen  [3]bool
	more    []string // settings of the workers
	// wanted are the states that each shop may be wanted in: one after a change that was
	// acknowledged, more after one whose outcome the caller does not know.
	wanted       map[string][]string
	acknowledged int
	altered      int // acknowledged writings of offsets
	unknown      int
	refused      map[int]int // by status
	retried      bool        // the latest call was answered with 409 before: what that did is not known

	mu    sync.Mutex
	diary strings.Builder
}

func (f *steering) start(i int) {
	f.Helper()
	f.workers[i] = f.run(append([]string{fmt.Sprintf("WORKER_ID=worker-%d", i), "SESSION_TIMEOUT=6s", "TRANSACTION_TIMEOUT=5s",
		"RATE_LIMIT=15", "PAGE_SIZE=10", "LOOKBACK=8s", "SETTLE_DELAY=1s", "POLL_INTERVAL=1s"}, f.more...)...)
	f.workers[i].listen()
}

// note adds a line to the diary of the trial.
func (f *steering) note(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fmt.Fprintf(&f.diary, "%s "+format+"\n", append([]any{time.Now().UTC().Format("15:04:05.000")}, args...)...)
}

// keepDiary writes the diary of a failed trial to a file.
func (f *steering) keepDiary() {
	if f.Failed() {
		if err := os.WriteFile(filepath.Join(f.ArtifactDir(), "diary.txt"), []byte(f.diary.String()), 0o600); err != nil {
			f.Log(err)
		}
	}
}

func (f *steering) thaw(i int) {
	if f.frozen[i] {
		f.note("thaw worker %d", i)
		f.workers[i].signal(syscall.SIGCONT)
		f.frozen[i] = false
	}
}

// freezeSoon now and then freezes a worker while it makes a change. The function that it
// returns is called after that.
func (f *steering) freezeSoon(worker int) (made func()) {
	f.Helper()
	if slices.Contains(f.frozen[:], true) || f.dice.IntN(8) > 0 {
		return func() {}
	}
	p := f.workers[worker]
	timer := time.AfterFunc(time.Duration(f.dice.Int64N(int64(15*time.Millisecond))), func() { _ = p.cmd.Process.Signal(syscall.SIGSTOP) })
	f.frozen[worker] = true
	f.note("freeze worker %d soon", worker)
	return func() {
		if timer.Stop() {
			f.frozen[worker] = false
			f.note("worker %d was faster", worker)
		}
	}
}

// call makes a call and returns its answer; status 0 = none. As Connect's clients do, it
// tries again when the answer is 409, as of a worker that starts.
func (f *steering) call(worker int, method, path, body string) (status int, text string) {
	f.Helper()
	f.retried = false
	for end := time.Now().Add(20 * time.Second); ; {
		status, text = f.answer(worker, method, path, body)
		if status != http.StatusConflict || f.frozen[worker] || time.Now().After(end) {
			return status, text
		}
		f.retried = true
		time.Sleep(100 * time.Millisecond)
	}
}

func (f *steering) answer(worker int, method, path, body string) (status int, text string) {
	f.Helper()
	defer func(began time.Time) {
		f.note("worker %d %s %s: %d after %v %.300q", worker, method, path, status, time.Since(began).Round(time.Millisecond), text)
	}(time.Now())
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if f.frozen[worker] {
		ctx, cancel = context.WithTimeout(ctx, 200*time.Millisecond)
		defer cancel()
	}
	req, err := http.NewRequestWithContext(ctx, method, f.workers[worker].listen()+path, strings.NewReader(body))
	if err != nil {
		f.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, ""
	}
	defer answer.Body.Close()
	read, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, "" // half of an answer is none
	}
	f.noSecret(path, string(read))
	return answer.StatusCode, string(read)
}

// until repeats a call, through any worker, until it is acknowledged.
func (f *steering) until(method, path, body string, done ...int) {
	f.Helper()
	p := f.workers[0]
	f.eventually(method+" "+path, p, func() bool {
		status, _ := f.call(f.dice.IntN(len(f.workers)), method, path, body)
		return slices.Contains(done, status)
	})
}
