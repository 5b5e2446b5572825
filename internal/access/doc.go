// Package access finds out which rights this client lacks on Kafka, without
// using any of them: it writes no record, opens no transaction, joins no group
// and creates no topic.
//
// Kafka refuses by resource and does not say which operation was missing; often
// it does not even say that something was refused, and a topic one may not see
// looks like one that is not there. So the questions here are chosen for their
// answers:
//
//	right                       question
//	to see topics               Metadata, past kafka-go's cache
//	Create of a missing topic   CreateTopics, to be validated only
//	Write on transactional IDs  EndTxn for a producer ID nobody has: refused
//	                            either for the right or for the producer ID
//	Write on topics             AddPartitionsToTxn for that producer ID; where
//	                            the transactional ID is refused already, the
//	                            authorized operations that Metadata tells
//	Read on the offsets topic   Fetch, far beyond its end
//	Read on the group           Heartbeat of a member nobody knows
//
// All but the authorized operations are refusals of the very requests that the
// connector depends on, so what is reported as missing is missing.
//
// It decides nothing and grants nothing; the rights that are enough are listed
// in docs/KAFKA.md. Its users are `orderwalk check`, and `orderwalk run`
// before it begins.
package access
