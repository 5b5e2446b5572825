package txn

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/segmentio/kafka-go"
)

// The topic that attempts fail over is remembered from one attempt to the next, so
// that the wait for a missing topic is bounded even if each attempt is short.
func TestAilingTopics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &Writer{cfg: Config{AnchorTopic: "offsets", TopicPatience: func(topic string) time.Duration {
			return map[string]time.Duration{"orders": time.Minute, "offsets": time.Minute}[topic]
		}}}
		over := func(action action, code kafka.Error, topic string) outcome {
			return outcome{call: callProduce, action: action, answer: answer{code: code, topic: topic}}
		}
		for name, c := range map[string]struct {
			o     outcome
			other outcome // every third attempt ends over that
			want  time.Duration
		}{
			"missing":            {o: over(missing, kafka.UnknownTopicOrPartition, "orders"), want: missingPatience},
			"missing anchor":     {o: over(missing, kafka.UnknownTopicOrPartition, "offsets"), want: missingPatience},
			"no replicas":        {o: over(repeat, kafka.NotEnoughReplicas, "orders"), want: time.Minute},
			"anchor":             {o: over(repeat, kafka.NotEnoughReplicas, "offsets")},
			"no limit":           {o: over(repeat, kafka.NotEnoughReplicas, "others")},
			"no answer":          {o: over(repeat, noAnswer, "orders")},
			"about no topic":     {o: over(repeat, kafka.ConcurrentTransactions, "")},
			"another in between": {o: over(repeat, kafka.NotEnoughReplicas, "orders"), other: over(repeat, kafka.NotEnoughReplicas, "offsets")},
		} {
			var a failingTopic
			start := time.Now()
			given := time.Duration(0)
			for n := 1; time.Since(start) < time.Hour; n++ {
				began := time.Now()
				time.Sleep(4 * time.Second)
				o := c.o
				if n%3 == 0 && c.other.answer.topic != "" {
					o = c.other
				}
				if !a.patience(w, o, began) {
					given = time.Since(start)
					break
				}
			}
			if given > 0 && c.want == 0 || c.want > 0 && (given < c.want || given > c.want+5*time.Second) {
				t.Errorf("%s: given up after %v, want %v", name, given, c.want)
			}
		}
	})
}
