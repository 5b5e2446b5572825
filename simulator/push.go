package simulator

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// PushConfig says what a Pusher pushes, and where to.
type PushConfig struct {
	// Server is whose shops' orders are told of. Its faults that begin with
	// push_ are the Pusher's.
	Server *Server
	// Shops have their own events pushed, as JSON.
	Shops []PushShop
	// Platforms have the Server's verify tickets, authorisations (see Announce)
	// and the events of their shops pushed, as XML.
	Platforms []PushPlatform
	// Transport sends. Defaults to http.DefaultTransport.
	Transport http.RoundTripper
	// OnPush, when set, is told of every push when it has been answered, possibly
	// from several goroutines at once; and of every event that is dropped.
	OnPush func(Push)
}

// PushShop is what the owner of a shop enters in its back end.
type PushShop struct {
	AppID, URL string
	// Token and AESKey (43 characters) sign and encrypt.
	Token, AESKey string
}

// PushPlatform is what a third-party platform enters at the vendor's side.
type PushPlatform struct {
	AppID         string
	Token, AESKey string
	// AuthURL gets tickets and authorisations, EventURL what happens in the
	// shops; $APPID$ in it becomes the shop's app ID.
	AuthURL, EventURL string
	// Shops have authorised it from the start.
	Shops []string
}

// Push is one try to push an event.
type Push struct {
	// At is when it was sent, or dropped.
	At time.Time
	// Account is the app ID it is signed for: a shop's or a platform's. Shop is
	// the one it is about, if any.
	Account, Shop string
	// Event is the vendor's Event or InfoType, CreateTime its unix second, and
	// OrderID the order it is about, if any.
	Event, OrderID string
	CreateTime     int64
	// Try counts from 1 on, up to 10; 0 is an event that is dropped.
	Try int
	// Again marks a push that is sent although the vendor knows that it arrived.
	Again bool
	// Forged says what is wrong with it, if it is not the vendor's: signature,
	// tampered, key, app_id, stale, ahead, oversized, plaintext, malformed or
	// unknown.
	Forged string
	// Status is the HTTP status of the answer, 0 if none came within 5 s. Lost
	// means that the vendor did not see it.
	Status int
	Lost   bool
}

// Arrived tells whether the vendor takes a push for delivered. It does not look
// at the answer's text.
func (p Push) Arrived() bool { return p.Status >= 200 && p.Status <= 299 && !p.Lost }

// Pusher pushes what happens in simulated shops, as the vendor does: signed,
// encrypted, and again if need be. Make one with NewPusher.
type Pusher struct {
	server    *Server
	client    http.Client
	onPush    func(Push)
	seed      uint64
	platforms []*pushPlatform

	mu      sync.Mutex
	sources []*pushSource
	told    []pushEvent   // authorisations that wait for Run
	wake    chan struct{} // holds one word that told has grown
}

// pushKey signs and encrypts for an account. Its fields are under Pusher.mu.
type pushKey struct {
	appID, token string
	aes          [32]byte
}

// pushPlatform is a platform at work.
type pushPlatform struct {
	PushPlatform
	key     *pushKey
	seed    uint64
	nextAt  time.Time // when the next ticket is due
	tickets uint64
	info    uint64 // authorisations told so far
}

// NewPusher checks what it is given. The Pusher is silent until Run.
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

// Run pushes until ctx ends; what happened before it began is not told of. It
// returns nil when all that was under way has come to an end.
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

// due gives what has happened since it was last asked.
func (p *Pusher) due() []pushEvent {
	faults := p.server.Faults()
	now := p.server.now(&faults)
	p.mu.Lock()
	defer p.mu.Unlock()
	events := p.told
	p.told = nil
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

// Announce tells a platform what the owner of a shop has done about it; give it
// what Config.OnAuthorization is told. From then on the platform gets the shop's
// events, or no longer.
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
			return fmt.Errorf("there is no info type %q", a.InfoType)
		}
		p.told = append(p.told, of.authorization(a))
		select {
		case p.wake <- struct{}{}:
		default:
		}
		return nil
	}
	return fmt.Errorf("nothing is pushed for the platform %q", a.Platform)
}

// SetKey changes what an account's pushes are signed and encrypted with, as its
// owner does at the vendor's side. It is good for tries of older events too,
// unless push_retry is same.
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
		return fmt.Errorf("nothing is pushed for %q", appID)
	}
	return nil
}

// keys gives each account's key, some several times.
func (p *Pusher) keys() (keys []*pushKey) {
	for _, s := range p.sources {
		keys = append(keys, s.key)
	}
	for _, of := range p.platforms {
		keys = append(keys, of.key)
	}
	return keys
}
