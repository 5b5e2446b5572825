//go:build kafka

package connector

import (
	"net"
	"strings"
	"testing"

	"orderwalk/internal/kafkatest"
)

// TestStoriesOnKafka plays the stories on a real broker, over a real network
// and in real time.
func TestStoriesOnKafka(t *testing.T) {
	brokers := kafkatest.Start(t)
	for _, s := range stories {
		t.Run(s.name, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			a := &arena{TB: t, dial: new(net.Dialer).DialContext, brokers: brokers, apiURL: "http://" + listener.Addr().String(),
				name: strings.ToLower(s.name), listen: func() net.Listener { return listener }}
			a.play(s.play)
		})
	}
}
