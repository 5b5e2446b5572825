package txn

// note compares where a batch came to lie with what is known of the
// partition's log. Logs only grow: one that does not has been deleted and made
// again, or has lost records that were committed (an unclean leader election).
func (w *Writer) note(key topicPartition, base int64, count int32) {
	if base < 0 {
		return // a repetition that the broker recognised and cannot place
	}
	if end, known := w.ends[key]; known && base < end {
		w.rewound[key] = true
		w.cfg.Log.Warn("committed records are gone from a topic: was it deleted and created again, or a replica that was behind made its leader?",
			"topic", key.topic, "partition", key.partition, "offset", base, "had", end)
	}
	w.ends[key] = base + int64(count)
}

// Relies notes that the caller goes by the records of a partition before an offset,
// as if the Writer had committed them.
func (w *Writer) Relies(topic string, partition int32, end int64) {
	w.committing.Lock()
	defer w.committing.Unlock()
	w.ends[topicPartition{topic, partition}] = end
}

// Rewound reports, once, that the log of a partition has lost records this
// Writer had committed, or that the caller relies on. It belongs to the goroutine that commits.
func (w *Writer) Rewound(topic string, partition int32) bool {
	key := topicPartition{topic, partition}
	lost := w.rewound[key]
	delete(w.rewound, key)
	return lost
}
