package fleet_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"orderwalk/connector"
	"orderwalk/internal/control"
	"orderwalk/internal/desired"
)

// made starts a worker and creates a shop over HTTP.
func (f *fixture) made(name, appID string) *worker {
	f.Helper()
	w := f.worker(false, f.own())
	if err := w.Create(f.Context(), name, f.sent(name, appID), desired.Running, "me"); err != nil {
		f.Fatal(err)
	}
	f.until(w, name, connector.StateLive)
	return w
}

// A client that hangs up during a call causes no line of an error: nothing is wrong with
// this worker. The line that says who asked for what is written all the same.
func TestAClientThatHangsUpIsNoError(t *testing.T) {
	inBubble(t, func(f *fixture) {
		w := f.made("made", "wx1")
		defer w.stop()
		for _, c := range [][3]string{
			{"PUT", "/connectors/made/pause", ""},
			{"POST", "/connectors/made/restart", ""},
			{"PUT", "/shops/target", `{"target":"PAUSED","all":true}`},
			{"PATCH", "/connectors/made/config", `{"rate_limit":"7"}`},
			{"DELETE", "/connectors/made", ""},
		} {
			ctx, hangUp := context.WithCancel(f.Context())
			hangUp()
			r := httptest.NewRequestWithContext(ctx, c[0], c[1], strings.NewReader(c[2]))
			r.Header.Set("Content-Type", "application/json")
			r.RemoteAddr, r.Host = "127.0.0.1:1", "127.0.0.1:8083"
			var log bytes.Buffer
			answer := httptest.NewRecorder()
			server := &control.Server{Fleet: w.Fleet, Log: slog.New(slog.NewTextHandler(&log, nil))}
			server.Handler().ServeHTTP(answer, r)
			if answer.Code < 400 {
				t.Errorf("%s %s: %d %s", c[0], c[1], answer.Code, answer.Body)
			}
			if said := log.String(); strings.Count(said, "\n") != 1 || !strings.Contains(said, "call that changes state") || !strings.Contains(said, "path="+c[1]) {
				t.Errorf("%s %s: the log says\n%s", c[0], c[1], said)
			}
		}
	})
}

// Clients take a name of dots out of a URL's path, so a shop of that name is not created.
func TestAConnectorIsNotNamedAsAPath(t *testing.T) {
	inBubble(t, func(f *fixture) {
		w := f.worker(false, f.own())
		defer w.stop()
		for _, name := range []string{".", ".."} {
			body, err := json.Marshal(f.sent(name, "wx1"))
			if err != nil {
				t.Fatal(err)
			}
			created := w.call("POST", "/connectors", `{"name":"`+name+`","config":`+string(body)+`}`)
			put := w.call("PUT", "/connectors/"+strings.ReplaceAll(name, ".", "%2E")+"/config", string(body))
			for _, answer := range []*httptest.ResponseRecorder{created, put} {
				if answer.Code != 400 || !strings.Contains(answer.Body.String(), "name") || !strings.Contains(answer.Body.String(), "path of a URL") {
					t.Errorf("%s: %d %s", name, answer.Code, answer.Body)
				}
			}
		}
		if n := w.Names(); len(n) > 0 {
			t.Errorf("there are %v", n)
		}
	})
}

// A shop whose checkpoint is in another lane than the one it belongs in has offsets: the
// answer says where, and not that there are none.
func TestOffsetsInAnotherLaneAreNotNone(t *testing.T) {
	inBubble(t, func(f *fixture) {
		var listed [][2]string
		for i := range 8 {
			listed = append(listed, [2]string{fmt.Sprintf("shop%d", i), fmt.Sprintf("wx%d", i)})
		}
		own := f.own(listed...)
		w := f.worker(false, own)
		f.until(w, "shop7", connector.StateLive)
		time.Sleep(time.Minute)
		w.stop()
		client, err := kgo.NewClient(kgo.SeedBrokers("localhost:9092"), kgo.Dialer(f.network.DialContext))
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		if _, err := kadm.NewClient(client).CreatePartitions(f.Context(), 3, "g.offsets"); err != nil {
			t.Fatal(err)
		}
		w = f.worker(false, own)
		defer w.stop()
		time.Sleep(time.Minute)
		misplaced := 0
		for _, s := range listed {
			shop, err := w.Shop(f.Context(), s[0])
			if err != nil {
				t.Fatal(err)
			}
			answer, moved := w.call("GET", "/connectors/"+s[0]+"/offsets", ""), shop.State == connector.StateFailed
			says := answer.Code == 500 && strings.Contains(answer.Body.String(), "belongs in partition")
			if says != moved || !moved && (answer.Code != 200 || !strings.Contains(answer.Body.String(), "watermark")) {
				t.Errorf("%s is %s (%s): %d %s", s[0], shop.State, shop.Reason, answer.Code, answer.Body)
			}
			if moved {
				misplaced++
			}
		}
		if misplaced == 0 || misplaced == len(listed) {
			t.Errorf("%d of %d shops have moved: the story does not show what it is for", misplaced, len(listed))
		}
	})
}

// A body that is null names no key to change.
func TestAPatchThatIsNullIsRefused(t *testing.T) {
	inBubble(t, func(f *fixture) {
		w := f.made("made", "wx1")
		defer w.stop()
		for body, want := range map[string]int{"null": 400, " null\n": 400, "{}": 200, `{"rate_limit":null}`: 200, `{"rate_limit":7}`: 200} {
			answer := w.call("PATCH", "/connectors/made/config", body)
			if answer.Code != want || want == 400 && !strings.Contains(answer.Body.String(), "null") {
				t.Errorf("%s: %d %s, want %d", body, answer.Code, answer.Body, want)
			}
		}
	})
}
