package platform

import (
	"context"
	"time"
)

// Known is what the group keeps, for somebody who looks and changes nothing.
type Known struct {
	// Ticket and Token are the platform's; empty if there is none that is good.
	Ticket, Token string
	shops         map[string]authorizedShop
}

// Look reads the log's partition once. It is for those who do not follow it.
func (s *State) Look(ctx context.Context, partition int) (Known, error) {
	s.cfg.Log.At(partition)
	if err := s.cfg.Log.CatchUp(ctx); err != nil {
		return Known{}, err
	}
	now, _ := s.store.snapshot()
	k := Known{shops: now.tenants}
	if time.Since(time.Unix(now.ticket.at, 0)) < ticketLife {
		k.Ticket = now.ticket.text
	}
	if time.Now().Unix() < now.token.expires {
		k.Token = now.token.text
	}
	return k, nil
}

// Shop is a shop's access token, empty if there is none that is good, and why
// there is none, if that was found out.
func (k Known) Shop(appID string) (access, problem string, errcode int) {
	t := k.shops[appID]
	if t.problem == "" && time.Now().Unix() < t.expires {
		access = t.Access
	}
	return access, t.problem, t.errcode
}
