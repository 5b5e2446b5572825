package push

import "net/http"

// Result is the outcome of a request, for orderwalk_pushes_total.
type Result string

// The values of Result.
const (
	// OK: the event was stored.
	OK Result = "ok"
	// Repeat: the event had been stored before.
	Repeat Result = "repeat"
	// Ignored: the event is not used here.
	Ignored Result = "ignored"
	// Echo: the vendor's check of the address.
	Echo Result = "echo"
	// BadSignature: not signed with a token of the account.
	BadSignature Result = "bad_signature"
	// BadEncryption: signed, but not encrypted with the EncodingAESKey that goes
	// with the token.
	BadEncryption Result = "bad_encryption"
	// BadAppID: signed and encrypted, but for another app ID.
	BadAppID Result = "bad_app_id"
	// Stale: signed too long ago, or ahead of our clock.
	Stale Result = "stale"
	// Plaintext: not encrypted at all.
	Plaintext Result = "plaintext"
	// Malformed: not a push.
	Malformed Result = "malformed"
	// Oversized: longer than any push.
	Oversized Result = "oversized"
	// UnknownApp: for an unknown account.
	UnknownApp Result = "unknown_app"
	// CutOff: its body stalled or broke off.
	CutOff Result = "cut_off"
	// NotKept: the event could not be stored, or not in time.
	NotKept Result = "not_kept"
)

// Results lists all results, so that each can be counted from zero on.
func Results() []Result {
	return []Result{
		OK, Repeat, Ignored, Echo, BadSignature, BadEncryption, BadAppID, Stale,
		Plaintext, Malformed, Oversized, UnknownApp, CutOff, NotKept,
	}
}

// success is the answer that the vendor documents; the vendor looks at the status
// only.
const success = "success"

// answer returns a result's status and text.
func (r Result) answer() (status int, text string) {
	switch r {
	case OK, Repeat, Ignored:
		return http.StatusOK, success
	case BadSignature, BadEncryption, BadAppID: // the sender does not learn which
		return http.StatusForbidden, "refused\n"
	case Stale:
		return http.StatusForbidden, "refused: the timestamp is more than 4 hours old or 5 minutes ahead\n"
	case Plaintext:
		return http.StatusBadRequest, "refused: not encrypted; only encrypted pushes (safe mode, encrypt_type=aes) are accepted\n"
	case Oversized:
		return http.StatusRequestEntityTooLarge, "refused: longer than 64 KiB\n"
	case UnknownApp:
		return http.StatusNotFound, "not found\n"
	case CutOff:
		return http.StatusServiceUnavailable, "the body did not arrive, try again\n"
	case NotKept:
		return http.StatusServiceUnavailable, "not stored, try again\n"
	}
	return http.StatusBadRequest, "refused: not a push\n"
}
