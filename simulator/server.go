package simulator

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	pathList         = "/channels/ec/order/list/get"
	pathPlainToken   = "/cgi-bin/token"
	pathStableToken  = "/cgi-bin/stable_token"
	pathQuotaGet     = "/cgi-bin/openapi/quota/get"
	pathQuotaClear   = "/cgi-bin/openapi/quota/clear"
	pathClearQuota   = "/cgi-bin/clear_quota"
	pathClearQuotaV2 = "/cgi-bin/clear_quota/v2"
	pathRID          = "/cgi-bin/openapi/rid/get"
	adminPrefix      = "/simulator/"

	pathComponentToken  = "/cgi-bin/component/api_component_token"
	pathQueryAuth       = "/cgi-bin/component/api_query_auth"
	pathAuthorizerToken = "/cgi-bin/component/api_authorizer_token"
	pathAuthorizers     = "/cgi-bin/component/api_get_authorizer_list"
	pathStartTickets    = "/cgi-bin/component/api_start_push_ticket"
)

func known(path string) bool {
	switch path {
	case pathList, pathPlainToken, pathStableToken, pathQuotaGet, pathQuotaClear, pathClearQuota, pathClearQuotaV2, pathRID:
		return true
	}
	return ofPlatform(path)
}

// ofPlatform reports whether path is a call of a third-party platform.
func ofPlatform(path string) bool {
	switch path {
	case pathComponentToken, pathQueryAuth, pathAuthorizerToken, pathAuthorizers, pathStartTickets:
		return true
	}
	return false
}

// Server is the simulated service. It is safe for concurrent use. Create it with New.
type Server struct {
	seed    uint64
	latency time.Duration
	onList  func(ListCall)
	shops   map[string]*shop
	others  atomic.Uint64 // number of calls that name no shop
	setting atomic.Pointer[setting]
	ledger  *ledger
	rids    rids
	stats   counters

	began           time.Time // by the API's clock
	cloud           *shop     // owner of the hosting; nil = no shop
	cloudOpen       bool
	onAuthorization func(Authorization)
}

// setting is the current faults, and the error of their validation.
type setting struct {
	faults Faults
	err    error
}

// shop is the state of a Shop.
type shop struct {
	appID, secret, token string
	seed                 uint64
	calls                atomic.Uint64

	mu         sync.Mutex
	book       *book
	quota      quota
	keysIssued uint32
	keysUsed   usedKeys
}

// New returns a Server. Of two shops with the same app ID the last counts.
func New(cfg Config) *Server {
	s := &Server{
		seed:    mix(cfg.Seed),
		latency: cfg.Latency,
		onList:  cfg.OnList,
		shops:   map[string]*shop{},
	}
	s.SetFaults(cfg.Faults)
	now := s.now(&cfg.Faults)
	for _, c := range cfg.Shops {
		seed := mix(cfg.Seed, mixString(c.AppID))
		s.shops[c.AppID] = &shop{
			appID: c.AppID, secret: c.Secret, token: c.Token, seed: seed,
			book: newBook(seed, c, now),
		}
	}
	if cloud := cfg.Cloud.AppID; cloud != "" || len(cfg.Shops) == 0 {
		s.cloud = s.shops[cloud]
	} else {
		s.cloud = s.shops[cfg.Shops[0].AppID]
	}
	s.cloudOpen = cfg.Cloud.Open && s.cloud != nil
	s.began, s.onAuthorization = now, cfg.OnAuthorization
	s.ledger = newLedger(s.shops, newPlatform(cfg.Platform, cfg.Seed, cfg.Shops, s.shops, now))
	return s
}

// now returns the time by the API's clock.
func (s *Server) now(f *Faults) time.Time { return time.Now().Add(f.ClockSkew) }

// SetFaults replaces the faults immediately, also for calls in progress that have not
// been evaluated yet.
func (s *Server) SetFaults(f Faults) {
	s.setting.Store(&setting{faults: f, err: f.Validate()})
}

// Faults returns the current faults.
func (s *Server) Faults() Faults { return s.setting.Load().faults }

// ServeHTTP answers API calls, and administration calls under /simulator/.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, adminPrefix) {
		s.admin(w, r)
		return
	}
	s.serveCall(w, r)
}

// Add adds one order to a shop. Its ID must be new. If Created or Updated is in the
// future, the order appears or changes at that time.
func (s *Server) Add(appID string, o Order) error {
	return s.withBook(appID, func(b *book) error { return b.add(o) })
}

// Update changes an order's status at a unix second (0 = now). This moves its update
// time to that second, and so its position in lists by update time. The second may be
// in the future; it must not be before the order's latest change.
func (s *Server) Update(appID, orderID string, at int64, status int) error {
	return s.withBook(appID, func(b *book) error { return b.change(orderID, at, status) })
}

// Orders returns the actual orders of a shop created up to and including until (zero =
// now), by creation, whether lists show them yet or not; nil for an unknown shop.
func (s *Server) Orders(appID string, until time.Time) (orders []Order) {
	_ = s.withBook(appID, func(b *book) error {
		orders = b.orders(endOf(until))
		return nil
	})
	return orders
}

// Changes returns the actual changes of a shop's orders within [from, until] (zero =
// no bound), creation included, by time. Lists show only the latest change of each
// order.
func (s *Server) Changes(appID string, from, until time.Time) (changes []Change) {
	var start int64
	if !from.IsZero() {
		start = from.Unix()
	}
	_ = s.withBook(appID, func(b *book) error {
		changes = b.changes(start, endOf(until))
		return nil
	})
	return changes
}

func endOf(t time.Time) int64 {
	if t.IsZero() {
		return math.MaxInt64
	}
	return t.Unix()
}

// withBook calls do with a shop's current book.
func (s *Server) withBook(appID string, do func(*book) error) error {
	shop := s.shops[appID]
	if shop == nil {
		return fmt.Errorf("unknown shop %q", appID)
	}
	faults := s.Faults()
	shop.mu.Lock()
	defer shop.mu.Unlock()
	shop.book.play(s.now(&faults))
	return do(shop.book)
}

// errMisconfigured begins the reason why every call gets HTTP 500.
var errMisconfigured = errors.New("simulator: invalid faults")
