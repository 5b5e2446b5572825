package simulator

import "time"

// PushFaults are the switches of a Pusher, part of Faults. The zero value is a vendor
// that pushes each event once, immediately.
//
// Whether a fault affects an event is a function of the seed, the receiver, the
// switch, and the number of earlier events; for switches about attempts, also of the
// attempt.
type PushFaults struct {
	PushOrderID       string        `fault:"push_order_id" want:"mixed,number,string" help:"order_id in pushed JSON: number or text depending on the event, as in the vendor's examples, or always the same"`
	PushRetry         string        `fault:"push_retry" want:"anew,same" help:"a repeated push is signed and encrypted again, or sent unchanged"`
	PushDelay         time.Duration `fault:"push_delay" help:"delay between an event and its push"`
	PushDropRate      float64       `fault:"push_drop_rate" help:"events that are never pushed"`
	PushDuplicateRate float64       `fault:"push_duplicate_rate" help:"pushes that are repeated although they were answered with 200"`
	PushReorderRate   float64       `fault:"push_reorder_rate" help:"pushes held back for up to push_reorder_hold, so that later ones overtake them"`
	PushReorderHold   time.Duration `fault:"push_reorder_hold" help:"see push_reorder_rate (0: 1m)"`
	PushLostRate      float64       `fault:"push_lost_rate" help:"pushes whose answer does not reach the vendor, which then repeats them"`
	PushOtherRate     float64       `fault:"push_other_rate" help:"order events that are pushed together with an event of another kind"`
	PushForgedRate    float64       `fault:"push_forged_rate" help:"events that are preceded by a forged push, wrong in one of ten ways"`
	PushNoTickets     bool          `fault:"push_no_tickets" help:"verify tickets are not pushed"`
	PushEncryptedEcho bool          `fault:"push_encrypted_echo" help:"the vendor's check of an address is encrypted"`
}

// allPushFaults returns all push faults that leave each event its ten attempts.
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
