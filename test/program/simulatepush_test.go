package program

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"orderwalk/internal/push"
)

// TestSimulatePushes: run accepts the pushes of simulate with the token and key that
// it prints: a shop's own orders, a platform's shops' orders, and the platform's
// tickets.
func TestSimulatePushes(t *testing.T) {
	for _, auth := range []string{"stable_token", "component"} {
		t.Run(auth, func(t *testing.T) {
			orders, tickets := make(chan string, 1000), make(chan string, 10)
			results := make(chan push.Result, 1000)
			handler := &push.Handler{Count: func(r push.Result) { results <- r },
				Order: func(_ context.Context, o push.Order) error {
					orders <- o.Shop + " " + o.Event
					return nil
				}}
			keys := func(string) ([]push.Key, error) {
				key, err := push.NewKey("simulated-push-token", strings.Repeat("simulated", 4)+"pushkey")
				return []push.Key{key}, err
			}
			if auth == "component" {
				handler.ComponentKeys = keys
				handler.Ticket = func(_ context.Context, ticket push.Ticket) error {
					tickets <- string(ticket.Ticket)
					return nil
				}
			} else {
				handler.ShopKeys = keys
			}
			listener := httptest.NewServer(handler)
			t.Cleanup(listener.Close)
			start(t, nil, "simulate", "--listen", "127.0.0.1:0", "--orders", "0", "--live-rate", "5", "--auth", auth, "--push-url", listener.URL)
			wait := func(what string, from chan string, want string) {
				t.Helper()
				deadline := time.After(time.Minute)
				for {
					select {
					case got := <-from:
						if strings.Contains(got, want) {
							return
						}
					case <-deadline:
						t.Fatalf("no %s in a minute", what)
					}
				}
			}
			wait("order", orders, "wxsimulated0000001 channels_ec_order_new")
			if auth == "component" {
				wait("ticket", tickets, "ticket@@@")
			}
			for len(results) > 0 {
				if r := <-results; r != push.OK && r != push.Ignored && r != push.Repeat {
					t.Errorf("a push was %s", r)
				}
			}
		})
	}
}
