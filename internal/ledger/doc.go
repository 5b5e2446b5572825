// Package ledger is what the workers of a group tell each other beside
// checkpoints: a third-party platform's verify ticket and tokens, sealed, and
// notices of what the vendor has pushed to one of them. Kafka is all they share,
// so it is kept in one partition of the offsets topic, a record for each thing,
// of which compaction keeps the last.
//
// Everybody follows the partition, read_committed, and may post notices: a
// ticket, an authorisation, an order to look for, a token that was refused. One
// worker at a time, the [Desk], does something about them: the one to which the
// group assigns the partition's lane. Only the desk talks to the vendor's token
// endpoints, so a platform has one refresher, however many workers walk its
// shops.
//
// # Why no refresh token is lost
//
// A refresh token may be replaced by the answer that brings an access token, and
// the old one may die with the first use of the new.
//
//  1. Nobody, the desk included, takes an access token from anywhere but the
//     partition, where it stands in one record with the refresh token that came
//     with it. So whoever uses it can rely on the refresh token being kept.
//  2. The record is written in a transaction of the desk's transactional ID. An
//     older desk that still runs is fenced and writes nothing after a newer one
//     has read the partition.
//  3. If the desk dies between the answer and the commit, the next one finds the
//     refresh token before it. If that is refused, the vendor is asked for the
//     list of all that have authorised the platform, which has the latest.
//
// # Secrets
//
// Tickets, tokens and codes are sealed with AES-256-GCM under the first of the
// state keys and bound to the record's key and the rest of its value, so that a
// writer of the topic cannot alter times or reasons; all state keys open. What was sealed
// under another than the first is sealed again by the desk, so that a key can be
// taken away once it is in use nowhere.
package ledger
