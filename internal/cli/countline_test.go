package cli

import (
	"bytes"
	"testing"
)

func TestCountLine(t *testing.T) {
	var out, errs bytes.Buffer
	c := newCountLine(Streams{Out: &out, Err: &errs}, 10_000, "app IDs checked")
	if got := c.text(); got != "0 of 10,000 app IDs checked" {
		t.Error(got)
	}
	for i := range 1234 {
		c.one(i%1000 == 0)
	}
	if got := c.text(); got != "1,234 of 10,000 app IDs checked · 2 failed" {
		t.Error(got)
	}
	c.end()
	if c.above(&out) != &out || errs.Len() > 0 { // no terminal
		t.Errorf("%q", &errs)
	}
}

// Text to stdout goes above the line of stderr.
func TestAboveLine(t *testing.T) {
	var screen bytes.Buffer
	line := &statusLine{w: &screen}
	above := aboveLine{line, &screen}
	write := func(text string) {
		t.Helper()
		if n, err := above.Write([]byte(text)); n != len(text) || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	}
	write("before\n")
	line.set("1 of 2", 80)
	write("ok a\n")
	line.clear()
	write("after\n")
	if got, want := screen.String(), "before\n\r\x1b[K1 of 2\r\x1b[Kok a\n1 of 2\r\x1b[Kafter\n"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
