package kafkaconn

import (
	"io"
	"net"
	"testing"
)

// TestTraffic: bytes count in both directions, and a connection that is closed twice is
// one that has closed.
func TestTraffic(t *testing.T) {
	var m meter
	ours, theirs := net.Pipe()
	conn := m.measure(ours)
	if now := m.now(); now != (Traffic{Open: 1}) {
		t.Errorf("open: %+v", now)
	}
	echoed := make(chan error, 1)
	go func() {
		text := make([]byte, 5)
		_, err := io.ReadFull(theirs, text)
		if err == nil {
			_, err = theirs.Write(append(text, text...))
		}
		echoed <- err
	}()
	if _, err := conn.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	if err := <-echoed; err != nil {
		t.Fatal(err)
	}
	if now := m.now(); now != (Traffic{Sent: 5, Received: 10, Open: 1}) {
		t.Errorf("after an exchange: %+v", now)
	}
	for range 2 {
		_ = conn.Close() // a pipe's cannot fail
	}
	if now := m.now(); now != (Traffic{Sent: 5, Received: 10}) {
		t.Errorf("closed: %+v", now)
	}
}
