package connector

import (
	"errors"
	"fmt"
	"time"

	"orderwalk/offsets"
)

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
	return fmt.Sprintf("find checkpoint of %s: it is in partition %d of topic %s, and with the partitions that topic has now it belongs to partition %d; nothing was started over",
		e.Partition, e.Found, e.Topic, e.Lane)
}

// GrownError reports that the number of partitions of the offsets topic has changed
// since this worker assigned its shops to lanes. Assigning them again while it runs
// would separate shops from their checkpoints.
type GrownError struct {
	Topic    string
	Had, Has int // Has is 0 where only a partition beyond those it had is known
}

func (e *GrownError) Error() string {
	now := fmt.Sprintf("%d partitions now and had %d", e.Has, e.Had)
	if e.Has == 0 {
		now = fmt.Sprintf("more than the %d partitions it had", e.Had)
	}
	return fmt.Sprintf("deal the shops out over lanes: topic %s has %s when this worker started",
		e.Topic, now)
}
