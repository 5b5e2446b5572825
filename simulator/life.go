package simulator

import "time"

// Order statuses. The vendor has extended the list before, so it is an open enum.
const (
	statusToPay             = 10
	statusGiftPending       = 12
	statusGroupPending      = 13
	statusToShip            = 20
	statusPartShipped       = 21
	statusToReceive         = 30
	statusDone              = 100
	statusCancelledOversold = 190
	statusCancelledRefunded = 200
	statusCancelled         = 250
	statusUnknown           = 77 // undocumented
)

// birthStatuses and anyStatus are drawn from uniformly; repeats are weights. They are
// read-only.
var (
	birthStatuses = []int{
		statusToPay, statusToPay, statusToPay, statusToPay, statusToPay, statusToPay,
		statusGiftPending, statusGroupPending,
	}
	anyStatus = []int{
		statusToPay, statusToPay, statusToShip, statusToShip, statusToShip, statusToShip,
		statusPartShipped, statusToReceive, statusToReceive, statusToReceive,
		statusDone, statusDone, statusDone, statusDone, statusDone, statusDone,
		statusGiftPending, statusGroupPending, statusCancelledOversold,
		statusCancelledRefunded, statusCancelled, statusCancelled, statusUnknown,
	}
)

// nextStatus returns the next status: usually a step forward, sometimes one back (as
// observed in real shops) or a random one, never the same.
func nextStatus(status int32, h uint64) int32 {
	draw := below(h, 10)
	next := int32(anyStatus[below(mix(h), int64(len(anyStatus)))])
	switch status {
	case statusToPay, statusGiftPending, statusGroupPending:
		if draw < 8 {
			next = statusToShip
		}
	case statusToShip:
		switch {
		case draw < 2:
			next = statusPartShipped
		case draw < 8:
			next = statusToReceive
		case draw < 9:
			next = statusToPay
		}
	case statusPartShipped:
		if draw < 8 {
			next = statusToReceive
		}
	case statusToReceive:
		switch {
		case draw < 8:
			next = statusDone
		case draw < 9:
			next = statusToShip
		}
	}
	switch {
	case next != status:
		return next
	case status != statusCancelled:
		return statusCancelled
	}
	return statusUnknown
}

// life is how often and how fast an order changes.
type life struct {
	changes float64
	within  time.Duration
}

func newLife(changes float64, within, usually time.Duration) life {
	if within <= 0 {
		within = usually
	}
	return life{changes: changes, within: within}
}

// next returns the time, in unix milliseconds, of an order's step-th change after the
// previous one; false = it has no more.
func (l life) next(seed uint64, n uint32, step int32, after int64) (int64, bool) {
	if l.changes <= 0 {
		return 0, false
	}
	total := count(mix(seed, saltLife, uint64(n)), l.changes)
	if int(step) > total {
		return 0, false
	}
	gap := 2 * l.within.Milliseconds() / int64(total+1)
	return after + 1 + below(mix(seed, saltMoment, uint64(n), uint64(step)), gap), true
}
