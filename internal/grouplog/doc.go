// Package grouplog is a compacted log that every worker of a group follows: the data that
// workers share beside checkpoints. Kafka is their only common storage, so the log is one
// partition of the offsets topic, with a record for each [Name], of which compaction
// keeps the last. Callers define the values (internal/platform, internal/push);
// internal/cli connects them to the log.
//
// Every worker follows the partition and delivers committed records, without waiting for
// transactions of lanes that are open in it: a lane may be opened only when the worker
// knows what the group has posted. Every worker may post records ([Log.Post]).
// Records that only one worker may write are written by an owner ([Log.Own]), whose
// transactional ID fences the owner before it.
//
// Each record is delivered once, in the order of the commits; a record older than the
// last one of its name is not delivered. Kinds without a receiver in this process are
// skipped, so later versions may add kinds.
package grouplog
