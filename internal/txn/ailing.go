package txn

import "time"

// ailing is the topic that attempts have ended over, one after the other. Only
// one topic at a time is looked at: when it is left out, the next one shows.
type ailing struct {
	topic string
	since time.Time // the begin of the first of these attempts
}

// patience reports whether an attempt that began at a time, and ended without a
// definite answer, may be made again: what is missing is not waited for any
// longer than within one attempt, however short its time is, and what cannot be
// written to only as long as Config.TopicPatience allows.
func (a *ailing) patience(w *Writer, o outcome, began time.Time) bool {
	if o.action != again && o.action != missing || o.answer.topic == "" || o.answer.code == noAnswer {
		*a = ailing{}
		return true
	}
	if o.answer.topic != a.topic {
		*a = ailing{o.answer.topic, began}
	}
	if o.action == missing {
		return time.Since(a.since) <= missingPatience
	}
	limit := w.topicPatience(a.topic)
	return limit == 0 || time.Since(a.since) <= limit
}

// topicPatience is how long a topic may be without a leader, or without enough
// replicas; 0 = for ever.
func (w *Writer) topicPatience(topic string) time.Duration {
	if w.cfg.TopicPatience == nil || topic == w.cfg.AnchorTopic {
		return 0
	}
	return w.cfg.TopicPatience(topic)
}

// leaderPatience is when to stop waiting for a leader of each of the partitions;
// the zero time if each is waited for for ever.
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
