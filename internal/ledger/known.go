package ledger

import (
	"context"
	"time"
)

// Known is what a ledger keeps, for somebody who looks and changes nothing.
type Known struct {
	// Ticket and Token are the platform's; empty if there is none that is good.
	Ticket, Token string
	shops         map[string]tenant
}

// Look reads the ledger's partition once. It is for those who do not Follow.
func (l *Ledger) Look(ctx context.Context, partition int) (Known, error) {
	l.find(partition)
	if err := l.catchUp(ctx); err != nil {
		return Known{}, err
	}
	s, _ := l.book.snapshot()
	k := Known{shops: s.tenants}
	if time.Since(time.Unix(s.ticket.at, 0)) < ticketLife {
		k.Ticket = s.ticket.text
	}
	if time.Now().Unix() < s.token.expires {
		k.Token = s.token.text
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
