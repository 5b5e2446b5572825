package push

import (
	"net/http"
	"net/url"
	"strings"
)

// check answers the vendor's check of an address with the text to echo.
func (h *Handler) check(a account, r *http.Request) (Result, string) {
	keys, result := h.keys(a)
	if result != "" {
		return result, ""
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return Malformed, ""
	}
	echo := query.Get("echostr")
	if query.Has("msg_signature") {
		message, result := h.unlock(keys, a, query, echo)
		if result != "" {
			return result, ""
		}
		echo = string(message)
	} else {
		timestamp, nonce, good := query.Get("timestamp"), query.Get("nonce"), false
		for _, k := range keys {
			if k.signed(query.Get("signature"), timestamp, nonce) {
				good = true
			}
		}
		if !good {
			return BadSignature, ""
		}
		if !h.fresh(timestamp) {
			return Stale, ""
		}
	}
	if !isEcho(echo) {
		return Malformed, ""
	}
	return Echo, echo
}

// isEcho reports whether a text may be sent back. A signed GET must not show a page in
// a browser, nor decrypt a recorded push.
func isEcho(s string) bool {
	const more = "+/=.~"
	return s != "" && len(s) <= 256 && strings.IndexFunc(s, func(r rune) bool {
		return !strings.ContainsRune(more, r) && !isName(string(r))
	}) < 0
}
