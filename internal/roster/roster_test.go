package roster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"

	"orderwalk/internal/config"
	"orderwalk/internal/desired"
	"orderwalk/internal/grouplog"
)

// fixture is a Kafka on a virtual network, and a directory of secrets.
type fixture struct {
	*testing.T
	network *kfake.VirtualNetwork
	secrets string
}

func inBubble(t *testing.T, story func(f *fixture)) {
	secrets := t.TempDir()
	for i := range 9 {
		if err := os.WriteFile(filepath.Join(secrets, fmt.Sprint(i)), []byte("a-secret"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("ORDERWALK_REST_SECRET_DIRS", secrets)
	t.Setenv("ORDERWALK_KAFKA_BROKERS", "localhost:9092")
	synctest.Test(t, func(t *testing.T) {
		network := new(kfake.VirtualNetwork)
		cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(9092), kfake.ListenFn(network.Listen), kfake.SeedTopics(1, "offsets"))
		if err != nil {
			t.Fatal(err)
		}
		defer synctest.Wait()
		defer cluster.Close()
		story(&fixture{T: t, network: network, secrets: secrets})
	})
}

// own loads a worker's configuration with these shops in its shops file.
func (f *fixture) own(shops ...string) *config.Config {
	f.Helper()
	return f.load("", shops...)
}

// load is own with more in the shops file.
func (f *fixture) load(more string, shops ...string) *config.Config {
	f.Helper()
	text := "shops: []\n"
	for i, name := range shops {
		if i == 0 {
			text = "shops:\n"
		}
		text += "- {name: " + name + ", app_id: wx" + name + ", app_secret: own}\n"
	}
	path := filepath.Join(f.secrets, "..", "shops.yaml")
	if err := os.WriteFile(path, []byte(text+more), 0o600); err != nil {
		f.Fatal(err)
	}
	cfg, err := config.Load(map[string]string{"ORDERWALK_SHOPS_FILE": path})
	if err != nil {
		f.Fatal(err)
	}
	return cfg
}

// worker is a worker's roster, its store, and what it applied last.
type worker struct {
	*Roster
	store   *desired.Store
	applied []string // names, sorted
	times   int
	fails   error
	members []string // shops that have authorised the platform
	stop    func()
}

func (f *fixture) worker(own *config.Config) *worker {
	ctx, cancel := context.WithCancel(context.Background())
	transport := &kafka.Transport{Dial: f.network.DialContext}
	log := grouplog.New(grouplog.Config{Group: "g", Topic: "offsets", Worker: "w", Addr: kafka.TCP("localhost:9092"), Transport: transport, TransactionTimeout: 30 * time.Second})
	w := &worker{store: desired.New(desired.Config{Log: log})}
	members := func() ([]string, <-chan struct{}) { return w.members, nil }
	w.Roster = New(Config{Desired: w.store, Members: members, Apply: func(_ context.Context, shops []config.Shop) error {
		if w.fails != nil {
			return w.fails
		}
		w.applied, w.times = nil, w.times+1
		for _, s := range shops {
			w.applied = append(w.applied, s.Name)
		}
		slices.Sort(w.applied)
		return nil
	}}, own)
	var following sync.WaitGroup
	log.At(0)
	following.Go(func() { log.Follow(ctx) })
	synctest.Wait()
	w.stop = func() {
		cancel()
		following.Wait()
		transport.CloseIdleConnections()
	}
	return w
}

// sent is the configuration of a shop whose app ID is wx and the name.
func (f *fixture) sent(name string, more ...string) map[string]string {
	sent := map[string]string{"connector.class": config.ConnectorClass, "app_id": "wx" + name, "app_secret": "${file:" + f.secrets + "/1}", "kafka.topic": "orders"}
	for i := 0; i < len(more); i += 2 {
		sent[more[i]] = more[i+1]
	}
	return sent
}

func (w *worker) expect(t *testing.T, times int, names ...string) {
	t.Helper()
	if err := w.Update(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(w.applied, names) || w.times != times {
		t.Errorf("walked are %q after %d updates, want %q after %d", w.applied, w.times, names, times)
	}
}

// TestOnlyAnotherListIsApplied: creating, changing and deleting a shop, and another shops
// file, are applied; a pause, or nothing new, is not.
func TestOnlyAnotherListIsApplied(t *testing.T) {
	inBubble(t, func(f *fixture) {
		w := f.worker(f.own("own"))
		defer w.stop()
		ctx := f.Context()
		w.expect(t, 1, "own")
		if err := w.Create(ctx, "a", f.sent("a"), desired.Paused, "me"); err != nil {
			t.Fatal(err)
		}
		w.expect(t, 2, "a", "own")
		if err := w.store.Change(ctx, func(v desired.View) ([]desired.Edit, error) {
			s := v.Of("a")
			s.Target = desired.Stopped
			return []desired.Edit{{Name: "a", Shop: s}, {Name: "own", Shop: desired.Shop{Target: desired.Paused}}}, nil
		}); err != nil {
			t.Fatal(err)
		}
		w.expect(t, 2, "a", "own")
		if err := w.Patch(ctx, "a", map[string]*string{"rate_limit": new("3")}, "me"); err != nil {
			t.Fatal(err)
		}
		if s := w.store.Of("a"); s.Target != desired.Stopped || s.Config["rate_limit"] != "3" {
			t.Errorf("a changed configuration changed more: %+v", s)
		}
		w.expect(t, 3, "a", "own")
		w.Load(f.own("own", "other"))
		w.expect(t, 4, "a", "other", "own")
		if err := w.Delete(ctx, "a", "me"); err != nil {
			t.Fatal(err)
		}
		if leaving := w.Leaving(); len(leaving) != 1 || !leaving["a"] {
			t.Errorf("leaving are %v before the deletion is applied", leaving)
		}
		w.expect(t, 5, "other", "own")
		if leaving := w.Leaving(); len(leaving) != 0 {
			t.Errorf("leaving are %v after the deletion is applied", leaving)
		}
	})
}

// TestAFailedUpdateIsMadeAgain: nothing counts as applied that was not.
func TestAFailedUpdateIsMadeAgain(t *testing.T) {
	inBubble(t, func(f *fixture) {
		w := f.worker(f.own("own"))
		defer w.stop()
		w.fails = errors.New("no Kafka")
		if _, err := w.Put(f.Context(), "a", f.sent("a"), "me"); err != nil {
			t.Fatal(err)
		}
		if err := w.Update(f.Context()); !errors.Is(err, w.fails) {
			t.Errorf("Update = %v", err)
		}
		if idle := w.Idle(); len(idle) != 1 || idle[0].Shop.Name != "a" || idle[0].Reason != "" {
			t.Errorf("idle are %+v", idle)
		}
		w.fails = nil
		w.expect(t, 1, "a", "own")
		if idle := w.Idle(); len(idle) != 0 {
			t.Errorf("idle are %+v", idle)
		}
	})
}

// TestEditsAreRefused: a name that is taken, a shop of the worker's own, an unknown one,
// and a configuration that does not fit to the others.
func TestEditsAreRefused(t *testing.T) {
	inBubble(t, func(f *fixture) {
		w := f.worker(f.own("own"))
		defer w.stop()
		ctx := f.Context()
		if err := w.Create(ctx, "a", f.sent("a"), desired.Running, "me"); err != nil {
			t.Fatal(err)
		}
		var own *OwnError
		var invalid *config.InvalidError
		_, put := w.Put(ctx, "own", f.sent("own"), "me")
		_, taken := w.Put(ctx, "b", f.sent("a"), "me")
		_, listed := w.Put(ctx, "b", f.sent("own"), "me")
		for what, got := range map[string]bool{
			"create own":     errors.As(w.Create(ctx, "own", f.sent("own"), desired.Running, "me"), &own),
			"put own":        errors.As(put, &own),
			"patch own":      errors.As(w.Patch(ctx, "own", nil, "me"), &own),
			"delete own":     errors.As(w.Delete(ctx, "own", "me"), &own),
			"create again":   errors.Is(w.Create(ctx, "a", f.sent("a"), desired.Running, "me"), ErrExists),
			"patch unknown":  errors.Is(w.Patch(ctx, "b", nil, "me"), ErrUnknown),
			"delete unknown": errors.Is(w.Delete(ctx, "b", "me"), ErrUnknown),
			"app ID taken":   errors.As(taken, &invalid),
			"app ID listed":  errors.As(listed, &invalid),
		} {
			if !got {
				t.Errorf("%s is not refused as it must be", what)
			}
		}
		w.expect(t, 1, "a", "own")
		want := f.sent("a")
		want["name"] = "a"
		if got, _ := w.Config("a"); !maps.Equal(got, want) {
			t.Errorf("a's configuration is %v, want %v", got, want)
		}
	})
}

// TestOwnShopsWin: a created shop gives way to one of the shops file with its name or its
// app ID, and comes back when that has left.
func TestOwnShopsWin(t *testing.T) {
	inBubble(t, func(f *fixture) {
		w := f.worker(f.own())
		defer w.stop()
		for _, name := range []string{"a", "b", "c"} {
			if _, err := w.Put(f.Context(), name, f.sent(name), "me"); err != nil {
				t.Fatal(err)
			}
		}
		w.expect(t, 1, "a", "b", "c")
		w.Load(f.own("a", "x", "b"))
		cfg := f.own("a", "x")
		cfg.Shops[1].AppID = "wxc"
		w.Load(cfg)
		w.expect(t, 2, "a", "b", "x")
		idle := w.Idle()
		if len(idle) != 1 || idle[0].Shop.Name != "c" || !strings.Contains(idle[0].Reason, `"x"`) {
			t.Errorf("idle are %+v", idle)
		}
		if got, _ := w.Config("a"); got["app_secret"] != config.HiddenSecret {
			t.Errorf("a is not the file's: %v", got)
		}
		w.Load(f.own())
		w.expect(t, 3, "a", "b", "c")
		if idle := w.Idle(); len(idle) != 0 {
			t.Errorf("idle are %+v", idle)
		}
	})
}
