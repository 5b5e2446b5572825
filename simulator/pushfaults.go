package simulator

import "time"

// PushFaults are the switches of a Pusher, part of Faults. The zero value is a
// vendor that pushes each event once, right away.
//
// Whether an event is hit is a function of the seed, of whom it is for, of the
// switch, and of how many events came before; for switches about tries, of the
// try too.
type PushFaults struct {
	PushOrderID       string        `fault:"push_order_id" want:"mixed,number,string" help:"order_id in pushed JSON: a number in some events and text in others, as in the vendor's examples, or always the same"`
	PushRetry         string        `fault:"push_retry" want:"anew,same" help:"a push that is tried again is signed and encrypted anew, or sent as it was"`
	PushDelay         time.Duration `fault:"push_delay" help:"events are pushed this long after they happen"`
	PushDropRate      float64       `fault:"push_drop_rate" help:"events that are never pushed"`
	PushDuplicateRate float64       `fault:"push_duplicate_rate" help:"pushes that are sent again although they were answered with 200"`
	PushReorderRate   float64       `fault:"push_reorder_rate" help:"pushes held back for up to push_reorder_hold, so that later ones overtake them"`
	PushReorderHold   time.Duration `fault:"push_reorder_hold" help:"see push_reorder_rate (0: 1m)"`
	PushLostRate      float64       `fault:"push_lost_rate" help:"pushes whose answer does not reach the vendor, who tries again"`
	PushOtherRate     float64       `fault:"push_other_rate" help:"order events that an event of another kind is pushed along with"`
	PushForgedRate    float64       `fault:"push_forged_rate" help:"events that somebody else sends a forged push ahead of, wrong in one of ten ways"`
	PushNoTickets     bool          `fault:"push_no_tickets" help:"verify tickets are not pushed"`
	PushEncryptedEcho bool          `fault:"push_encrypted_echo" help:"the check of an address is encrypted"`
}

// allPushFaults misbehaves in every way that leaves each event its ten tries.
func allPushFaults(level float64) PushFaults {
	return PushFaults{
		PushDuplicateRate: 0.1 * level,
		PushReorderRate:   0.1 * level,
		PushLostRate:      0.05 * level,
		PushOtherRate:     0.05 * level,
		PushForgedRate:    0.1 * level,
		PushEncryptedEcho: true,
	}
}

func (f *PushFaults) reorderHold() time.Duration { return orDefault(f.PushReorderHold, time.Minute) }
