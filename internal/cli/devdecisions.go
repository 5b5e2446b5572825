package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// decisions is a file with a line for each transactional producer: whether its
// latest transaction is to be committed. A line has a fixed place and length,
// so it is replaced by a single write.
type decisions struct {
	file  *os.File
	lines map[int64]*decision // by producer ID
}

type decision struct {
	place  int64
	epoch  int16
	commit bool
}

const (
	decisionFormat = "%019d %05d %-6s\n"
	decisionLength = 19 + 1 + 5 + 1 + 6 + 1
)

func openDecisions(path string) (*decisions, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	d := &decisions{file: file, lines: map[int64]*decision{}}
	text, err := io.ReadAll(file)
	if err != nil {
		d.close()
		return nil, err
	}
	for i, line := range strings.SplitAfter(string(text), "\n") {
		var id int64
		var epoch int16
		var word string
		if len(line) < decisionLength {
			break // the end, or the first line of a producer that got no further
		}
		if _, err := fmt.Sscanf(line, "%d %d %s", &id, &epoch, &word); err != nil {
			d.close()
			return nil, fmt.Errorf("line %d of %s: %w", i+1, path, err)
		}
		d.lines[id] = &decision{int64(i) * decisionLength, epoch, word == "commit"}
	}
	return d, nil
}

// note replaces the producer's line, on disk when it returns.
func (d *decisions) note(producerID int64, epoch int16, commit bool) error {
	if producerID <= 0 {
		return nil // a version of the request that names its producers elsewhere
	}
	line := d.lines[producerID]
	switch {
	case line == nil:
		line = &decision{place: int64(len(d.lines)) * decisionLength}
		d.lines[producerID] = line
	case line.epoch == epoch && line.commit == commit:
		return nil
	}
	line.epoch, line.commit = epoch, commit
	word := "open"
	if commit {
		word = "commit"
	}
	if _, err := d.file.WriteAt([]byte(fmt.Sprintf(decisionFormat, producerID, epoch, word)), line.place); err != nil {
		return fmt.Errorf("note decision: %w", err)
	}
	if err := d.file.Sync(); err != nil {
		return fmt.Errorf("note decision: %w", err)
	}
	return nil
}

// committed tells whether the producer's latest transaction was to be
// committed.
func (d *decisions) committed(producerID int64, epoch int16) bool {
	line := d.lines[producerID]
	return line != nil && line.epoch == epoch && line.commit
}

func (d *decisions) close() { _ = d.file.Close() }
