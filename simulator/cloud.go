package simulator

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"time"
)

// Rules of cloud tokens: the hosting writes a new one every ten minutes, and each is
// valid for thirty.
const (
	cloudTokenEvery = 600 * time.Second
	cloudTokenLife  = 1800 * time.Second
)

// Cloud is the vendor's hosting, where a program makes calls for one shop.
type Cloud struct {
	// AppID is the shop that the hosting belongs to. Defaults to the first of Shops.
	AppID string
	// Open enables the relay: list calls without a token, over plain http, count as
	// calls of the shop.
	Open bool
}

// CloudToken returns the current content of the hosting's token file. It is valid as
// cloudbase_access_token only.
func (s *Server) CloudToken() (string, error) {
	shop := s.cloud
	if shop == nil {
		return "", errors.New("the hosting belongs to no shop")
	}
	faults := s.Faults()
	now := s.now(&faults)
	l := s.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.wallet[shop]
	if w.cloud == nil || now.Sub(w.cloudBorn) >= cloudTokenEvery {
		w.cloudSerial++
		w.cloudBorn = now
		w.cloudText, w.cloud = l.issue(shop, kindCloud, w.cloudSerial, now, cloudTokenLife)
	}
	return w.cloudText, nil
}

// KeepCloudToken writes the hosting's token file now and every ten minutes until ctx
// ends, each time by replacing the file. It returns nil when ctx ends.
func (s *Server) KeepCloudToken(ctx context.Context, path string) error {
	return keepFile(ctx, path, cloudTokenEvery, s.CloudToken)
}

// KeepVerifyTicket does the same with the platform's verify ticket, for platforms
// without a listener for pushes.
func (s *Server) KeepVerifyTicket(ctx context.Context, path string) error {
	return keepFile(ctx, path, ticketEvery, func() (string, error) {
		faults := s.Faults()
		return s.VerifyTicket(s.now(&faults)), nil
	})
}

func keepFile(ctx context.Context, path string, every time.Duration, text func() (string, error)) error {
	again := time.NewTicker(every)
	defer again.Stop()
	for {
		now, err := text()
		if err == nil {
			err = os.WriteFile(path+".new", []byte(now), 0o600)
		}
		if err == nil {
			err = os.Rename(path+".new", path)
		}
		if err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-again.C:
		}
	}
}

// relay returns the errcode for a call without a token that the relay does not serve;
// 0 = served.
func (c *call) relay() int {
	if c.now.Sub(c.server.began) < c.faults.RelayDelay {
		c.countFault("relay_delay")
		return codeTokenMissing
	}
	return c.cloudRights()
}

// markRelayed adds the relay's header.
func (c *call) markRelayed(h http.Header) {
	if c.faults.SeqidAbsent {
		c.countFault("seqid_absent")
		return
	}
	h.Set("X-Openapi-Seqid", strconv.FormatUint(mix(c.draw, saltRID), 10))
}

// cloudRights returns the errcode for a cloud call without permission; 0 = permitted.
// Only the list call is on the hosting's list, and the quota calls cannot be.
func (c *call) cloudRights() int {
	switch {
	case c.path != pathList:
		return codeUnauthorised
	case c.faults.CloudUnlisted:
		c.countFault("cloud_unlisted")
		return codeUnauthorised
	}
	return 0
}
