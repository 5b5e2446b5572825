package fleet_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"orderwalk/connector"
	"orderwalk/internal/desired"
	"orderwalk/internal/fleet"
)

// A created shop that is stopped, and gives way to one of the shops file with its app ID,
// does not let anybody alter the offsets of that one while it is walked.
func TestNoOffsetsAreAlteredOfAShopThatIsWalked(t *testing.T) {
	inBubble(t, func(f *fixture) {
		w := f.worker(false, f.own())
		defer w.stop()
		if err := w.Create(f.Context(), "made", f.sent("made", "wx1"), desired.Stopped, "me"); err != nil {
			t.Fatal(err)
		}
		w.roster.Load(f.own([2]string{"listed", "wx1"}))
		if err := w.Update(f.Context()); err != nil {
			t.Fatal(err)
		}
		f.until(w, "listed", connector.StateLive)
		time.Sleep(time.Minute)
		before, err := w.Offsets(f.Context(), "listed")
		if err != nil || len(before) == 0 {
			t.Fatal(before, err)
		}
		_, err = w.Alter(f.Context(), "made", nil, false)
		after, _ := w.Offsets(f.Context(), "listed")
		if stopped := (*fleet.NotStoppedError)(nil); !errors.As(err, &stopped) || len(after) == 0 {
			t.Errorf("the offsets of a shop that is walked were reset: %v\n%v\n%v", err, before, after)
		}
	})
}

// The offsets that are reset are those of the shop as it was configured last.
func TestOffsetsAreThoseOfTheLatestConfiguration(t *testing.T) {
	inBubble(t, func(f *fixture) {
		w := f.worker(false, f.own())
		defer w.stop()
		if err := w.Create(f.Context(), "made", f.sent("made", "wx1"), desired.Running, "me"); err != nil {
			t.Fatal(err)
		}
		f.until(w, "made", connector.StateLive)
		time.Sleep(time.Minute)
		w.refuse(errors.New("Kafka is slow"))
		if _, err := w.Configure(f.Context(), "made", f.sent("made", "wx2"), "me"); err != nil {
			t.Fatal(err)
		}
		if err := w.Steer(f.Context(), desired.Stopped, "me", "made"); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Alter(f.Context(), "made", nil, false); err != nil {
			t.Log(err)
		}
		w.refuse(nil)
		if _, err := w.Configure(f.Context(), "made", f.sent("made", "wx1"), "me"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if got, err := w.Offsets(f.Context(), "made"); len(got) == 0 {
			t.Errorf("the reset of wx2 has reset wx1: %v, %v", got, err)
		}
	})
}

// A change of all shops, or of all ranges of an app ID, concerns those that other workers have
// created, too.
func TestAllAreAllThatAreCreated(t *testing.T) {
	inBubble(t, func(f *fixture) {
		one, other := f.worker(false, f.own()), f.worker(true, f.own())
		defer one.stop()
		defer other.stop()
		if err := one.Create(f.Context(), "created", f.sent("created", "wx1"), desired.Running, "me"); err != nil {
			t.Fatal(err)
		}
		if err := other.Update(f.Context()); err != nil || other.CatchUp(f.Context()) != nil || other.Update(f.Context()) != nil {
			t.Fatal(err)
		}
		if err := one.Create(f.Context(), "updated", f.sent("updated", "wx1", "time_range", "update_time"), desired.Running, "me"); err != nil {
			t.Fatal(err)
		}
		if err := other.Steer(f.Context(), desired.Paused, "me", "wx1"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second) // one follows
		if err := one.Create(f.Context(), "third", f.sent("third", "wx2"), desired.Running, "me"); err != nil {
			t.Fatal(err)
		}
		before := one.store.Of("updated").Target
		w := other.call(http.MethodPut, "/shops/target", `{"target":"STOPPED","all":true}`)
		time.Sleep(5 * time.Second)
		if before != desired.Paused {
			t.Errorf("all of wx1 were paused, and updated was %s", before)
		}
		for _, name := range []string{"created", "updated", "third"} {
			if got := one.store.Of(name).Target; w.Code != 202 || got != desired.Stopped {
				t.Errorf("all were stopped (%d %s), and %s is %s", w.Code, strings.TrimSpace(w.Body.String()), name, got)
			}
		}
	})
}

// Shops that are still walked because a new shops file cannot be applied yet can be paused.
func TestWhatIsWalkedCanBePaused(t *testing.T) {
	inBubble(t, func(f *fixture) {
		w := f.worker(false, f.own([2]string{"a", "wx1"}, [2]string{"b", "wx2"}))
		defer w.stop()
		f.until(w, "a", connector.StateLive)
		w.refuse(errors.New("a topic cannot be created"))
		w.roster.Load(f.own([2]string{"b", "wx2"}, [2]string{"c", "wx3"}))
		if err := w.Update(f.Context()); err == nil {
			t.Fatal("it is not refused")
		}
		for _, name := range w.Names() {
			if w.Config(name) == nil {
				t.Errorf("%s is listed and has no configuration", name)
			}
		}
		if err := w.Steer(f.Context(), desired.Paused, "me", "a"); err != nil {
			t.Errorf("pause of a: %v", err)
		}
		if err := w.Steer(f.Context(), desired.Paused, "me", w.Names()...); err != nil {
			t.Errorf("pause of all: %v", err)
		}
	})
}

// While a list of shops is taken over no shop is listed twice.
func TestNoShopIsListedTwice(t *testing.T) {
	inBubble(t, func(f *fixture) {
		w := f.worker(false, f.own())
		defer w.stop()
		w.onApplied(func() {
			if got := names(w); got != "made" {
				t.Errorf("listed are %q", got)
			}
			if _, err := w.Known(f.Context(), "wx1"); err != nil {
				t.Error(err)
			}
		})
		if err := w.Create(f.Context(), "made", f.sent("made", "wx1"), desired.Running, "me"); err != nil {
			t.Fatal(err)
		}
		f.until(w, "made", connector.StateLive)
	})
}

// The task of a shop that another worker has resumed can be restarted.
func TestATaskIsRestartedByTheLatestState(t *testing.T) {
	inBubble(t, func(f *fixture) {
		one, other := f.worker(false, f.own()), f.worker(true, f.own())
		defer one.stop()
		defer other.stop()
		if err := one.Create(f.Context(), "made", f.sent("made", "wx1"), desired.Stopped, "me"); err != nil {
			t.Fatal(err)
		}
		if err := other.CatchUp(f.Context()); err != nil {
			t.Fatal(err)
		}
		if err := one.Steer(f.Context(), desired.Running, "me", "made"); err != nil {
			t.Fatal(err)
		}
		if w := other.call(http.MethodPost, "/connectors/made/tasks/0/restart", ""); w.Code != 204 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}

// A created shop that this worker's own settings do not let it walk has the offsets of its
// source partition.
func TestOffsetsOfAShopThatCannotBeWalked(t *testing.T) {
	inBubble(t, func(f *fixture) {
		w := f.worker(false, f.own())
		defer w.stop()
		if err := w.Create(f.Context(), "made", f.sent("made", "wx1"), desired.Running, "me"); err != nil {
			t.Fatal(err)
		}
		f.until(w, "made", connector.StateLive)
		time.Sleep(time.Minute)
		if err := w.Steer(f.Context(), desired.Stopped, "me", "made"); err != nil {
			t.Fatal(err)
		}
		w.stop()
		t.Setenv("ORDERWALK_OFFSETS_TOPIC", "orders")
		w = f.worker(false, f.own())
		defer w.stop()
		if got, err := w.Offsets(f.Context(), "made"); err != nil || len(got) != 1 {
			t.Errorf("the offsets are %v, %v", got, err)
		}
		if _, err := w.Alter(f.Context(), "made", nil, false); err != nil {
			t.Fatal(err)
		}
		t.Setenv("ORDERWALK_OFFSETS_TOPIC", "g.offsets")
		other := f.worker(false, f.own())
		defer other.stop()
		if got, err := other.Offsets(f.Context(), "made"); err != nil || len(got) != 0 {
			t.Errorf("after a reset that was done the offsets are %v, %v", got, err)
		}
	})
}

// A name that is not text is refused: its record would be read by no worker.
func TestANameIsText(t *testing.T) {
	inBubble(t, func(f *fixture) {
		w := f.worker(false, f.own())
		defer w.stop()
		put := w.call(http.MethodPut, "/connectors/%FF/config", `{"connector.class":"orderwalk.WeChatOrderSource","app_id":"wx1","kafka.topic":"o","app_secret":"${file:`+f.secrets+`/1}"}`)
		if put.Code != 400 || len(w.Names()) != 0 {
			t.Errorf("%d %s, and the shops are %q", put.Code, put.Body, w.Names())
		}
	})
}

// A shop that is deleted while other workers are asked is left out: clients want a
// configuration that is an object.
func TestADeletedShopIsLeftOut(t *testing.T) {
	inBubble(t, func(f *fixture) {
		w := f.worker(false, f.own())
		defer w.stop()
		for i := range 9 {
			name := fmt.Sprint("made-", i)
			if err := w.Create(f.Context(), name, f.sent(name, fmt.Sprint("wx", i)), desired.Running, "me"); err != nil {
				t.Fatal(err)
			}
		}
		other := f.worker(false, f.own())
		defer other.stop()
		asked := false
		w.asks = func() {
			asked = true
			for i := range 9 {
				if err := other.Delete(f.Context(), fmt.Sprint("made-", i), "me"); err != nil {
					t.Error(err)
				}
			}
			time.Sleep(time.Second)
		}
		r := w.call(http.MethodGet, "/connectors?expand=info", "")
		if !asked || strings.Contains(r.Body.String(), `"config":null`) {
			t.Errorf("%.200s", r.Body)
		}
	})
}

// What a command reads before it changes something is the latest state.
func TestShopsAreListedByTheLatestState(t *testing.T) {
	inBubble(t, func(f *fixture) {
		one, other := f.worker(false, f.own()), f.worker(true, f.own())
		defer one.stop()
		defer other.stop()
		if err := one.Create(f.Context(), "made", f.sent("made", "wx1"), desired.Stopped, "me"); err != nil {
			t.Fatal(err)
		}
		w := other.call(http.MethodGet, "/shops?latest=true", "")
		if body := w.Body.String(); !strings.Contains(body, `"name":"made"`) || !strings.Contains(body, `"target":"STOPPED"`) {
			t.Errorf("%d %s", w.Code, body)
		}
	})
}
