// Package platform keeps a third-party platform's verify ticket, its access token and the
// tokens of the shops that have authorised it. They are sealed in the group's log
// (internal/grouplog), so that every worker can use them and a restart loses none.
//
// Every worker reads them ([State]) and may post notices: a new ticket, a changed
// authorisation, a refused token. One worker at a time is the [Keeper], which acts on
// them: the one to which the group assigns the log's lane. Only the keeper calls the
// vendor's token endpoints, so each platform has one refresher, however many workers read
// its shops.
//
// # Why no refresh token is lost
//
// The answer that brings an access token may replace the refresh token, and the old
// refresh token may die with the first use of the new access token.
//
//  1. Every worker, the keeper's included, gets access tokens from the log only, where
//     each is in one record with the refresh token that came with it. So when an access
//     token is used, its refresh token is stored.
//  2. The keeper writes the record in a transaction of its transactional ID. An older
//     keeper that still runs is fenced, and writes nothing after a newer one has read
//     the log.
//  3. If the keeper dies between the answer and the commit, the next keeper finds the
//     previous refresh token. If the vendor refuses that one, the keeper requests the
//     list of all shops that have authorised the platform, which has the latest.
//
// # Which shops have authorised the platform
//
// If the group walks them, the keeper decides which shops count ([State.Members]) and
// writes that down; all workers follow its records only.
//
//  1. A pushed change decides at once, unless it is older than the authorisation that is
//     known. An event that was missed leaves a shop as it is.
//  2. The vendor's list of all shops, read every hour, corrects that. A listed shop counts.
//     One that is missing does no longer if the next list lacks it too, and both are whole:
//     each page had the same total and began with the last shop of the page before, and
//     as many shops were listed.
//     A list that lacks most shops takes only those that the vendor refuses tokens, too.
//     Of a list that cannot be read to its end, the listed shops count, and none is missing.
//  3. The list says nothing of a shop whose changes on the log are others than when the
//     list was begun, or were pushed shortly before: it may show an earlier state.
//
// So a list that fails or is short withdraws no shop, and a shop that counts by mistake
// is only one whose calls the vendor refuses, until the next list.
//
// # Secrets
//
// Tickets, tokens and codes are sealed with AES-256-GCM under the first state key. The
// seal is bound to the record's key and the rest of its value, so that a writer of the
// topic cannot alter times or reasons. Every state key can open a seal. The keeper seals
// records under other keys again under the first one, so that an old key can be removed
// once no record uses it.
package platform
