//go:build kafka

package trial

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"orderwalk/simulator"
	"orderwalk/test/kafkatest"
)

// TestAuthorizedShopsComeAndGo: no shop is listed. Thirty live shops authorise a platform
// and withdraw that all the time, some within a second, while the events are repeated, swapped
// and lost, and two workers are killed. In the end all shops have authorised it: each goes on
// from where it was, and no order is lost or repeated.
func TestAuthorizedShopsComeAndGo(t *testing.T) {
	changes := number(t, "TRIAL_AUTHORIZATIONS", 100)
	w := newAuthorizing(t, kafkatest.Start(t), 30)
	workers := map[string]*process{"a": w.work("a"), "b": w.work("b")}
	for _, p := range workers {
		w.eventually("lanes", p, p.ready)
	}
	stop := w.push()
	w.eventually("every shop is walked", workers["a"], func() bool { return w.walked(workers) == len(w.sources) })

	in, kills, withdrawn := map[string]bool{}, 0, 0
	for _, s := range w.sources {
		in[s.appID] = true
	}
	w.api.SetFaults(simulator.Faults{PushFaults: simulator.PushFaults{PushDropRate: 0.1, PushDuplicateRate: 0.2, PushReorderRate: 0.2, PushReorderHold: 3 * time.Second},
		TokenTTL: 20 * time.Second, WayFaults: simulator.WayFaults{RotateRefreshToken: "at_use", AuthorizersShortRate: 0.2}})
	for n := range changes {
		shop := w.sources[w.dice.IntN(len(w.sources))].appID
		if in[shop] && w.dice.IntN(4) == 0 { // other permissions
			w.authorize(shop)
		} else if in[shop] {
			in[shop], withdrawn = false, withdrawn+1
			if err := w.api.Revoke(shop); err != nil {
				t.Fatal(err)
			}
			if w.dice.IntN(3) == 0 {
				w.await(workers["a"], time.Duration(1+w.dice.IntN(1500))*time.Millisecond, func() bool { return false })
				in[shop] = true
				w.authorize(shop)
			}
		} else {
			in[shop] = true
			w.authorize(shop)
		}
		w.await(workers["a"], time.Duration(1+w.dice.IntN(500))*time.Millisecond, func() bool { return false })
		if n%(changes/7) != 0 {
			continue
		}
		name := []string{"a", "b"}[w.dice.IntN(2)]
		if !workers[name].kill() {
			t.Fatalf("life %d ended by itself with %d\n%s", workers[name].number, workers[name].cmd.ProcessState.ExitCode(), workers[name].tail())
		}
		kills++
		workers[name] = w.work(name)
	}
	w.api.SetFaults(simulator.Faults{TokenTTL: 20 * time.Second, WayFaults: simulator.WayFaults{RotateRefreshToken: "at_use"}})
	for _, s := range w.sources {
		w.authorize(s.appID) // also the others: their last event may have been lost
	}
	w.eventually("every shop is walked again", workers["a"], func() bool { return w.walked(workers) == len(w.sources) })
	end := time.Now().Add(3 * time.Second).Unix()
	for i := range w.sources {
		w.sources[i].end = end
	}
	w.writeRules(end)
	for _, p := range workers {
		w.eventually("lanes", p, p.ready)
	}
	w.allIn(workers["a"], "done")
	stop()
	for _, p := range workers {
		p.signal(syscall.SIGTERM)
		if code := p.exit(); code != 0 {
			t.Errorf("life %d = %d\n%s", p.number, code, p.tail())
		}
	}
	orders := w.eachOnce()
	stats := w.api.Stats()
	t.Logf("%d changes, %d withdrawals, %d kills, %d orders; lists: %v, faults: %v", changes, withdrawn, kills, orders, stats.Calls["/cgi-bin/component/api_get_authorizer_list"], stats.Faults)
	if kills < 6 || withdrawn < changes/5 {
		t.Error("too little has happened")
	}
}

// authorizing is a platform whose shops are walked because they have authorised it.
type authorizing struct {
	*platform
	start  int64
	vendor *simulator.Pusher
	inbox  sync.Mutex
	latest map[string]*process // by name, for the inbox
}

func newAuthorizing(t *testing.T, brokers []string, shops int) *authorizing {
	w := &authorizing{start: time.Now().Unix() - 600, latest: map[string]*process{}}
	w.platform = &platform{refreshes: map[string][]refresh{}, used: map[string]int{}}
	w.fixture = newWorld(t, brokers, func(f *fixture) simulator.Config {
		cfg := simulator.Config{Platform: simulator.Platform{AppID: platformID, Secret: platformSecret},
			OnAuthorization: func(a simulator.Authorization) {
				if err := w.vendor.Announce(a); err != nil {
					t.Error(err)
				}
			}}
		for i := range shops {
			appID := fmt.Sprintf("wxcomes%02d", i)
			f.add(appID, createTime, w.start, 0)
			cfg.Shops = append(cfg.Shops, simulator.Shop{AppID: appID, RefreshToken: fmt.Sprintf("first/refresh+token=%x", f.dice.Uint64()),
				Backlog: simulator.Backlog{Orders: 300, From: w.start, To: w.start + 599}, Live: simulator.Live{Rate: 1, Since: w.start + 600}})
		}
		return cfg
	})
	w.leaks.Hide("a platform's app secret", platformSecret)
	w.leaks.Hide("a token of pushes", platformToken)
	w.leaks.Hide("an AES key of pushes", platformAESKey)
	w.keys = w.file + ".keys"
	w.writeKeys([]string{w.newKey()})
	w.writeRules(0)
	w.forgiven = "refresh_token" // used before the event is there that ended it
	return w
}

// work starts a worker.
func (w *authorizing) work(name string) *process {
	p := w.run("WORKER_ID="+name, "COMPONENT_APP_ID="+platformID, "COMPONENT_APP_SECRET="+platformSecret, "STATE_KEY_FILE="+w.keys,
		"PUSH_LISTEN=127.0.0.1:0", "PUSH_TOKEN="+platformToken, "PUSH_AES_KEY="+platformAESKey,
		"SETTLE_DELAY=1s", "POLL_INTERVAL=1s", "LOOKBACK=5s", "SESSION_TIMEOUT=6s", "TRANSACTION_TIMEOUT=5s")
	w.inbox.Lock()
	defer w.inbox.Unlock()
	w.latest[name] = p
	return p
}

// writeRules writes the shops file; end 0 = none.
func (w *authorizing) writeRules(end int64) {
	w.Helper()
	text := fmt.Sprintf("shops: authorized\noverrides:\n- match: wx*\n  start_time: %d\n", w.start)
	if end > 0 {
		text += fmt.Sprintf("  end_time: %d\n", end)
	}
	next := w.file + ".next"
	if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
		w.Fatal(err)
	}
	if err := os.Rename(next, w.file); err != nil {
		w.Fatal(err)
	}
}

func (w *authorizing) authorize(shop string) {
	w.Helper()
	if _, err := w.api.Authorize(shop); err != nil {
		w.Fatal(err)
	}
}

// walked returns how many shops are live or done at the workers.
func (w *authorizing) walked(workers map[string]*process) (n int) {
	w.Helper()
	for _, p := range workers {
		if !p.ready() {
			return 0
		}
	}
	shops := w.reports(workers["a"])
	for _, s := range shops {
		if slices.Contains([]string{"live", "done"}, s.State) {
			n++
		}
	}
	if len(shops) != len(w.sources) {
		return 0
	}
	return n
}

// push has the vendor push tickets, authorisations and orders to any worker that is there,
// until stop is called.
func (w *authorizing) push() (stop func()) {
	w.Helper()
	inbox := w.serve(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.inbox.Lock()
		latest := maps.Clone(w.latest)
		w.inbox.Unlock()
		for _, p := range latest { // in any order
			if address, _ := p.said("listening for pushes", "listen"); address != "" && p.running() {
				httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: address}).ServeHTTP(rw, r)
				return
			}
		}
		rw.WriteHeader(http.StatusBadGateway)
	}))
	address := inbox + "/push/component/" + platformID
	var shops []string
	for _, s := range w.sources {
		shops = append(shops, s.appID)
	}
	vendor, err := simulator.NewPusher(simulator.PushConfig{Server: w.api, Platforms: []simulator.PushPlatform{
		{AppID: platformID, Token: platformToken, AESKey: platformAESKey, AuthURL: address, EventURL: address + "/$APPID$", Shops: shops}}})
	if err != nil {
		w.Fatal(err)
	}
	w.vendor = vendor
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() {
		if err := vendor.Run(ctx); err != nil {
			w.Error(err)
		}
	})
	return sync.OnceFunc(func() {
		cancel()
		group.Wait()
	})
}
