//go:build kafka

package connector

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"orderwalk/test/kafkatest"
)

// TestStoriesOnKafka plays the stories on a real broker, over a real network and in
// real time. They share the broker and mostly wait, so as many as there are CPUs are
// played at once.
func TestStoriesOnKafka(t *testing.T) {
	brokers := kafkatest.Start(t)
	for _, s := range stories {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			a := &testbed{TB: t, dial: new(net.Dialer).DialContext, brokers: brokers, apiURL: "http://" + listener.Addr().String(),
				// With -count, the broker has data of earlier runs.
				name: fmt.Sprintf("%s-%d", strings.ToLower(s.name), time.Now().UnixNano()), listen: func() net.Listener { return listener }}
			a.play(s.play)
		})
	}
}
