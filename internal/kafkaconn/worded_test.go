package kafkaconn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/segmentio/kafka-go"
)

func TestWorded(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("kafka.(*Client).Metadata: %w", io.EOF), "EOF"},
		{fmt.Errorf("ask for x: kafka.(*Client).DescribeConfigs: %w", kafka.NotCoordinatorForGroup), "ask for x: Not Coordinator"},
		{kafka.TopicAuthorizationFailed, "Topic Authorization Failed"},
		{kafka.Error(999), "error 999"},
		{io.EOF, "EOF"},
	} {
		got := Worded(c.err)
		if got.Error() != c.want || !errors.Is(got, errors.Unwrap(c.err)) && !errors.Is(got, c.err) {
			t.Errorf("Worded(%v) = %v, want %s", c.err, got, c.want)
		}
	}
	if Worded(nil) != nil {
		t.Error("no error became one")
	}
}

// A port without a listener and a network that drops packets are two different errors.
func TestCausesOfTheWay(t *testing.T) {
	k := New(Config{Brokers: []string{"kafka.test:9092"}})
	defer k.Close()
	for err, want := range map[error]Cause{
		syscall.ECONNREFUSED:       CauseUnreachable,
		os.ErrDeadlineExceeded:     CauseNoAnswer,
		context.DeadlineExceeded:   CauseNoAnswer,
		&net.DNSError{Name: "xyz"}: CauseName,
	} {
		e := k.failure(stepConnect, "kafka.test:9092", &net.OpError{Op: "dial", Net: "tcp", Err: err})
		if e.Cause != want {
			t.Errorf("%v: cause %q, want %q", err, e.Cause, want)
		}
	}
	e := k.failure(stepConnect, "broker-7.test:9092", &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED})
	if e.Cause != CauseAdvertised {
		t.Errorf("an address that the cluster gave: cause %q", e.Cause)
	}
}
