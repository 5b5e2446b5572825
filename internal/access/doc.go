// Package access finds out which rights this client lacks on Kafka, without using any of
// them: it writes no record, opens no transaction, joins no group and creates no topic.
//
// Kafka refuses by resource and does not name the missing operation. Often it does not
// even report a refusal, and a topic that the client may not see looks like a missing
// one. So each right is checked by a request whose answer depends on it:
//
//	right                       request
//	to see topics               Metadata, past kafka-go's cache
//	Create of a missing topic   CreateTopics, validation only
//	Write on transactional IDs  EndTxn for an unassigned producer ID: refused
//	                            either for the right or for the producer ID
//	Write on topics             AddPartitionsToTxn for that producer ID; if the
//	                            transactional ID is already refused, the
//	                            authorized operations in the Metadata answer
//	Read on the offsets topic   Fetch, far beyond its end
//	Read on the group           Heartbeat of an unknown member
//
// Except for the authorized operations, these are refusals of the very requests that the
// connector depends on, so a right that is reported as missing is missing.
//
// The package decides nothing and grants nothing; docs/KAFKA.md lists the sufficient
// rights. Its users are `orderwalk check`, and `orderwalk run` at start.
package access
