package cli

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// countLine shows on a terminal how many of many things a command has done, and how
// many of them failed. Without a terminal it shows nothing.
type countLine struct {
	what string // the things, such as "shops planned"
	all  int
	line *statusLine // nil = stderr is no terminal
	cols func() int

	mu           sync.Mutex
	done, failed int

	stop, stopped chan struct{} // stop is closed by end, stopped when the drawing has ended
}

// newCountLine shows the line until end is called.
func newCountLine(streams Streams, all int, what string) *countLine {
	c := &countLine{what: what, all: all, stop: make(chan struct{}), stopped: make(chan struct{})}
	screen, ok := terminal(streams.Err)
	if !ok {
		close(c.stopped)
		return c
	}
	c.line, c.cols = &statusLine{w: screen}, func() int { return width(screen) }
	c.line.set(c.text(), c.cols()) // before anything is done, however fast that is
	go c.draw()
	return c
}

// draw redraws the line until stop is closed.
func (c *countLine) draw() {
	defer close(c.stopped)
	ticker := time.NewTicker(redrawEvery)
	defer ticker.Stop()
	for {
		select {
		case <-c.stop:
			c.line.clear()
			return
		case <-ticker.C:
			c.line.set(c.text(), c.cols())
		}
	}
}

func (c *countLine) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	text := fmt.Sprintf("%s of %s %s", thousands(int64(c.done)), thousands(int64(c.all)), c.what)
	if c.failed > 0 {
		text += separator + thousands(int64(c.failed)) + " failed"
	}
	return text
}

// one counts one thing as done.
func (c *countLine) one(failed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done++
	if failed {
		c.failed++
	}
}

// end erases the line.
func (c *countLine) end() {
	close(c.stop)
	<-c.stopped
}

// above returns a writer to out whose text scrolls by above the line, if out is a
// terminal too.
func (c *countLine) above(out io.Writer) io.Writer {
	if _, ok := terminal(out); c.line == nil || !ok {
		return out
	}
	return aboveLine{c.line, out}
}

// aboveLine is a writer to the terminal that a status line is on.
type aboveLine struct {
	line *statusLine
	out  io.Writer
}

// Write writes p, which should end with a newline.
func (a aboveLine) Write(p []byte) (int, error) {
	a.line.mu.Lock()
	defer a.line.mu.Unlock()
	if a.line.line == "" {
		return a.out.Write(p)
	}
	return a.line.above(func() (int, error) { return a.out.Write(p) })
}
