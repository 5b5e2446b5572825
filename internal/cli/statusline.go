package cli

import (
	"io"
	"os"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/term"
)

// statusLine is a terminal whose last line is redrawn. Text written to it,
// mostly log lines, scrolls by above that line.
type statusLine struct {
	mu   sync.Mutex
	w    io.Writer
	line string
}

// eraseLine moves the cursor to the start of the line and clears the line.
const eraseLine = "\r\x1b[K"

// Write writes p above the line. p should end with a newline.
func (s *statusLine) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.line == "" {
		return s.w.Write(p)
	}
	return s.above(func() (int, error) { return s.w.Write(p) })
}

// above calls write while the line is not on the terminal. The caller holds mu.
func (s *statusLine) above(write func() (int, error)) (int, error) {
	if _, err := io.WriteString(s.w, eraseLine); err != nil {
		return 0, err
	}
	n, err := write()
	if err == nil {
		_, err = io.WriteString(s.w, s.line)
	}
	return n, err
}

// set redraws the line. If it is too long for the terminal, set drops whole
// segments from the end, since a number cut short would be wrong.
func (s *statusLine) set(line string, width int) {
	for width > 1 && utf8.RuneCountInString(line) >= width {
		line = line[:max(0, strings.LastIndex(line, separator))]
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.line = line
	// The error is ignored: a closed terminal ends the program with a signal.
	_, _ = io.WriteString(s.w, eraseLine+line)
}

// end keeps the last line and moves to the next.
func (s *statusLine) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.line != "" {
		s.line = ""
		_, _ = io.WriteString(s.w, "\n")
	}
}

// terminal returns w as a terminal; ok reports whether it is one.
func terminal(w io.Writer) (f *os.File, ok bool) {
	f, ok = w.(*os.File)
	return f, ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"
}

// width returns the width of the terminal in columns; 0 if unknown.
func width(f *os.File) int {
	w, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return w
}

// clear removes the line.
func (s *statusLine) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.line != "" {
		s.line = ""
		_, _ = io.WriteString(s.w, eraseLine)
	}
}
