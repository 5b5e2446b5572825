package connector

import (
	"strings"
	"sync"
	"time"
)

// apiDownAfter is how long calls must go without an answer until the API counts as
// down: a single failed call among others is no outage.
const apiDownAfter = 10 * time.Second

// apiUp tracks whether the API answers this worker's calls, of lists and of tokens. An
// errcode is an answer, even a refusal; a timeout, a broken connection, HTTP 5xx or a
// body that is not JSON is none.
type apiUp struct {
	mu   sync.Mutex
	down time.Time // the first call without an answer since the latest answer; zero = none
}

func (u *apiUp) called(result string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch result {
	case "timeout", "reset", "refused", "dns", "tls", "network", "bad_body":
	case "canceled", "unreadable", "error":
		return // says nothing about the API
	default:
		if !strings.HasPrefix(result, "http_5") {
			u.down = time.Time{}
			return
		}
	}
	if u.down.IsZero() {
		u.down = time.Now()
	}
}

// up reports whether the API answers, or has not failed to for long enough.
func (u *apiUp) up() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.down.IsZero() || time.Since(u.down) < apiDownAfter
}
