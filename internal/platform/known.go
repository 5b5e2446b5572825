package platform

import (
	"context"
	"time"
)

// Known is what the group has stored, for a reader that changes nothing.
type Known struct {
	// Ticket and Token are the platform's; empty if none is valid.
	Ticket, Token string
	shops         map[string]authorizedShop
}

// Look reads the log's partition once, for processes that do not follow it.
func (s *State) Look(ctx context.Context, partition int) (Known, error) {
	s.cfg.Log.At(partition)
	if err := s.cfg.Log.CatchUp(ctx); err != nil {
		return Known{}, err
	}
	now, _ := s.store.snapshot()
	k := Known{shops: now.shops}
	if time.Since(time.Unix(now.ticket.at, 0)) < ticketLife {
		k.Ticket = now.ticket.text
	}
	if time.Now().Unix() < now.token.expires {
		k.Token = now.token.text
	}
	return k, nil
}

// Shop returns a shop's access token, empty if none is valid, and the reason why it has
// none, if known.
func (k Known) Shop(appID string) (access, problem string, errcode int) {
	t := k.shops[appID]
	if t.problem == "" && time.Now().Unix() < t.expires {
		access = t.Access
	}
	return access, t.problem, t.errcode
}

// Members lists the shops that have authorised the platform, as [State.Members] does.
func (k Known) Members() []string { return state{shops: k.shops}.members() }
