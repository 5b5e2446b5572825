//go:build kafka

package kafkatest_test

import (
	"testing"

	"orderwalk/internal/kafkatest"
)

func TestStart(t *testing.T) {
	t.Log(kafkatest.Start(t))
	if a, b := kafkatest.Start(t), kafkatest.Start(t); a[0] != b[0] {
		t.Errorf("two brokers %v and %v, want one for the process", a, b)
	}
}
