package fleet_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"orderwalk/connector"
	"orderwalk/internal/control"
)

// Every call is answered before the server closes its connection, with the reason, while
// Kafka does not answer what it needs.
func TestCallsEndWhileKafkaDoesNotAnswer(t *testing.T) {
	inBubble(t, func(f *fixture) {
		w := f.worker(false, f.own([2]string{"one", "wx1"}))
		defer w.stop()
		f.until(w, "one", connector.StateLive)
		deaf(f.kafka, kmsg.ListOffsets)
		server := (&control.Server{Fleet: w.Fleet}).Handler()
		for _, c := range []struct{ method, path, says string }{
			{"GET", "/connectors/one/offsets", "no answer from Kafka within 25s"},
			{"DELETE", "/connectors/one/offsets?dry_run=true", "no answer from Kafka within 25s"},
			{"PUT", "/connectors/one/pause", "no answer from Kafka within 25s"},
			{"GET", "/connectors/none/status", "No status found"},
			{"POST", "/connectors/none/tasks/0/restart", "Unknown connector"},
			{"GET", "/shops?latest=true", `"one"`},
		} {
			ctx, cancel := context.WithTimeout(f.Context(), time.Minute)
			r := httptest.NewRequestWithContext(ctx, c.method, c.path, nil)
			r.RemoteAddr, r.Host = "127.0.0.1:1", "127.0.0.1:8083"
			answer, began := httptest.NewRecorder(), time.Now()
			server.ServeHTTP(answer, r)
			cancel()
			if took := time.Since(began); took > 26*time.Second || !strings.Contains(answer.Body.String(), c.says) {
				t.Errorf("%s %s: after %v %d %s, want %s", c.method, c.path, took, answer.Code, answer.Body, c.says)
			}
		}
	})
}

// So is a change that waits for its commit. It keeps no other change waiting.
func TestCallsEndWhileACommitIsNotAnswered(t *testing.T) {
	inBubble(t, func(f *fixture) {
		w := f.worker(false, f.own([2]string{"one", "wx1"}))
		defer w.stop()
		f.until(w, "one", connector.StateLive)
		if answer := w.call("PUT", "/connectors/one/stop", ""); answer.Code != 204 {
			t.Fatal(answer.Body)
		}
		f.until(w, "one", connector.StateStopped)
		deaf(f.kafka, kmsg.EndTxn)
		for _, path := range []string{"PUT /connectors/one/pause", "DELETE /connectors/one/offsets", "PUT /connectors/one/pause"} {
			method, path, _ := strings.Cut(path, " ")
			began := time.Now()
			answer := w.call(method, path, "")
			if took := time.Since(began); took > 26*time.Second || !strings.Contains(answer.Body.String(), "no answer from Kafka within 25s") {
				t.Errorf("%s %s: after %v %d %s", method, path, took, answer.Code, answer.Body)
			}
		}
		time.Sleep(time.Minute) // until the commits have given up
	})
}

// deaf has Kafka leave requests of a kind without an answer.
func deaf(kafka *kfake.Cluster, key kmsg.Key) {
	kafka.ControlKey(int16(key), func(kmsg.Request) (kmsg.Response, error, bool) {
		kafka.KeepControl()
		return nil, errors.New("no answer"), true
	})
}
