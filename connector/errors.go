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
	hint := "lower ORDERWALK_MIN_WINDOW"
	if e.End-e.Start == 1 {
		hint = "one second cannot be divided: ask the vendor to list more for one range, or read this time in a group of its own for each status (a status filter)"
	}
	return fmt.Sprintf("read window %d–%d (%s) of shop %s: the API refuses it as too full (31042) and it cannot be halved any more; nothing was skipped: %s",
		e.Start, e.End, time.Unix(e.Start, 0).UTC().Format(time.RFC3339), e.Shop, hint)
}

// MisplacedError stops a shop whose checkpoint stands in a lane that it does
// not belong to: somebody has changed the number of the offsets topic's
// partitions. Starting over would publish everything again.
type MisplacedError struct {
	Partition   offsets.Partition
	Topic       string
	Lane, Found int
}

func (e *MisplacedError) Error() string {
	return fmt.Sprintf("find checkpoint of %s: it is in partition %d of topic %s, and with the partitions that topic has now it belongs to partition %d; nothing was started over: give the topic its former number of partitions (a new topic and a copy), or write a tombstone for the old record to begin anew on purpose",
		e.Partition, e.Found, e.Topic, e.Lane)
}

// GrownError is an offsets topic that has other partitions than when this
// worker dealt its shops out over them. Dealing them out anew while it runs
// would take shops away from their checkpoints.
type GrownError struct {
	Topic    string
	Had, Has int // Has is 0 where only a partition beyond those it had is known
}

func (e *GrownError) Error() string {
	now := fmt.Sprintf("%d partitions now and had %d", e.Has, e.Had)
	if e.Has == 0 {
		now = fmt.Sprintf("more than the %d partitions it had", e.Had)
	}
	return fmt.Sprintf("deal the shops out over lanes: topic %s has %s when this worker started; shops that belong to another one by now are refused at the next start, with what to do about it",
		e.Topic, now)
}
