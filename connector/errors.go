package connector

import (
	"errors"
	"fmt"
	"time"
)

// ErrFenced says that a newer owner has taken the lanes over. What this
// process had not committed, it never will.
var ErrFenced = errors.New("fenced by a newer owner")

// errBadPaging is an API that says "more" and gives no usable page token, even
// after the list was begun again.
var errBadPaging = errors.New("page tokens are missing or repeat themselves")

// TooDenseError stops a shop: even a window of the least length holds more
// orders than the API lists, and skipping it would lose them.
type TooDenseError struct {
	Shop       string
	Start, End int64
}

func (e *TooDenseError) Error() string {
	return fmt.Sprintf("read window %d–%d (%s) of shop %s: the API refuses it as too full (31042) and it cannot be halved any more; nothing was skipped: lower ORDERWALK_MIN_WINDOW, set a status filter, or ask the vendor",
		e.Start, e.End, time.Unix(e.Start, 0).UTC().Format(time.RFC3339), e.Shop)
}
