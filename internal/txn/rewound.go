package txn

// noteOffset compares the offset of a batch with the known end of the partition's log. Logs
// only grow: a shorter one has been deleted and created again, or has lost committed
// records (an unclean leader election).
func (w *Writer) noteOffset(key topicPartition, base int64, count int32) {
	if base < 0 {
		delete(w.ends, key) // a duplicate; the broker does not know its offset
		return
	}
	if end, known := w.ends[key]; known && base < end {
		w.rewound[key] = true
		w.cfg.Log.Warn("committed records are missing from a topic; was it deleted and created again, or did a replica that was behind become leader?",
			"topic", key.topic, "partition", key.partition, "offset", base, "had", end)
	}
	w.ends[key] = base + int64(count)
	if w.relied != nil && key == w.relied.partition && w.relied.to < 0 {
		w.relied.to = base
	}
}

// Rewound reports, once, that the log of a partition has lost records that this Writer
// had committed or that the caller relies on. Only the goroutine that commits may call
// it.
func (w *Writer) Rewound(topic string, partition int32) bool {
	key := topicPartition{topic, partition}
	lost := w.rewound[key]
	delete(w.rewound, key)
	return lost
}
