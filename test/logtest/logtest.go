// Package logtest keeps what a logger or a process writes, for tests that look at
// it while more is written. It knows nothing of what is written; test/leaktest
// searches it for secrets. Only tests use it.
package logtest

import (
	"bytes"
	"strings"
	"sync"
)

// Buffer is an io.Writer that may be read at any time.
type Buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer. It never fails.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// String is all that has been written so far.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// Count is how many lines contain a text.
func (b *Buffer) Count(text string) (n int) {
	for line := range strings.Lines(b.String()) {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}
