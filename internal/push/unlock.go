package push

import (
	"errors"
	"net/url"
	"strconv"
	"time"
)

// unlock checks what a ciphertext is signed with, and when, and decrypts it.
// Without a result all is well.
func (h *Handler) unlock(keys []Key, a account, query url.Values, encrypted string) ([]byte, Result) {
	signed := signers(keys, query, encrypted)
	if len(signed) == 0 {
		return nil, BadSignature
	}
	if !fresh(query.Get("timestamp")) {
		h.complain(Stale, a, "a push is more than 4 hours old or 5 minutes ahead: is the clock right?")
		return nil, Stale
	}
	err := errEncryption
	for _, k := range signed {
		message, openErr := k.open(encrypted, a.appID())
		switch {
		case openErr == nil:
			return message, ""
		case errors.Is(openErr, errAppID):
			err = openErr
		}
	}
	if errors.Is(err, errAppID) {
		h.complain(BadAppID, a, "a push is for another app ID: is the address at the vendor's side right?")
		return nil, BadAppID
	}
	h.complain(BadEncryption, a, "a push does not decrypt: is the EncodingAESKey the one at the vendor's side?")
	return nil, BadEncryption
}

// signers gives the keys that a ciphertext is signed with. The vendor says not
// to rely on signature, which does not cover the ciphertext; where it is given
// it has to be right too.
func signers(keys []Key, query url.Values, encrypted string) (signed []Key) {
	timestamp, nonce := query.Get("timestamp"), query.Get("nonce")
	for _, k := range keys {
		good := k.signed(query.Get("msg_signature"), timestamp, nonce, encrypted)
		if query.Has("signature") && !k.signed(query.Get("signature"), timestamp, nonce) {
			good = false
		}
		if good {
			signed = append(signed, k)
		}
	}
	return signed
}

// fresh tells whether a timestamp, as it is signed, may be taken.
func fresh(timestamp string) bool {
	seconds, err := strconv.ParseUint(timestamp, 10, 40)
	if err != nil {
		return false
	}
	return recent(time.Unix(int64(seconds), 0))
}

// recent reports whether a push of that time may be taken.
func recent(t time.Time) bool {
	age := time.Since(t)
	return age <= maxAge && age >= -maxAhead
}
