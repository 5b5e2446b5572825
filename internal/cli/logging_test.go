package cli

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"orderwalk/internal/config"
)

// Durations are for people to read, in both forms.
func TestDurationsAreSpelledOut(t *testing.T) {
	for form, want := range map[string]string{"json": `"after":"1.6s"`, "text": "after=1.6s"} {
		var out bytes.Buffer
		log, _ := newLog(&config.Config{LogFormat: form}, &out)
		log.Info("calls succeed again", "after", 1600*time.Millisecond)
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s: %s", form, out.String())
		}
	}
}

// Errors of Kafka are shown without what the library explains them with, and
// without its methods.
func TestKafkaErrorsAreWorded(t *testing.T) {
	for form, want := range map[string]string{"json": `"reason":"join the group: Not Coordinator"}`, "text": "reason=\"join the group: Not Coordinator\"\n"} {
		var out bytes.Buffer
		err := fmt.Errorf("join the group: kafka.(*Client).JoinGroup: %w", kafka.NotCoordinatorForGroup)
		log, _ := newLog(&config.Config{LogFormat: form}, &out)
		log.Info("waiting", "reason", err)
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s: %s", form, out.String())
		}
	}
}
