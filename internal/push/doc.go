// Package push receives the vendor's pushes: order events, changes of shops'
// authorisations of a third-party platform, and the platform's verify tickets.
//
// It knows how a push is signed, encrypted and encoded, and to which addresses it is
// sent. It does not know what the events are used for: it passes typed events to
// functions of its caller and answers the vendor according to their result. Only
// internal/cli uses it.
//
// # Addresses
//
//	/push/{app_id}                         a shop's own events, as JSON
//	/push/component/{component}            authorisations and verify tickets, as XML
//	/push/component/{component}/{app_id}   events of the platform's shops, as XML
//
// GET is the vendor's check when an operator enters an address there; POST is a push.
// Everything else is 404, because the listener faces the internet.
//
// # Which pushes are accepted
//
// A push is accepted if its msg_signature is valid under one of the account's keys,
// its timestamp and its CreateTime are not older than 4 hours and not more than 5
// minutes ahead, it decrypts, and its plaintext ends in the account's app ID. The
// signature covers the ciphertext, so the package decrypts only what the vendor has
// signed. The answer to all of these faults is the same, so that a forger does not
// learn which check failed. The operator sees it in the counted results.
//
// The signature does not cover the address. A push to one shop of a platform that is
// replayed to another shop's address is accepted; its only effect is that the other
// shop is polled.
//
// # Answers
//
//	200  success: the event was stored, or was stored before, or is not used here
//	4xx  the push is forged, malformed or for an unknown account; do not repeat it
//	503  the push did not arrive whole, or could not be stored; the vendor repeats it for 3.6 hours
//
// The vendor waits for 5 s. If the caller's function has not returned 4.5 s after a
// push came, the answer is 503. If the function succeeds later, the vendor's next
// attempt is a repeat.
//
// A repeat is a push with the same message as a stored one, even if it was signed and
// encrypted again. The record of stored pushes is bounded and lost with the process,
// so a function may get an event more than once; Created tells an old one from a new
// one.
package push
