package connector

import (
	"errors"
	"fmt"
	"time"

	"orderwalk/offsets"
)

// errBadPaging reports that the API announces more pages without a usable page
// token, even after the window was restarted.
var errBadPaging = errors.New("page tokens are missing or repeat themselves")

// TooDenseError stops a shop: a window of minimum length holds more orders than
// the API lists, and skipping it would lose them.
type TooDenseError struct {
	Shop       string
	Start, End int64
}

func (e *TooDenseError) Error() string {
	return fmt.Sprintf("read window %d–%d (%s) of shop %s: the API refuses it as too full (31042) and it cannot be halved any more; nothing was skipped",
		e.Start, e.End, time.Unix(e.Start, 0).UTC().Format(time.RFC3339), e.Shop)
}

// MisplacedError stops a shop whose checkpoint is in another lane than its own:
// an operator has changed the number of partitions of the offsets topic. Starting
// over would publish everything again.
type MisplacedError struct {
	Partition   offsets.Partition
	Topic       string
	Lane, Found int
}

func (e *MisplacedError) Error() string {
	return fmt.Sprintf("find checkpoint of %s: it is in partition %d of topic %s, but by the topic's current number of partitions it belongs in partition %d; nothing was started over",
		e.Partition, e.Found, e.Topic, e.Lane)
}

// GrownError reports that the number of partitions of the offsets topic has changed
// since this worker assigned its shops to lanes. Assigning them again while it runs
// would separate shops from their checkpoints.
type GrownError struct {
	Topic    string
	Had, Has int // Has is 0 if only a partition beyond Had was seen
}

func (e *GrownError) Error() string {
	now := fmt.Sprintf("%d partitions now but had %d", e.Has, e.Had)
	if e.Has == 0 {
		now = fmt.Sprintf("more than the %d partitions it had", e.Had)
	}
	return fmt.Sprintf("assign shops to lanes: topic %s has %s when this worker started",
		e.Topic, now)
}
