//go:build kafka

package trial

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"orderwalk/simulator"
	"orderwalk/test/kafkatest"
)

const (
	platformID     = "wxplatform"
	platformSecret = "secret/+of=the&platform"
	platformToken  = "token-of-the-platforms-pushes"
	platformAESKey = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
	refreshPath    = "/cgi-bin/component/api_authorizer_token"
)

// platform is a fixture whose shops a third-party platform reads.
type platform struct {
	*fixture
	proxy    *kafkatest.Proxy // between the worker and Kafka
	keys     string           // state key file
	answered chan struct{}
	// cut makes Kafka unreachable before the next answer to a refresh token.
	cut atomic.Bool

	mu        sync.Mutex
	kills     int
	refreshes map[string][]refresh // by shop, in the order of the answers
	used      map[string]int       // kills before the first use of an access token
}

// refresh is one answer to a refresh token.
type refresh struct {
	sent, came, access string
	kills              int // kills before it
}

// newPlatform returns this many shops that have authorised the platform. They are all
// live.
func newPlatform(t *testing.T, proxy *kafkatest.Proxy, brokers []string, shops int) *platform {
	p := &platform{proxy: proxy, answered: make(chan struct{}, 1), refreshes: map[string][]refresh{}, used: map[string]int{}}
	now := time.Now().Unix()
	p.fixture = newWorld(t, brokers, func(w *fixture) simulator.Config {
		cfg := simulator.Config{Platform: simulator.Platform{AppID: platformID, Secret: platformSecret},
			// Tokens are short-lived, so that one is always about to expire.
			Faults: simulator.Faults{TokenTTL: 10 * time.Second, WayFaults: simulator.WayFaults{RotateRefreshToken: "at_use"}}}
		for i := range shops {
			appID := fmt.Sprintf("wxshop%d", i)
			w.add(appID, createTime, now-3600, 0)
			cfg.Shops = append(cfg.Shops, simulator.Shop{AppID: appID, RefreshToken: fmt.Sprintf("first/refresh+token=%x", w.dice.Uint64()),
				Backlog: simulator.Backlog{Orders: 200, From: now - 3600, To: now - 1}, Live: simulator.Live{Rate: 2, Since: now}})
		}
		return cfg
	})
	p.leaks.Hide("a platform's app secret", platformSecret)
	p.leaks.Hide("a token of pushes", platformToken)
	p.leaks.Hide("an AES key of pushes", platformAESKey)
	p.keys = filepath.Join(t.TempDir(), "state.keys")
	vendor, err := url.Parse(p.url)
	if err != nil {
		t.Fatal(err)
	}
	behind := httputil.NewSingleHostReverseProxy(vendor)
	behind.ErrorLog = log.New(io.Discard, "", 0) // killed workers abandon their calls
	p.url = p.serve(p.hear(behind))
	return p
}

// hear records answers to refresh tokens, before the caller gets them.
func (p *platform) hear(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if token := r.URL.Query().Get("access_token"); token != "" {
			p.mu.Lock()
			if _, before := p.used[token]; !before {
				p.used[token] = p.kills
			}
			p.mu.Unlock()
		}
		if r.URL.Path != refreshPath {
			next.ServeHTTP(rw, r)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // it was killed before its request
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		kept := httptest.NewRecorder()
		next.ServeHTTP(kept, r.WithContext(context.WithoutCancel(r.Context())))
		var sent struct {
			Shop    string `json:"authorizer_appid"`
			Refresh string `json:"authorizer_refresh_token"`
		}
		var came struct {
			Access  string `json:"authorizer_access_token"`
			Refresh string `json:"authorizer_refresh_token"`
		}
		if json.Unmarshal(body, &sent) == nil && json.Unmarshal(kept.Body.Bytes(), &came) == nil && came.Access != "" {
			if p.cut.CompareAndSwap(true, false) {
				p.proxy.Unplug(patience)
			}
			p.mu.Lock()
			p.refreshes[sent.Shop] = append(p.refreshes[sent.Shop], refresh{sent.Refresh, came.Refresh, came.Access, p.kills})
			p.mu.Unlock()
			select {
			case p.answered <- struct{}{}:
			default:
			}
		}
		for name, values := range kept.Header() {
			rw.Header()[name] = values
		}
		rw.WriteHeader(kept.Code)
		_, _ = rw.Write(kept.Body.Bytes()) // the caller may have been killed
	})
}

func (p *platform) killed() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.kills
}

func (p *platform) oneMoreKill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kills++
}

// hits returns the kills that lost tokens, and the tokens: lost before they were
// stored, which the next request with the same refresh token shows; or stored, but not
// used before the kill.
func (p *platform) hits() (kills, unkept, unused, all int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	hit := map[int]bool{}
	for _, row := range p.refreshes {
		all += len(row)
		for i, r := range row[:len(row)-1] {
			next := row[i+1]
			first, used := p.used[r.access]
			switch {
			case next.kills > r.kills && next.sent == r.sent:
				unkept++
			case next.sent == r.came && (used && first > r.kills || !used && next.kills > r.kills):
				unused++
			default:
				continue
			}
			hit[r.kills] = true
		}
	}
	return len(hit), unkept, unused, all
}

// work starts a worker.
func (p *platform) work(name string) *process {
	return p.run("WORKER_ID="+name, "AUTH=component", "COMPONENT_APP_ID="+platformID, "COMPONENT_APP_SECRET="+platformSecret, "STATE_KEY_FILE="+p.keys,
		"PUSH_LISTEN=127.0.0.1:0", "PUSH_TOKEN="+platformToken, "PUSH_AES_KEY="+platformAESKey,
		"SETTLE_DELAY=1s", "POLL_INTERVAL=1s", "LOOKBACK=5s", "SESSION_TIMEOUT=6s", "TRANSACTION_TIMEOUT=5s")
}

// said returns an attribute, and the time, of the last line of a log with a message.
func (p *process) said(message, attribute string) (value string, at time.Time) {
	for line := range strings.Lines(p.stderr.String()) {
		var all map[string]any
		if strings.Contains(line, message) && json.Unmarshal([]byte(line), &all) == nil && all["msg"] == message {
			value, _ = all[attribute].(string)
			text, _ := all["time"].(string)
			at, _ = time.Parse(time.RFC3339Nano, text)
		}
	}
	return value, at
}

// desk returns the worker that refreshes tokens, or did last.
func (p *platform) desk(workers map[string]*process) (name string) {
	p.eventually("a worker keeps the tokens", workers["a"], func() bool {
		var last time.Time
		for n, worker := range workers {
			if _, at := worker.said("this worker now refreshes the platform's tokens", "component"); at.After(last) {
				name, last = n, at
			}
		}
		return name != ""
	})
	return name
}

// deliver makes the vendor push the platform's verify ticket to any worker that
// accepts it.
func (p *platform) deliver() {
	p.Helper()
	inbox := p.serve(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		for i := len(p.lives) - 1; i >= 0; i-- {
			if address, _ := p.lives[i].said("listening for pushes", "listen"); address != "" && p.lives[i].running() {
				httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: address}).ServeHTTP(rw, r)
				return
			}
		}
		rw.WriteHeader(http.StatusBadGateway)
	}))
	taken := make(chan struct{})
	once := sync.OnceFunc(func() { close(taken) })
	address := inbox + "/push/component/" + platformID
	vendor, err := simulator.NewPusher(simulator.PushConfig{Server: p.api, OnPush: func(push simulator.Push) {
		if push.Arrived() {
			once()
		}
	}, Platforms: []simulator.PushPlatform{{AppID: platformID, Token: platformToken, AESKey: platformAESKey, AuthURL: address, EventURL: address + "/$APPID$"}}})
	if err != nil {
		p.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() {
		if err := vendor.Run(ctx); err != nil {
			p.Error(err)
		}
	})
	select {
	case <-taken:
	case <-time.After(patience):
		p.Error("no ticket was taken")
	}
	cancel()
	group.Wait()
}

// newKey returns a state key.
func (p *platform) newKey() string {
	key := make([]byte, 32)
	for i := range key {
		key[i] = byte(p.dice.Uint32())
	}
	text := base64.StdEncoding.EncodeToString(key)
	p.leaks.Hide("a state key", text, string(key))
	return text
}

// writeKeys writes the state key file.
func (p *platform) writeKeys(keys []string) {
	p.Helper()
	next := p.keys + ".next"
	if err := os.WriteFile(next, []byte(strings.Join(keys, "\n")+"\n"), 0o600); err != nil {
		p.Fatal(err)
	}
	if err := os.Rename(next, p.keys); err != nil {
		p.Fatal(err)
	}
}

// sealedUnder reports whether all current encrypted records on the topic use a key:
// its ID comes after the first byte.
func (p *platform) sealedUnder(key string) bool {
	p.Helper()
	raw, err := base64.StdEncoding.DecodeString(key)
	if err != nil {
		p.Fatal(err)
	}
	id := sha256.Sum256(append([]byte("orderwalk state key "), raw...))
	latest := map[string]bool{}
	for _, r := range p.read(p.offsets()) {
		var v struct{ Sealed []byte }
		if bytes.Contains(r.Key, []byte(`"ledger":`)) && json.Unmarshal(r.Value, &v) == nil && v.Sealed != nil {
			latest[string(r.Key)] = bytes.Equal(v.Sealed[1:5], id[:4])
		}
	}
	for _, under := range latest {
		if !under {
			return false
		}
	}
	return len(latest) > len(p.sources) // each shop's tokens, the platform's token, its ticket
}
