package grouplog

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestALogThatHasBecomeShorter checks that workers hear what is posted after the topic
// was created again. One that has lost its end to an unclean leader election is the same
// to them.
func TestALogThatHasBecomeShorter(t *testing.T) {
	inBubble(t, func(w *fixture) {
		one, other := w.start("one", true), w.start("other", true)
		for i := range 5 {
			if err := one.Post(w.Context(), order("wx1", fmt.Sprint(i))); err != nil {
				w.Fatal(err)
			}
			<-one.heard
			<-other.heard
		}
		client, err := kgo.NewClient(kgo.SeedBrokers("localhost:9092"), kgo.Dialer(w.network.DialContext))
		if err != nil {
			w.Fatal(err)
		}
		defer client.Close()
		admin := kadm.NewClient(client)
		if _, err := admin.DeleteTopics(w.Context(), "offsets"); err != nil {
			w.Fatal(err)
		}
		if _, err := admin.CreateTopic(w.Context(), 1, 1, nil, "offsets"); err != nil {
			w.Fatal(err)
		}
		time.Sleep(time.Minute)
		for _, value := range []string{"again", "and again"} {
			if err := one.Post(w.Context(), order("wx1", value)); err != nil {
				w.Fatal(err)
			}
			for name, k := range map[string]*worker{"one": one, "other": other} {
				select {
				case got := <-k.heard:
					if got != "wx1 "+value {
						w.Errorf("%s heard %q, want %q", name, got, value)
					}
				case <-time.After(time.Minute):
					w.Errorf("%s does not hear %q", name, value)
				}
			}
		}
		if err := other.CatchUp(w.Context()); err != nil || len(one.heard)+len(other.heard) > 0 {
			w.Errorf("heard %d and %d more, %v", len(one.heard), len(other.heard), err)
		}
		one.stop()
		other.stop()
	})
}
