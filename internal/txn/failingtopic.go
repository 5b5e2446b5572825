package txn

import "time"

// failingTopic is the topic over which consecutive attempts have failed. Only one topic at a
// time is tracked: when the caller leaves it out, the next one shows.
type failingTopic struct {
	topic string
	since time.Time // when the first of these attempts began
}

// patience reports whether an attempt that began at a time, and ended without a
// definite answer, may be repeated. A missing topic has missingPatience in all, however
// short one attempt is; a topic that cannot be written to has Config.TopicPatience.
func (a *failingTopic) patience(w *Writer, o outcome, began time.Time) bool {
	if o.action != repeat && o.action != missing || o.answer.topic == "" || o.answer.code == noAnswer {
		*a = failingTopic{}
		return true
	}
	if o.answer.topic != a.topic {
		*a = failingTopic{o.answer.topic, began}
	}
	if o.action == missing {
		return time.Since(a.since) <= missingPatience
	}
	limit := w.topicPatience(a.topic)
	return limit == 0 || time.Since(a.since) <= limit
}

// topicPatience returns how long a topic may be without a leader or without enough
// replicas; 0 = no limit.
func (w *Writer) topicPatience(topic string) time.Duration {
	if w.cfg.TopicPatience == nil || topic == w.cfg.AnchorTopic {
		return 0
	}
	return w.cfg.TopicPatience(topic)
}

// leaderPatience returns when to stop waiting for a leader of each of the partitions;
// the zero time = never.
func (w *Writer) leaderPatience(partitions []topicPartition) (until time.Time) {
	for _, p := range partitions {
		if limit := w.topicPatience(p.topic); limit > 0 {
			if at := time.Now().Add(limit); until.IsZero() || at.Before(until) {
				until = at
			}
		}
	}
	return until
}
