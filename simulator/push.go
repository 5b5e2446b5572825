package simulator

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// PushConfig configures a Pusher.
type PushConfig struct {
	// Server provides the orders. Its faults that begin with push_ apply to the
	// Pusher.
	Server *Server
	// Shops get their own events, as JSON.
	Shops []PushShop
	// Platforms get the Server's verify tickets, authorisations (see Announce) and the
	// events of their shops, as XML.
	Platforms []PushPlatform
	// Transport sends the pushes. Defaults to http.DefaultTransport.
	Transport http.RoundTripper
	// OnPush, if set, is called after every push, possibly from several goroutines at
	// once, and for every dropped event.
	OnPush func(Push)
}

// PushShop holds the push settings of a shop, as entered at the vendor's side.
type PushShop struct {
	AppID, URL string
	// Token and AESKey (43 characters) sign and encrypt the pushes.
	Token, AESKey string
}

// PushPlatform holds the push settings of a third-party platform, as entered at the
// vendor's side.
type PushPlatform struct {
	AppID         string
	Token, AESKey string
	// AuthURL gets tickets and authorisations, EventURL the events of the shops;
	// $APPID$ in it is replaced by the shop's app ID.
	AuthURL, EventURL string
	// Shops have authorised the platform from the start.
	Shops []string
}

// Push is one attempt to push an event.
type Push struct {
	// At is when it was sent, or dropped.
	At time.Time
	// Account is the app ID that it is signed for, a shop's or a platform's. Shop is
	// the shop it is about, if any.
	Account, Shop string
	// Event is the vendor's Event or InfoType, CreateTime its unix second, OrderID the
	// order it is about, if any.
	Event, OrderID string
	CreateTime     int64
	// Try is the number of the attempt, 1 to 10; 0 = the event is dropped.
	Try int
	// Again marks a push that is sent although the vendor knows that it arrived.
	Again bool
	// Forged is the fault of a push that does not come from the vendor: signature,
	// tampered, key, app_id, stale, ahead, oversized, plaintext, malformed or unknown.
	Forged string
	// Status is the HTTP status of the answer, 0 if none came within 5 s. Lost reports
	// that the vendor did not get the answer.
	Status int
	Lost   bool
}

// Arrived reports whether the vendor counts a push as delivered. The vendor ignores
// the answer's text.
func (p Push) Arrived() bool { return p.Status >= 200 && p.Status <= 299 && !p.Lost }

// Pusher pushes the events of simulated shops as the vendor does: signed, encrypted,
// and repeated until answered. Create one with NewPusher.
type Pusher struct {
	server    *Server
	client    http.Client
	onPush    func(Push)
	seed      uint64
	platforms []*pushPlatform

	mu        sync.Mutex
	sources   []*pushSource
	announced []pushEvent   // announced authorisations that Run has not sent yet
	wake      chan struct{} // capacity 1; signals that announced has grown
}

// pushKey is the key of an account. Pusher.mu guards its fields.
type pushKey struct {
	appID, token string
	aes          [32]byte
}

// pushPlatform is the state of a PushPlatform.
type pushPlatform struct {
	PushPlatform
	key     *pushKey
	seed    uint64
	nextAt  time.Time // when the next ticket is due
	tickets uint64
	info    uint64 // authorisations pushed so far
}

// NewPusher validates the configuration. The Pusher sends nothing until Run.
func NewPusher(c PushConfig) (*Pusher, error) {
	if c.Server == nil {
		return nil, errors.New("a pusher needs a Server")
	}
	p := &Pusher{
		server: c.Server,
		client: http.Client{
			Transport:     c.Transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		onPush: c.OnPush,
		seed:   mix(c.Server.seed, mixString("push")),
		wake:   make(chan struct{}, 1),
	}
	for _, s := range c.Shops {
		key, err := newPushKey(s.AppID, s.Token, s.AESKey)
		if err != nil {
			return nil, err
		}
		if err := p.addSource(key, s.AppID, s.URL, false); err != nil {
			return nil, err
		}
	}
	for _, of := range c.Platforms {
		key, err := newPushKey(of.AppID, of.Token, of.AESKey)
		if err != nil {
			return nil, err
		}
		seed := mix(p.seed, mixString(of.AppID))
		p.platforms = append(p.platforms, &pushPlatform{PushPlatform: of, key: key, seed: seed})
		for _, appID := range of.Shops {
			if err := p.addSource(key, appID, of.EventURL, true); err != nil {
				return nil, err
			}
		}
	}
	return p, nil
}

// Run pushes events until ctx ends. It does not push events from before its start. It
// returns nil when all attempts in progress have ended.
func (p *Pusher) Run(ctx context.Context) error {
	var all sync.WaitGroup
	defer all.Wait()
	p.mu.Lock()
	for _, s := range p.sources {
		s.skip(p.server)
	}
	p.mu.Unlock()
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for {
		for _, e := range p.due() {
			all.Go(func() { p.deliver(ctx, e) })
		}
		select {
		case <-ctx.Done():
			return nil
		case <-second.C:
		case <-p.wake:
		}
	}
}

// due returns the events since the last call.
func (p *Pusher) due() []pushEvent {
	faults := p.server.Faults()
	now := p.server.now(&faults)
	p.mu.Lock()
	defer p.mu.Unlock()
	events := p.announced
	p.announced = nil
	for _, s := range p.sources {
		events = append(events, s.due(p.server, &faults)...)
	}
	for _, of := range p.platforms {
		if of.AuthURL == "" || now.Before(of.nextAt) {
			continue
		}
		of.nextAt = now.Truncate(ticketEvery).Add(ticketEvery)
		if !faults.PushNoTickets {
			events = append(events, of.ticket(now, p.server.VerifyTicket(now)))
		} else {
			p.server.stats.fault("push_no_tickets")
		}
	}
	return events
}

// Announce pushes a change of a shop's authorisation to the platform; pass it what
// Config.OnAuthorization gets. From then on the platform gets the shop's events, or
// stops getting them.
func (p *Pusher) Announce(a Authorization) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, of := range p.platforms {
		if of.AppID != a.Platform {
			continue
		}
		switch a.InfoType {
		case "authorized", "updateauthorized":
			if err := p.addSource(of.key, a.AppID, of.EventURL, true); err != nil {
				return err
			}
		case "unauthorized":
			p.dropSource(of.key, a.AppID)
		default:
			return fmt.Errorf("unknown info type %q", a.InfoType)
		}
		p.announced = append(p.announced, of.authorization(a))
		select {
		case p.wake <- struct{}{}:
		default:
		}
		return nil
	}
	return fmt.Errorf("unknown push platform %q", a.Platform)
}

// SetKey changes the key of an account's pushes, as an operator does at the vendor's
// side. It applies to repeats of older events too, unless push_retry is same.
func (p *Pusher) SetKey(appID, token, aesKey string) error {
	changed, err := newPushKey(appID, token, aesKey)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	found := false
	for _, k := range p.keys() {
		if k.appID == appID {
			*k, found = *changed, true
		}
	}
	if !found {
		return fmt.Errorf("unknown push account %q", appID)
	}
	return nil
}

// keys returns each account's key, some several times.
func (p *Pusher) keys() (keys []*pushKey) {
	for _, s := range p.sources {
		keys = append(keys, s.key)
	}
	for _, of := range p.platforms {
		keys = append(keys, of.key)
	}
	return keys
}
