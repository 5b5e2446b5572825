package program

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"orderwalk/simulator"
	"orderwalk/test/leaktest"
)

const (
	pushToken  = "the-token-of-pushes"
	pushKey    = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
	pushedShop = "wx00000000000000a1"
	laterShop  = "wx00000000000000a2"
	addedShop  = "wx00000000000000a3"
	platformID = "wx00000000000000f0"
	stateKey   = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	// farPoll is the poll interval: pushed orders must arrive long before.
	farPoll = time.Hour
)

// logged waits for a line of a worker's log with the message and returns an attribute
// of it.
func (p *process) logged(message, attribute string) string {
	p.t.Helper()
	var found string
	eventually(p.t, "a log line: "+message, func() bool {
		if strings.Contains(p.stderr.String(), "fault in the configuration") {
			p.t.Fatal(p.stderr.String())
		}
		for line := range strings.Lines(p.stderr.String()) {
			var all map[string]any
			if json.Unmarshal([]byte(line), &all) == nil && all["msg"] == message {
				found, _ = all[attribute].(string)
				return true
			}
		}
		return false
	})
	return found
}

// pushed starts run with a push listener, the Kafka of a dev process and a simulated
// API inside the test. Its poll interval is too long to find any order.
func pushed(t *testing.T, api *simulator.Server, env ...string) (p *process, page, pushes, brokers string) {
	t.Helper()
	brokers = start(t, nil, "dev", "--data", t.TempDir(), "--orders", "1").line("Kafka")
	var wire leaktest.Search
	vendor := httptest.NewServer(wire.Watch(api))
	t.Cleanup(vendor.Close)
	p = start(t, append(env, "ORDERWALK_KAFKA_BROKERS="+brokers, "ORDERWALK_API_URL="+vendor.URL, "ORDERWALK_LISTEN=127.0.0.1:0",
		"ORDERWALK_GROUP=pushed", "ORDERWALK_TOPIC=pushed.orders", "ORDERWALK_OFFSETS_TOPIC=pushed.offsets",
		"ORDERWALK_PUSH_LISTEN=127.0.0.1:0", "ORDERWALK_PUSH_TOKEN="+pushToken, "ORDERWALK_PUSH_AES_KEY="+pushKey,
		"ORDERWALK_SETTLE_DELAY=2s", "ORDERWALK_POLL_INTERVAL="+farPoll.String(), "ORDERWALK_LOOKBACK=0",
		fmt.Sprint("ORDERWALK_START_TIME=", time.Now().Unix()-60)), "run")
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the worker's log:\n%s", p.stderr.String())
		}
		wire.Check(t, "the worker's log", p.stderr.String())
	})
	page = "http://" + p.logged("orderwalk starts", "listen")
	pushes = "http://" + p.logged("listening for pushes", "listen")
	return p, page, pushes, brokers
}

// metric returns the value of a worker's series; 0 if it has none.
func metric(t *testing.T, page, series string) (value float64) {
	t.Helper()
	_, body := get(t, page+"/metrics")
	for line := range strings.Lines(body) {
		if rest, ok := strings.CutPrefix(line, series+" "); ok {
			if _, err := fmt.Sscan(rest, &value); err != nil {
				t.Fatal(err)
			}
		}
	}
	return value
}

// postman runs a pusher until the test ends, and records its pushes.
type postman struct {
	*simulator.Pusher
	mu   sync.Mutex
	sent []simulator.Push
}

func newPostman(t *testing.T, cfg simulator.PushConfig) *postman {
	t.Helper()
	m := &postman{}
	cfg.OnPush = func(p simulator.Push) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.sent = append(m.sent, p)
	}
	t.Cleanup(func() {
		for _, p := range m.sent {
			if t.Failed() {
				t.Logf("pushed: %+v", p)
			}
		}
	})
	var err error
	if m.Pusher, err = simulator.NewPusher(cfg); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *postman) work(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	return sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// answered returns the number of pushes answered with a status.
func (m *postman) answered(status int) (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.sent {
		if p.Status == status {
			n++
		}
	}
	return n
}

// follow starts a consumer of the orders.
func follow(t *testing.T, brokers string) *process {
	t.Helper()
	return start(t, []string{"ORDERWALK_KAFKA_BROKERS=" + brokers}, "tail", "--follow", "--from-beginning", "--topic", "pushed.orders")
}

// waits reports whether the log says that a shop waits for an operator, for this
// reason.
func (p *process) waits(shop, reason string) bool {
	for line := range strings.Lines(p.stderr.String()) {
		if strings.Contains(line, `"msg":"shop waits"`) && strings.Contains(line, shop) && strings.Contains(line, reason) {
			return true
		}
	}
	return false
}

// next returns the shop and ID of the next order that a consumer sees.
func (p *process) next() (shop, id string) {
	p.t.Helper()
	line, err := p.readLine()
	fields := strings.Fields(line)
	if err != nil || len(fields) != 4 {
		p.t.Fatalf("line = %q, %v\n%s", line, err, p.stderr.String())
	}
	return fields[1], fields[3]
}

// A pushed order is on the topic long before the next poll; forged pushes are refused
// and counted.
func TestAPushedOrderDoesNotWaitForThePoll(t *testing.T) {
	t.Parallel()
	api := simulator.New(simulator.Config{Seed: 41, Shops: []simulator.Shop{{AppID: pushedShop, Secret: "secret-of-it"}}})
	worker, page, pushes, brokers := pushed(t, api, "ORDERWALK_APP_ID="+pushedShop, "ORDERWALK_APP_SECRET=secret-of-it")
	to := func(token string) *postman {
		return newPostman(t, simulator.PushConfig{Server: api, Shops: []simulator.PushShop{
			{AppID: pushedShop, URL: pushes + "/push/" + pushedShop, Token: token, AESKey: pushKey}}})
	}
	vendor, forger := to(pushToken), to("guessed")
	if err := vendor.Check(t.Context()); err != nil {
		t.Errorf("the check of the address: %v", err)
	}
	if err := forger.Check(t.Context()); err == nil {
		t.Error("an address check with a foreign signature was answered")
	}
	count := func(result string) float64 {
		return metric(t, page, fmt.Sprintf("orderwalk_pushes_total{result=%q}", result))
	}
	if ok, bad := count("echo"), count("bad_signature"); ok != 1 || bad != 1 {
		t.Errorf("%v checks are counted, %v refused", ok, bad)
	}

	stop, stopForger := vendor.work(t), forger.work(t)
	defer stop()
	defer stopForger()
	eventually(t, "the shop is live", func() bool {
		return metric(t, page, fmt.Sprintf("orderwalk_backfill_progress_ratio{shop=%q}", pushedShop)) == 1
	})
	consumer := follow(t, brokers)
	for i := range 3 {
		placed := time.Now()
		id := fmt.Sprint(3_700_000_000_000_000_001 + i)
		if err := api.Add(pushedShop, simulator.Order{ID: id}); err != nil {
			t.Fatal(err)
		}
		_, got := consumer.next()
		t.Logf("record of an order %v after it", time.Since(placed).Round(10*time.Millisecond))
		if got != id {
			t.Errorf("order %s, want %s", got, id)
		}
	}
	stop()
	stopForger() // its last push may have been answered
	if bad, refused := count("bad_signature"), forger.answered(403); refused < 3 || bad < float64(1+refused) || forger.answered(200) != 0 {
		t.Errorf("%v counted as forged, %d were refused and %d taken", bad, refused, forger.answered(200))
	}
	if ok, kept := count("ok"), vendor.answered(200); ok != float64(kept) || kept < 3 {
		t.Errorf("%v counted as kept, %d were", ok, kept)
	}
	worker.searched(page)
	worker.signal(syscall.SIGTERM)
	if code := worker.end(); code != 0 {
		t.Errorf("run = %d\n%s", code, worker.stderr.String())
	}
	_, lines, stderr := run(t, []string{"ORDERWALK_KAFKA_BROKERS=" + brokers}, "tail", "--from-beginning", "--topic", "pushed.orders")
	if n := strings.Count(lines, "\n"); n != 3 {
		t.Errorf("%d records of 3 orders\n%s%s", n, lines, stderr)
	}
	if n, err := worker.leaks.CheckTopics(t.Context(), t, "", []string{brokers}); n < 4 || err != nil {
		t.Errorf("%d records were searched for secrets: %v", n, err)
	}
}

// A platform gets its ticket, its shops and their orders by pushes only.
func TestAPlatformLivesByPushes(t *testing.T) {
	t.Parallel()
	var vendor *postman
	api := simulator.New(simulator.Config{Seed: 42, Platform: simulator.Platform{AppID: platformID, Secret: "secret-of-the-platform"},
		Shops: []simulator.Shop{{AppID: pushedShop, RefreshToken: "refresh-from-the-start"}, {AppID: laterShop}, {AppID: addedShop, RefreshToken: "refresh-of-the-added-shop"}},
		OnAuthorization: func(a simulator.Authorization) {
			if err := vendor.Announce(a); err != nil {
				t.Error(err)
			}
		}})
	dir := t.TempDir()
	shops, keys := filepath.Join(dir, "shops.yaml"), filepath.Join(dir, "state.key")
	for path, text := range map[string]string{shops: "shops:\n- {app_id: " + pushedShop + "}\n- {app_id: " + laterShop + "}\n", keys: stateKey + "\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	worker, page, pushes, brokers := pushed(t, api, "ORDERWALK_AUTH=component", "ORDERWALK_SHOPS_FILE="+shops, "ORDERWALK_STATE_KEY_FILE="+keys,
		"ORDERWALK_COMPONENT_APP_ID="+platformID, "ORDERWALK_COMPONENT_APP_SECRET=secret-of-the-platform")
	address := pushes + "/push/component/" + platformID
	vendor = newPostman(t, simulator.PushConfig{Server: api, Platforms: []simulator.PushPlatform{
		{AppID: platformID, Token: pushToken, AESKey: pushKey, AuthURL: address, EventURL: address + "/$APPID$", Shops: []string{pushedShop}}}})
	if err := vendor.Check(t.Context()); err != nil {
		t.Errorf("the check of the addresses: %v", err)
	}
	defer vendor.work(t)()
	live := func(shop string) bool {
		return metric(t, page, fmt.Sprintf("orderwalk_backfill_progress_ratio{shop=%q}", shop)) == 1
	}
	eventually(t, "the shop that has authorised the platform is live", func() bool { return live(pushedShop) })
	eventually(t, "the other one waits", func() bool { return worker.waits(laterShop, "has not authorised the platform") })
	if live(laterShop) {
		t.Errorf("a shop that has authorised nothing is live:\n%s", worker.stderr.String())
	}

	asked := time.Now()
	if _, err := api.Authorize(laterShop); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the other one is live", func() bool { return live(laterShop) })
	t.Logf("live %v after it was authorised", time.Since(asked).Round(10*time.Millisecond))
	consumer := follow(t, brokers)
	for i, shop := range []string{pushedShop, laterShop} {
		placed := time.Now()
		id := fmt.Sprint(3_700_000_000_000_000_001 + i)
		if err := api.Add(shop, simulator.Order{ID: id}); err != nil {
			t.Fatal(err)
		}
		of, got := consumer.next()
		t.Logf("record of an order %v after it", time.Since(placed).Round(10*time.Millisecond))
		if of != shop || got != id {
			t.Errorf("order %s of %s, want %s of %s", got, of, id, shop)
		}
	}

	// check uses the tokens that the worker keeps, and fetches none.
	refreshes := api.Stats().Calls["/cgi-bin/component/api_authorizer_token"]["0"]
	if code, found, stderr := run(t, worker.cmd.Env, "check"); code != 0 || strings.Count(found, "by component, stored by run") != 2 ||
		strings.Count(found, "ok      list call of") != 2 || strings.Contains(found, "not checked") || !strings.Contains(found, "by the token that the group has stored") {
		t.Errorf("check = %d\n%s%s", code, found, stderr)
	}
	if n := api.Stats().Calls["/cgi-bin/component/api_authorizer_token"]["0"]; n != refreshes {
		t.Errorf("check has used %d refresh tokens", n-refreshes)
	}
	// So does a plan.
	if code, told, stderr := run(t, worker.cmd.Env, "plan"); code != 0 || !strings.Contains(told, pushedShop) || !strings.Contains(told, laterShop) {
		t.Errorf("plan = %d\n%s%s", code, told, stderr)
	}
	for change, want := range map[string]string{"ORDERWALK_GROUP=another": "run has stored no token for this shop", "ORDERWALK_KAFKA_BROKERS=127.0.0.1:1": "read the token that run has stored: "} {
		if code, told, stderr := run(t, append(slices.Clone(worker.cmd.Env), change), "plan"); code != 1 || strings.Count(told, want) != 2 {
			t.Errorf("plan with %s = %d\n%s%s", change, code, told, stderr)
		}
	}

	// A shop that is added to the file is read without a restart.
	asked = time.Now()
	file, err := os.OpenFile(shops, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = fmt.Fprintf(file, "- {app_id: %s}\n", addedShop)
	if err := errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the added shop is live", func() bool { return live(addedShop) })
	t.Logf("live %v after it was added", time.Since(asked).Round(10*time.Millisecond))

	asked = time.Now()
	if err := api.Revoke(laterShop); err != nil {
		t.Fatal(err)
	}
	// It may have waited for its authorisation before, for another reason.
	eventually(t, "the shop waits again", func() bool {
		return worker.waits(laterShop, "errcode 61003 the shop has taken its authorisation of the platform back")
	})
	t.Logf("waits %v after it was revoked", time.Since(asked).Round(10*time.Millisecond))
	worker.searched(page)
	worker.signal(syscall.SIGTERM)
	if code := worker.end(); code != 0 {
		t.Errorf("run = %d\n%s", code, worker.stderr.String())
	}
	worker.leaks.Hide("a refresh token", "refresh-from-the-start", "refresh-of-the-added-shop", "refreshtoken@@@")
	worker.leaks.Hide("a verify ticket", "ticket@@@")
	worker.leaks.Hide("an authorization code", "queryauthcode@@@")
	if n, err := worker.leaks.CheckTopics(t.Context(), t, "", []string{brokers}); n < 10 || err != nil {
		t.Errorf("%d records were searched for secrets: %v", n, err)
	}
}
