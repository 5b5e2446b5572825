// Package grouplog is one compacted partition that every worker of a group follows:
// what workers tell each other beside checkpoints. Kafka is all they share, so it is
// kept in one partition of the offsets topic, a record for each [Name], of which
// compaction keeps the last. What stands in the values is the business of those who
// ask for it (internal/platform, internal/push); the cli joins them.
//
// Every worker follows the partition, read_committed, and may post records
// ([Log.Post]). What only one worker may write it writes as an owner ([Log.Own]):
// with a transactional ID that fences the owner before it.
//
// Each record is delivered once, in the order of the partition, and older ones than
// the last of their name not at all. Kinds that nobody in this process has asked for
// are passed over unread, so a later version may keep more here.
package grouplog
