// Package push takes what the vendor pushes: events of orders, of shops that
// authorise a third-party platform or take that back, and the platform's verify
// tickets.
//
// It knows how a push is signed, encrypted and written, and which addresses it
// comes to. It does not know what a push is good for: it hands typed events to
// functions it is given and answers the vendor according to what they say. Only
// internal/cli uses it.
//
// # Addresses
//
//	/push/{app_id}                         a shop's own events, as JSON
//	/push/component/{component}            authorisations and verify tickets, as XML
//	/push/component/{component}/{app_id}   events of the platform's shops, as XML
//
// GET is the check that the vendor makes when an address is entered there, POST
// is a push. Everything else is 404: the listener faces the internet and serves
// nothing more.
//
// # What is believed
//
// A push is believed when its msg_signature is right under one of the account's
// keys, its timestamp and its CreateTime are not older than 4 hours and not more
// than 5 minutes ahead, it decrypts, and its plaintext ends in the app ID it is meant for. The
// signature covers the ciphertext, so nothing is decrypted that the vendor has
// not signed; yet all that is wrong up to here gets one and the same answer, so
// that nobody learns which part it was. The results, which are counted, tell the
// operator.
//
// What the signature does not cover is the address. A push to one shop of a
// platform that is sent again to another one's address is believed; it can do no
// more than have that shop looked at.
//
// # What is answered
//
//	200  success: it was kept, or kept before, or is of no concern here
//	4xx  it is forged, malformed or for nobody here; the vendor need not try again
//	503  it could not be kept; the vendor tries again for 3.6 hours
//
// The vendor waits for 5 s. A function that has not returned 4.5 s after a push
// came is no longer waited for and the answer is 503. If it succeeds later all
// the same, the vendor's next try is a repeat.
//
// A repeat is a push with the message of one that was kept, even if it was
// signed and encrypted anew. What is remembered is bounded and ends with the
// process, so whoever is handed an event may be handed it again: by Created it
// can be told from news.
package push
