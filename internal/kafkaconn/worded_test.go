package kafkaconn

import (
	"errors"
	"fmt"
	"io"
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
