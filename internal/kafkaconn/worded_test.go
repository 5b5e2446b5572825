package kafkaconn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
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
func TestHintsOfTheWay(t *testing.T) {
	k := New(Config{Brokers: []string{"kafka.test:9092"}})
	defer k.Close()
	for cause, want := range map[error]string{
		syscall.ECONNREFUSED:       "a broker runs there",
		os.ErrDeadlineExceeded:     "a firewall",
		context.DeadlineExceeded:   "a firewall",
		&net.DNSError{Name: "xyz"}: "host names",
	} {
		err := k.failure(stepConnect, "kafka.test:9092", &net.OpError{Op: "dial", Net: "tcp", Err: cause})
		if !strings.Contains(HintFor(err), want) {
			t.Errorf("%v: %q says nothing of %q", cause, HintFor(err), want)
		}
	}
}
