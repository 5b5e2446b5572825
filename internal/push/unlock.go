package push

import (
	"errors"
	"net/url"
	"strconv"
	"time"
)

// unlock checks a ciphertext's signature and timestamp, and decrypts it. An empty
// result means success.
func (h *Handler) unlock(keys []Key, a account, query url.Values, encrypted string) ([]byte, Result) {
	signed := signers(keys, query, encrypted)
	if len(signed) == 0 {
		return nil, BadSignature
	}
	if !h.fresh(query.Get("timestamp")) {
		h.warn(Stale, a, "refused a push more than 4 hours old or 5 minutes ahead: check this machine's clock")
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
		h.warn(BadAppID, a, "refused a push for another app ID: check the address at the vendor's side")
		return nil, BadAppID
	}
	h.warn(BadEncryption, a, "refused a push that does not decrypt: compare the EncodingAESKey with the one at the vendor's side")
	return nil, BadEncryption
}

// signers returns the keys that a ciphertext is signed with. The vendor says not to
// rely on signature, which does not cover the ciphertext; if it is present it must be
// valid too.
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

// fresh reports whether a signed timestamp is acceptable.
func (h *Handler) fresh(timestamp string) bool {
	seconds, err := strconv.ParseUint(timestamp, 10, 40)
	if err != nil {
		return false
	}
	return h.recent(time.Unix(int64(seconds), 0))
}

// recent reports whether a push of that time is acceptable.
func (h *Handler) recent(t time.Time) bool {
	within := func(now time.Time) bool { return now.Sub(t) <= maxAge && now.Sub(t) >= -maxAhead }
	return within(time.Now()) || h.Clock != nil && within(h.Clock())
}
