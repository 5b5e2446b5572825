package wechat

import (
	"strings"

	"orderwalk/internal/incident"
)

// What the clients of many shops have at the same time, for the log.
var (
	quotaUsedUp = incident.Kind{Who: "shop", Begins: "daily quota used up; pausing until it resets",
		Lasts: "calls still pause until the daily quota resets", Ends: "the daily quota has reset; calls resume", Long: true}
	rateLowered = incident.Kind{Who: "shop", Begins: "throttled by the API; continuing at a lower rate in the next minute",
		Lasts: "the API still throttles calls; continuing at a lower rate", Ends: "the API no longer throttles calls"}
)

// failing is the kind of calls that are retried after v. All failures without an answer
// of the API are one: an API that is down refuses one shop's connection and lets
// another's call time out.
func failing(v *Error) incident.Kind {
	cause := v.result
	switch cause {
	case "timeout", "reset", "refused", "dns", "tls", "network":
		cause = "no answer"
	}
	if strings.HasPrefix(cause, "http_") {
		cause = "no answer" // a gateway's, which does not reach the API
	}
	if v.elsewhere {
		cause = "token server"
	}
	return incident.Kind{Who: "shop", Cause: cause, Begins: "call failed; retrying", Lasts: "calls still fail; retrying", Ends: "calls succeed again"}
}
