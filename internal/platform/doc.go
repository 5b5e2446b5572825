// Package platform keeps a third-party platform's verify ticket, its access token
// and those of the shops that have authorised it, sealed, in the group's log
// (internal/grouplog), so that every worker walks with them and a restart loses
// none.
//
// Every worker reads them ([State]) and may post notices: a ticket, an
// authorisation, a token that was refused. One worker at a time, the [Keeper], does
// something about them: the one to which the group assigns the log's lane. Only the
// keeper calls the vendor's token endpoints, so a platform has one refresher, however
// many workers walk its shops.
//
// # Why no refresh token is lost
//
// A refresh token may be replaced by the answer that brings an access token, and
// the old one may die with the first use of the new.
//
//  1. Every worker, the keeper's included, takes access tokens from the log alone,
//     where each stands in one record with the refresh token that came with it. So
//     when an access token is used, its refresh token is kept.
//  2. The record is written in a transaction of the keeper's transactional ID. An
//     older keeper that still runs is fenced and writes nothing after a newer one
//     has read the log.
//  3. If the keeper dies between the answer and the commit, the next one finds the
//     refresh token before it. If that is refused, the vendor is asked for the
//     list of all that have authorised the platform, which has the latest.
//
// # Secrets
//
// Tickets, tokens and codes are sealed with AES-256-GCM under the first of the
// state keys and bound to the record's key and the rest of its value, so that a
// writer of the topic cannot alter times or reasons; all state keys open. What was
// sealed under another than the first is sealed again by the keeper, so that a key
// can be taken away once it is in use nowhere.
package platform
