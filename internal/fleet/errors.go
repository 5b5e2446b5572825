package fleet

import (
	"errors"
	"fmt"
)

// UnknownError is a shop that no worker's configuration has, no call created, and that has
// not authorised the platform.
type UnknownError struct{ Name string }

func (e *UnknownError) Error() string { return fmt.Sprintf("no shop is called %s", e.Name) }

// ErrStarting is a call that comes before the worker has reached Kafka.
var ErrStarting = errors.New("the worker is starting: Kafka has not been reached yet")
