package wechat

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"orderwalk/simulator"
	"orderwalk/test/leaktest"
	"orderwalk/test/logtest"
)

// vendor is the simulated service on an in-memory network, for stories in virtual
// time.
type vendor struct {
	*testing.T
	api  *simulator.Server
	dial func() *http.Transport

	leaks  leaktest.Search
	buyers []*buyer
}

// inVendor runs story in a bubble with a simulator made from cfg.
func inVendor(t *testing.T, cfg simulator.Config, story func(t *testing.T, v *vendor)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := newListener()
		v := &vendor{T: t, api: simulator.New(cfg)}
		server := &http.Server{Handler: v.leaks.Watch(v.api), ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
		go server.Serve(l)
		v.dial = func() *http.Transport {
			transport := newTransport()
			transport.Proxy, transport.DialContext = nil, l.dial
			t.Cleanup(transport.CloseIdleConnections)
			return transport
		}
		t.Cleanup(func() { server.Close() })
		story(t, v)
		for _, b := range v.buyers {
			_, _, last := b.State()
			v.leaks.Check(t, "the log", b.log.String())
			v.leaks.Check(t, "the state", fmt.Sprintf("%v %+v %#v", last, last, last))
		}
	})
}

// set enables these faults and disables all others.
func (v *vendor) set(texts ...string) {
	v.Helper()
	var f simulator.Faults
	for _, text := range texts {
		change, err := simulator.ParseFault(text)
		if err != nil {
			v.Fatal(err)
		}
		change(&f)
	}
	v.api.SetFaults(f)
}

// buyer is the client of one process, with its log.
type buyer struct {
	*Client
	v   *vendor
	log *logtest.Buffer
	// longest is the most that one list call took, waits included.
	longest time.Duration
	listed  int
}

// client is one of another process each time.
func (v *vendor) client(cfg Config) *buyer {
	b := &buyer{v: v, log: &logtest.Buffer{}}
	if cfg.Host == nil {
		cfg.Host = &Host{URL: "http://127.0.0.1"}
	}
	if cfg.Host.Transport == nil {
		cfg.Host.Transport = v.dial()
	}
	if cfg.AppID == "" {
		cfg.AppID = "wx1"
	}
	if cfg.Secret == nil {
		cfg.Secret = func() (string, error) { return "s3cret-of-wx1", nil }
	}
	cfg.Log = slog.New(slog.NewTextHandler(b.log, nil))
	b.Client = New(cfg)
	v.buyers = append(v.buyers, b)
	return b
}

// list makes one list call, for the minute before the last one.
func (b *buyer) list() error {
	now := time.Now()
	end := now.Add(-time.Minute).Unix()
	_, err := b.List(b.v.Context(), Query{Range: CreateTime, Start: end - 60, End: end, PageSize: 100})
	b.v.leaks.Check(b.v, "an error", fmt.Sprintf("%v %+v %#v", err, err, err))
	if err == nil {
		b.listed++
		b.longest = max(b.longest, time.Since(now))
	}
	return err
}

// poll makes list calls at an interval for a time; any error ends the story.
func (b *buyer) poll(every, span time.Duration) {
	b.v.Helper()
	for end := time.Now().Add(span); time.Now().Before(end); {
		if err := b.list(); err != nil {
			b.v.Errorf("after %d calls: %v\n%s", b.listed, err, b.log.String())
			return
		}
		time.Sleep(every)
	}
}

// wants makes a list call and expects an error of this class and errcode.
func (b *buyer) wants(class Class, code int) *Error {
	b.v.Helper()
	err := b.list()
	var v *Error
	if !errors.As(err, &v) || v.Class != class || v.Code != code {
		b.v.Fatalf("error %v, want errcode %d of class %v", err, code, class)
	}
	if v.Hint == "" {
		b.v.Errorf("no hint in %v", v)
	}
	return v
}

// oneShop configures one shop with an order every few seconds.
func oneShop(faults simulator.Faults) simulator.Config {
	return simulator.Config{Seed: 7, Faults: faults, Shops: []simulator.Shop{{AppID: "wx1", Secret: "s3cret-of-wx1", RefreshToken: "refresh-0", Live: simulator.Live{Rate: 0.2}}}}
}
