package desired

import (
	"encoding/json"
	"maps"

	"orderwalk/internal/grouplog"
)

// kindShop is the kind of a shop's record; its key has the shop's name in "shop".
const kindShop grouplog.Kind = "connector"

// Target is what an operator wants a shop to do. The texts are Kafka Connect's.
type Target string

// Targets.
const (
	Running Target = "RUNNING" // walked; the default
	Paused  Target = "PAUSED"  // not walked, its state stays in memory
	Stopped Target = "STOPPED" // not walked, and nothing of it stays in memory
)

// Shop is what is wanted of one shop. It is a value: do not change Config.
type Shop struct {
	Target Target
	// Config is the configuration of a shop that was created over HTTP, as it was
	// sent; nil for a shop of the worker's own configuration.
	Config map[string]string
	// Restarts counts the restarts that were asked for, and the stops: a worker that
	// hears of a stop and of the resumption at once would not notice. IfFailed counts
	// those that concern the shop only if it has failed.
	Restarts, IfFailed int64
	// At is when the shop was changed last, in unix seconds; 0 = never.
	At int64
	// By is who changed it last, as the audit log names the caller.
	By string
}

// record is a Shop's value in the log.
type record struct {
	Change   string            `json:"change"` // see doc.go, 4
	Deleted  bool              `json:"deleted,omitempty"`
	Target   Target            `json:"target,omitempty"`
	Config   map[string]string `json:"config,omitempty"`
	Restarts int64             `json:"restarts,omitempty"`
	IfFailed int64             `json:"restarts_if_failed,omitempty"`
	At       int64             `json:"at"`
	By       string            `json:"by,omitempty"`
}

// Aimed returns the shop with another target.
func (s Shop) Aimed(t Target) Shop {
	if t == Stopped {
		s.Restarts++
	}
	s.Target = t
	return s
}

// Restarted returns the shop with one more restart.
func (s Shop) Restarted(ifFailed bool) Shop {
	if ifFailed {
		s.IfFailed++
	} else {
		s.Restarts++
	}
	return s
}

func (s Shop) encode(change string, deleted bool) []byte {
	r := record{Change: change, Deleted: deleted, At: s.At, By: s.By}
	if !deleted {
		r.Target, r.Config, r.Restarts, r.IfFailed = s.Target, s.Config, s.Restarts, s.IfFailed
	}
	return grouplog.Encode(r)
}

// decode returns a record's shop. A record that a later version wrote in another form,
// or that is damaged, is not ok: the shop stays as it was.
func decode(value []byte) (s Shop, change string, deleted, ok bool) {
	if value == nil {
		return Shop{}, "", true, true
	}
	var r record
	if json.Unmarshal(value, &r) != nil {
		return Shop{}, "", false, false
	}
	switch r.Target {
	case Running, Paused, Stopped:
	case "":
		if !r.Deleted {
			return Shop{}, "", false, false
		}
	default:
		return Shop{}, "", false, false
	}
	return Shop{Target: r.Target, Config: r.Config, Restarts: r.Restarts, IfFailed: r.IfFailed, At: r.At, By: r.By}, r.Change, r.Deleted, true
}

// Equal reports whether two shops want the same. Who asked for it does not count.
func (s Shop) Equal(other Shop) bool {
	return s.Target == other.Target && s.Restarts == other.Restarts && s.IfFailed == other.IfFailed &&
		(s.Config == nil) == (other.Config == nil) && maps.Equal(s.Config, other.Config)
}
