package cli

import (
	"errors"

	"orderwalk/internal/kafkaconn"
)

// hintFor says what to try, for the failures a newcomer meets. Errors of the
// API carry their own hint.
func hintFor(err error) string {
	var denied *deniedError
	if errors.As(err, &denied) {
		return denied.hint()
	}
	var reach *reachError
	if errors.As(err, &reach) {
		return reach.hint
	}
	if hint := kafkaconn.HintFor(err); hint != "" {
		return hint
	}
	return localHint(err)
}
