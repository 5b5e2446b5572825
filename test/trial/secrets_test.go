//go:build kafka

package trial

import (
	"syscall"
	"testing"
	"time"

	"orderwalk/simulator"
	"orderwalk/test/kafkatest"
)

// TestSecretsAppearNowhere provokes every failure that can put a request's URL or
// body, which contain the secrets, into an error, and searches all output: stdout and
// stderr at debug level (as after every trial), the pages, and both topics.
func TestSecretsAppearNowhere(t *testing.T) {
	w := newWorld(t, kafkatest.Start(t), func(w *fixture) simulator.Config { return closedShops(w, 2, 8000) })
	settings := []string{"PAGE_SIZE=10", "RATE_LIMIT=50", "LOOKBACK=0"}
	// A worker whose shops are all done, or wait for the vendor, exits by itself at
	// any time.
	looks := 0
	look := func(p *process) {
		for _, path := range []string{"/metrics", "/", "/readyz", "/livez", "/health"} {
			if !p.glance(path) {
				return
			}
		}
		looks++
	}
	misery := []struct {
		name   string
		faults simulator.Faults
	}{
		{"chaos", simulator.AllFaults()},
		{"reset", simulator.Faults{ResetRate: 1}},
		{"timeout", simulator.Faults{TimeoutRate: 1}},
		{"truncated", simulator.Faults{TruncatedJSONRate: 1}},
		{"html", simulator.Faults{HTML200Rate: 1}},
		{"refused", simulator.Faults{Random40001Rate: 1}},
		{"not on the list", simulator.Faults{Whitelist: 61004}},
		{"unauthorised", simulator.Faults{Unauthorised: true}},
	}
	for _, early := range []bool{true, false} {
		// First the token calls fail, which have the secret in their body; later the
		// list calls, which have the token in their URL.
		for _, m := range misery {
			enough := len(w.secrets)
			w.api.SetFaults(m.faults)
			if !early {
				enough *= 3
				w.api.SetFaults(simulator.Faults{})
			}
			requests, _ := w.progress()
			p := w.run(settings...)
			met := func(n int) bool {
				return w.await(p, 0, func() bool { now, _ := w.progress(); return now >= requests+n }) || !p.running()
			}
			if !met(enough) {
				t.Fatalf("%s: no requests\n%s", m.name, p.tail())
			}
			w.api.SetFaults(m.faults)
			w.await(p, 300*time.Millisecond, func() bool { return false })
			look(p)
			_ = p.cmd.Process.Signal(syscall.SIGTERM) // unless it has ended
			p.exit()
		}
	}
	w.api.SetFaults(simulator.Faults{})
	_, served := w.progress()
	p := w.run("LOOKBACK=0", "RATE_LIMIT=20")
	w.await(p, 0, func() bool { _, now := w.progress(); return now > served })
	look(p)
	if code := p.exit(); code != 0 {
		t.Fatalf("the last life = %d\n%s", code, p.tail())
	}
	if looks == 0 {
		t.Fatal("no process was there when its pages were looked at")
	}
	t.Logf("the pages of %d of %d processes were looked at", looks, len(w.lives))
	if len(w.tokens) < len(w.secrets) {
		t.Fatalf("%d tokens and %d secrets were used", len(w.tokens), len(w.secrets))
	}
	w.eachOnce()
}
