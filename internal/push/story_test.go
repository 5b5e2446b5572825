package push_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"orderwalk/internal/push"
	"orderwalk/simulator"
	"orderwalk/test/leaktest"
)

const (
	ownShop  = "wx00000000000000aa" // its events are pushed to the shop's own address
	platform = "wx00000000000000cc"
	oldShop  = "wx00000000000000d0" // has authorised the platform from the start
	newShop  = "wx00000000000000d1" // authorises it on the second day
	firstKey = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
	nextKey  = "GFEDCBA9876543210zyxwvutsrqponmlkjihgfedcba"
)

// known identifies an event.
type known struct {
	component, shop, event, order string
	created                       int64
}

// testbed surrounds a Handler: it records what was stored, and its sink fails at
// times.
type testbed struct {
	began time.Time

	mu     sync.Mutex
	keys   map[string][]push.Key
	kept   map[known]int
	counts map[push.Result]int
	told   []simulator.Push
	calls  int

	log   strings.Builder
	leaks leaktest.Search
}

func (o *testbed) Write(line []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.log.Write(line)
}

// keep is the sink. For an hour a day it is unavailable. At other times it now and
// then fails, is too slow, or is too slow and stores the event anyway.
func (o *testbed) keep(ctx context.Context, k known) error {
	o.mu.Lock()
	o.calls++
	n := o.calls
	o.mu.Unlock()
	switch age := time.Since(o.began) % (24 * time.Hour); {
	case age > 3*time.Hour && age < 4*time.Hour, n%13 == 0:
		return errors.New("kafka is away")
	case n%17 == 0:
		<-ctx.Done()
		return ctx.Err()
	case n%19 == 0:
		time.Sleep(7 * time.Second)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.kept[k]++
	return nil
}

func (o *testbed) setKeys(t *testing.T, appID string, pairs ...[2]string) {
	t.Helper()
	var keys []push.Key
	for _, p := range pairs {
		o.leaks.Hide("a token of pushes", p[0])
		o.leaks.Hide("an AES key of pushes", p[1])
		k, err := push.NewKey(p[0], p[1])
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, k)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.keys[appID] = keys
}

func (o *testbed) handler() *push.Handler {
	keys := func(appID string) ([]push.Key, error) {
		o.mu.Lock()
		defer o.mu.Unlock()
		return o.keys[appID], nil
	}
	return &push.Handler{
		ShopKeys: keys, ComponentKeys: keys,
		Order: func(ctx context.Context, e push.Order) error {
			return o.keep(ctx, known{shop: e.Shop, event: e.Event, order: e.ID, created: e.Created.Unix()})
		},
		Authorization: func(ctx context.Context, e push.Authorization) error {
			o.leaks.Hide("an authorization code", string(e.Code))
			return o.keep(ctx, known{component: e.Component, shop: e.Shop, event: string(e.Change), created: e.Created.Unix()})
		},
		Ticket: func(ctx context.Context, e push.Ticket) error {
			o.leaks.Hide("a verify ticket", string(e.Ticket))
			return o.keep(ctx, known{component: e.Component, event: "component_verify_ticket", created: e.Created.Unix()})
		},
		Count: func(r push.Result) {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.counts[r]++
		},
		Log: slog.New(slog.NewTextHandler(o, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
}

// For three days a vendor pushes twice, out of order, in part and not at all, among
// forgeries, to a worker whose Kafka is unavailable at times, while an operator
// changes the keys. Every event that was pushed is stored once, and nothing else.
func TestStory(t *testing.T) {
	for _, retry := range []string{"anew", "same"} {
		t.Run(retry, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { story(t, retry) }) })
	}
}

func story(t *testing.T, retry string) {
	began := time.Now()
	var pusher *simulator.Pusher
	live := simulator.Live{Rate: 0.0006, Changes: 2, Until: began.Unix() + 3*86400}
	world := simulator.New(simulator.Config{
		Seed: 7,
		Shops: []simulator.Shop{
			{AppID: ownShop, Live: live}, {AppID: oldShop, Live: live, RefreshToken: "refreshtoken@@@1"}, {AppID: newShop, Live: live},
		},
		Platform: simulator.Platform{AppID: platform, Secret: "s3cret"},
		OnAuthorization: func(a simulator.Authorization) {
			if err := pusher.Announce(a); err != nil {
				t.Error(err)
			}
		},
		Faults: simulator.Faults{PushFaults: simulator.PushFaults{
			PushRetry: retry, PushDelay: 2 * time.Second, PushDropRate: 0.05, PushDuplicateRate: 0.2, PushReorderRate: 0.2,
			PushReorderHold: 10 * time.Minute, PushLostRate: 0.1, PushOtherRate: 0.1, PushForgedRate: 0.2, PushEncryptedEcho: true,
		}},
	})
	o := &testbed{began: began, keys: map[string][]push.Key{}, kept: map[known]int{}, counts: map[push.Result]int{}}
	old, next := [2]string{"token-of-pushes-1", firstKey}, [2]string{"token-of-pushes-2", nextKey}
	o.setKeys(t, ownShop, old)
	o.setKeys(t, platform, old)

	network := new(kfake.VirtualNetwork)
	listener, err := network.Listen("tcp", "localhost:80")
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DialContext: network.DialContext, IdleConnTimeout: 10 * time.Second}
	const base = "http://localhost:80/push/"
	pusher, err = simulator.NewPusher(simulator.PushConfig{
		Server: world, Transport: transport,
		Shops: []simulator.PushShop{{AppID: ownShop, URL: base + ownShop, Token: old[0], AESKey: old[1]}},
		Platforms: []simulator.PushPlatform{{
			AppID: platform, Token: old[0], AESKey: old[1], Shops: []string{oldShop},
			AuthURL: base + "component/" + platform, EventURL: base + "component/" + platform + "/$APPID$",
		}},
		OnPush: func(p simulator.Push) {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.told = append(o.told, p)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	serving, stopServing := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- o.handler().Run(serving, listener) }()
	pushing, stopPushing := context.WithCancel(context.Background())
	pushed := make(chan error, 1)
	go func() { pushed <- pusher.Run(pushing) }()

	check := func() {
		t.Helper()
		if err := pusher.Check(context.Background()); err != nil {
			t.Error(err)
		}
	}
	check()
	time.Sleep(24 * time.Hour)
	if _, err := world.Authorize(newShop); err != nil {
		t.Fatal(err)
	}
	// The operator changes the keys: first here, then at the vendor's side, and
	// removes the old ones when nothing is signed with them any more.
	for _, appID := range []string{ownShop, platform} {
		o.setKeys(t, appID, old, next)
		time.Sleep(time.Hour)
		if err := pusher.SetKey(appID, next[0], next[1]); err != nil {
			t.Fatal(err)
		}
		time.Sleep(4 * time.Hour)
		o.setKeys(t, appID, next)
	}
	check()
	time.Sleep(time.Until(began.Add(2*24*time.Hour + 12*time.Hour)))
	if err := world.Revoke(oldShop); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Until(began.Add(3*24*time.Hour + time.Second)))
	faults := world.Faults()
	faults.PushNoTickets = true
	world.SetFaults(faults)
	time.Sleep(6 * time.Hour) // the last attempts
	stopPushing()
	if err := <-pushed; err != nil {
		t.Error(err)
	}
	transport.CloseIdleConnections()
	stopServing()
	if err := <-served; err != nil {
		t.Error(err)
	}
	time.Sleep(time.Minute)
	o.check(t)
}

// check compares the vendor's pushes with what was stored and counted.
func (o *testbed) check(t *testing.T) {
	o.leaks.Check(t, "the log", o.log.String())
	if o.log.Len() == 0 || o.leaks.Known() < 100 {
		t.Errorf("%d bytes of log were searched for %d secrets", o.log.Len(), o.leaks.Known())
	}
	want := map[push.Result]int{push.Echo: 3 + 4}
	answers := map[int]int{}
	dropped := 0
	expected := map[known]bool{} // false: the vendor has given up
	for _, p := range o.told {
		k := known{shop: p.Shop, event: p.Event, order: p.OrderID, created: p.CreateTime}
		if p.Account == platform && p.OrderID == "" {
			k.component = platform
		}
		switch p.Forged {
		case "":
			other := p.Event == "channels_ec_aftersale_update"
			switch {
			case p.Try == 0:
				dropped++
				if o.kept[k] > 0 {
					t.Errorf("%+v was dropped and kept", k)
				}
			case other:
				want[push.Ignored]++
			default:
				expected[k] = expected[k] || p.Arrived()
				answers[p.Status]++
			}
		case "signature", "tampered":
			want[push.BadSignature]++
		case "key":
			want[push.BadEncryption]++
		case "app_id":
			want[push.BadAppID]++
		case "stale", "ahead":
			want[push.Stale]++
		case "oversized":
			want[push.Oversized]++
		case "plaintext":
			want[push.Plaintext]++
		case "malformed":
			want[push.Malformed]++
		case "unknown":
			want[push.UnknownApp]++
		default:
			t.Errorf("%+v", p)
		}
		if p.Forged != "" && (p.Status < 400 || p.Status > 499) {
			t.Errorf("%s got HTTP %d", p.Forged, p.Status)
		}
	}
	givenUp := 0
	for k, arrived := range expected {
		if o.kept[k] != 1 && arrived || o.kept[k] > 1 {
			t.Errorf("%+v was kept %d times", k, o.kept[k])
		}
		if o.kept[k] == 0 {
			givenUp++
		}
	}
	if len(o.kept) != len(expected)-givenUp || givenUp > 5 {
		t.Errorf("%d events kept, %d pushed, %d given up", len(o.kept), len(expected), givenUp)
	}
	// Events that the sink stored too late are not stored as far as the vendor knows,
	// and repeats at the next attempt.
	if o.counts[push.OK]+o.counts[push.Repeat] != answers[200] || o.counts[push.NotKept] != answers[503] || len(answers) != 2 {
		t.Errorf("answers %v, counted %v", answers, o.counts)
	}
	for _, r := range []push.Result{push.OK, push.Repeat, push.NotKept} {
		if o.counts[r] < 50 {
			t.Errorf("only %d %s", o.counts[r], r)
		}
		delete(o.counts, r)
	}
	if !maps.Equal(o.counts, want) || dropped < 50 || len(want) != len(push.Results())-4 {
		t.Errorf("%d dropped, counted %v, want %v", dropped, o.counts, want)
	}
	shops := map[string]int{}
	for k := range o.kept {
		shops[k.shop]++
	}
	t.Log(fmt.Sprint(len(o.told), " pushes, ", len(o.kept), " kept, ", dropped, " dropped, by shop ", shops, " forged and others ", want))
	for _, id := range slices.Sorted(maps.Keys(shops)) {
		if shops[id] < 100 {
			t.Errorf("%q: %d events", id, shops[id])
		}
	}
}
