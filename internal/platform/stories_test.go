package platform

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"orderwalk/internal/grouplog"
	"orderwalk/internal/wechat"
	"orderwalk/simulator"
	"orderwalk/test/leaktest"
	"orderwalk/test/logtest"
)

// fixture is a Kafka and the vendor on a virtual network.
type fixture struct {
	*testing.T
	network *kfake.VirtualNetwork
	kafka   *kfake.Cluster
	api     *simulator.Server
	keys    Keys
	late    map[string]Keys // of workers whose key file differs from the others' for now
	log     logtest.Buffer
	leaks   leaktest.Search

	mu    sync.Mutex
	given map[string]string
	file  string // the ticket in it
	wrong bool   // the platform's secret is wrong
	// follows makes keepers store which shops have authorised the platform.
	follows bool
	// list, if set, answers calls for the list of authorised shops; see answersLists.
	list http.HandlerFunc
}

func story(t *testing.T, faults simulator.Faults, tell func(w *fixture)) {
	synctest.Test(t, func(t *testing.T) {
		w := &fixture{T: t, network: new(kfake.VirtualNetwork), keys: keysOf(1), given: map[string]string{"wx1": "first-refresh", "wx2": ""}}
		cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(9092), kfake.ListenFn(w.network.Listen), kfake.SeedTopics(1, "offsets"))
		if err != nil {
			t.Fatal(err)
		}
		listener, err := w.network.Listen("tcp", "localhost:8080")
		if err != nil {
			t.Fatal(err)
		}
		w.kafka = cluster
		w.api = simulator.New(simulator.Config{Seed: 7, Faults: faults,
			Shops:    []simulator.Shop{{AppID: "wx1", RefreshToken: "first-refresh"}, {AppID: "wx2"}},
			Platform: simulator.Platform{AppID: "wxc", Secret: "platform-secret"}})
		w.leaks.Hide("a platform's app secret", "platform-secret")
		for fill := range byte(4) {
			keys, _ := keysOf(fill)()
			w.leaks.Hide("a state key", string(keys[0]))
		}
		server := &http.Server{Handler: w.leaks.Watch(http.HandlerFunc(w.answer))}
		served := make(chan struct{})
		go func() {
			defer close(served)
			_ = server.Serve(listener)
		}()
		tell(w)
		w.leaks.Check(w, "the log", w.log.String())
		if n, err := w.leaks.CheckTopics(w.Context(), w, "", []string{"localhost:9092"}, kgo.Dialer(w.network.DialContext)); n == 0 || err != nil {
			w.Errorf("%d records were searched: %v", n, err)
		}
		_ = server.Close()
		<-served
		cluster.Close()
		synctest.Wait()
	})
}

// answer answers a call of the vendor's API.
func (w *fixture) answer(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	list := w.list
	w.mu.Unlock()
	if list != nil && r.URL.Path == listPath {
		list(rw, r)
		return
	}
	w.api.ServeHTTP(rw, r)
}

// answersLists makes do answer calls for the list of authorised shops; nil = the simulator.
func (w *fixture) answersLists(do http.HandlerFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = do
}

// worker is one process's part of the log.
type worker struct {
	*State
	*fixture
	cfg     grouplog.Config
	host    *wechat.Host
	clients map[string]*wechat.Client
	stop    func()
}

// start starts a worker, as the keeper if leads is true.
func (w *fixture) start(name string, leads bool) *worker {
	ctx, cancel := context.WithCancel(context.Background())
	transport := &kafka.Transport{Dial: w.network.DialContext}
	web := &http.Transport{DialContext: w.network.DialContext}
	log := slog.New(slog.NewTextHandler(&w.log, nil))
	k := &worker{fixture: w, host: &wechat.Host{URL: "http://localhost:8080", Transport: web}, clients: map[string]*wechat.Client{}}
	k.cfg = grouplog.Config{Group: "g", Topic: "offsets", Worker: name, Addr: kafka.TCP("localhost:9092"), Transport: transport,
		TransactionTimeout: 30 * time.Second, Log: log}
	followed := grouplog.New(k.cfg)
	k.State = New(Config{Log: followed, Keys: func() ([][]byte, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if late := w.late[name]; late != nil {
			return late()
		}
		return w.keys()
	}, Component: "wxc", Logger: log})
	for _, shop := range []string{"wx1", "wx2"} {
		k.clients[shop] = wechat.New(wechat.Config{Host: k.host, AppID: shop, Auth: wechat.AuthComponent, Tokens: k.Tokens(shop), Log: log})
	}
	var group sync.WaitGroup
	followed.At(0)
	group.Go(func() { followed.Follow(ctx) })
	group.Go(func() { k.Watch(ctx) })
	if leads {
		group.Go(func() {
			keeper := &Keeper{State: k.State, Log: log,
				Members:  func() bool { return w.follows },
				Platform: &wechat.Platform{Host: k.host, AppID: "wxc", Secret: w.secret},
				Given: func() (string, map[string]string) {
					w.mu.Lock()
					defer w.mu.Unlock()
					copied := map[string]string{}
					for shop, token := range w.given {
						copied[shop] = token
					}
					return w.file, copied
				}}
			for ctx.Err() == nil {
				_ = keeper.Run(ctx, func(context.Context) (bool, error) { return true, nil }) // ends when it is fenced or with ctx
				select {
				case <-ctx.Done():
				case <-time.After(time.Hour): // like a worker that has been fenced
				}
			}
		})
	}
	k.stop = sync.OnceFunc(func() {
		cancel()
		group.Wait()
		transport.CloseIdleConnections()
		web.CloseIdleConnections()
		k.host.Close()
	})
	synctest.Wait()
	return k
}

// list makes one list call for a shop and retries like a walker.
func (k *worker) list(shop string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	now := time.Now().Unix()
	_, err := k.clients[shop].List(ctx, wechat.Query{Range: wechat.CreateTime, Start: now - 60, End: now, PageSize: 100})
	k.leaks.Check(k, "an error", fmt.Sprintf("%v %+v %#v", err, err, err))
	return err
}

func (k *worker) works(shop string) {
	k.Helper()
	if err := k.list(shop); err != nil {
		k.Errorf("%s: %v\n%s", shop, err, k.log.String())
	}
}

func (k *worker) ticket() {
	k.Helper()
	if err := k.Ticket(k.Context(), k.api.VerifyTicket(time.Now()), time.Now()); err != nil {
		k.Error(err)
	}
}

// TestEveryWorkerReadsWithTheKeepersTokens: a ticket that is pushed to one worker becomes
// tokens that all workers use, over hours of rotation, with one refresher.
func TestEveryWorkerReadsWithTheKeepersTokens(t *testing.T) {
	story(t, simulator.Faults{WayFaults: simulator.WayFaults{RotateRefreshToken: "at_use"}}, func(w *fixture) {
		keeper, other := w.start("a", true), w.start("b", false)
		var waits *wechat.Error
		if err := other.list("wx1"); err == nil || errors.As(err, &waits) && waits.Class == wechat.Wait {
			w.Errorf("without a ticket: %v", err)
		}
		for range 5 * 6 {
			other.ticket()
			other.works("wx1")
			keeper.works("wx1")
			time.Sleep(10 * time.Minute)
		}
		other.stop()
		keeper.stop()
	})
}

// TestNoRefreshTokenIsLost: keepers change at arbitrary moments, while each refresh token
// dies with the first use of the access token that came with its successor.
func TestNoRefreshTokenIsLost(t *testing.T) {
	story(t, simulator.Faults{WayFaults: simulator.WayFaults{RotateRefreshToken: "at_use"}}, func(w *fixture) {
		reader := w.start("reader", false)
		for i := range 8 {
			reader.ticket()
			keeper := w.start("desk", true)
			time.Sleep(time.Duration(i%7) * 5 * time.Millisecond)
			if i%2 == 0 {
				reader.works("wx1")
			}
			keeper.stop()
			time.Sleep(111 * time.Minute) // tokens are about to expire, or have expired
		}
		reader.ticket()
		keeper := w.start("desk", true)
		reader.works("wx1")
		keeper.stop()
		reader.stop()
	})
}

// TestAuthorisationsComeAndGo: events start, stop and start a shop again.
func TestAuthorisationsComeAndGo(t *testing.T) {
	story(t, simulator.Faults{}, func(w *fixture) {
		k := w.start("a", true)
		k.ticket()
		var waits *wechat.Error
		if err := k.list("wx2"); !errors.As(err, &waits) || waits.Class != wechat.Wait || waits.Code != 61003 && waits.Code != 61023 {
			w.Errorf("before it has authorised: %v", err)
		}
		before := k.Version("wx2")
		a, err := w.api.Authorize("wx2")
		if err != nil {
			w.Fatal(err)
		}
		if err := k.Authorization(w.Context(), "wx2", a.InfoType, a.Code, a.Expires, a.At); err != nil {
			w.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		if k.Version("wx2") == before {
			w.Error("nothing for a waiting shop to notice")
		}
		k.works("wx2")
		time.Sleep(time.Minute)
		if err := w.api.Revoke("wx2"); err != nil {
			w.Fatal(err)
		}
		if err := k.Authorization(w.Context(), "wx2", "unauthorized", "", time.Time{}, time.Now()); err != nil {
			w.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		if err := k.list("wx2"); !errors.As(err, &waits) || waits.Code != 61003 || !strings.Contains(waits.Error(), "authorise the platform") {
			w.Errorf("after it was taken back: %v", err)
		}
		// The first event is delivered again: it must not undo later changes.
		if err := k.Authorization(w.Context(), "wx2", a.InfoType, a.Code, a.Expires, a.At); err != nil {
			w.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		if err := k.list("wx2"); !errors.As(err, &waits) || waits.Code != 61003 {
			w.Errorf("after a repeat: %v", err)
		}
		k.works("wx1")
		k.stop()
	})
}

// TestAWaitingShopWakesAtTheEvent: a shop that waits for its authorisation wakes at the
// event, before the keeper has acted on it. It then must not get the old refusal, or it
// would wait for minutes more.
func TestAWaitingShopWakesAtTheEvent(t *testing.T) {
	story(t, simulator.Faults{}, func(w *fixture) {
		reader, keeper := w.start("reader", false), w.start("desk", true)
		reader.ticket()
		var waits *wechat.Error
		if err := reader.list("wx2"); !errors.As(err, &waits) || waits.Class != wechat.Wait {
			w.Fatalf("before it has authorised: %v", err)
		}
		keeper.stop()
		a, err := w.api.Authorize("wx2")
		if err != nil {
			w.Fatal(err)
		}
		if err := reader.Authorization(w.Context(), "wx2", a.InfoType, a.Code, a.Expires, a.At); err != nil {
			w.Fatal(err)
		}
		time.Sleep(time.Second) // the event has been read
		if _, err := reader.Tokens("wx2")(w.Context(), ""); !errors.As(err, &waits) || waits.Class != wechat.Retry {
			w.Errorf("without a keeper: %v", err)
		}
		answered := make(chan error)
		go func() {
			_, err := reader.Tokens("wx2")(w.Context(), "")
			answered <- err
		}()
		time.Sleep(time.Second)
		keeper = w.start("another", true)
		if err := <-answered; err != nil {
			w.Errorf("with a keeper: %v", err)
		}
		keeper.stop()
		reader.stop()
	})
}

// TestStateKeysChange: a new first key, then the old one goes.
func TestStateKeysChange(t *testing.T) {
	story(t, simulator.Faults{WayFaults: simulator.WayFaults{RotateRefreshToken: "at_use"}}, func(w *fixture) {
		k := w.start("a", true)
		k.ticket()
		k.works("wx1")
		k.stop()
		w.mu.Lock()
		w.given["wx1"] = "" // only the stored token is left
		w.mu.Unlock()
		w.keys = keysOf(2, 1)
		k = w.start("a", true)
		time.Sleep(5 * time.Second)
		k.works("wx1")
		k.stop()
		w.keys = keysOf(2)
		k = w.start("a", true)
		time.Sleep(5 * time.Second)
		k.works("wx1")
		k.stop()
		if strings.Contains(w.log.String(), "cannot be read") {
			w.Errorf("something was sealed under the old key:\n%s", w.log.String())
		}
	})
}
