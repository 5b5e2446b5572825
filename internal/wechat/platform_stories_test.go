package wechat

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"orderwalk/simulator"
)

// memory is the stored state of one shop of a platform.
type memory struct {
	refresh string
	ticket  func() string // returns the latest ticket; "" = none yet
}

// keptShop stores a shop's platform tokens in memory, as a program that uses this
// package does.
type keptShop struct {
	v        *vendor
	platform *Platform
	memory   *memory

	mu          sync.Mutex
	component   ComponentToken
	componentBy time.Time // when it expires
	access      Authorization
	accessBy    time.Time
	// asked counts the calls; forget makes the next answers get lost before they are
	// stored.
	asked, forget int
}

func keep(v *vendor, m *memory) *keptShop {
	if m.ticket == nil {
		m.ticket = func() string { return v.api.VerifyTicket(time.Now()) }
	}
	return &keptShop{v: v, memory: m, platform: &Platform{Host: &Host{URL: "http://127.0.0.1", Transport: v.dial()},
		AppID: "wxplatform", Secret: func() (string, error) { return "platform-secret", nil }}}
}

func (k *keptShop) tokens(ctx context.Context, refused string) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	if k.access.AccessToken != "" && k.access.AccessToken != refused && now.Before(k.accessBy) {
		return k.access.AccessToken, nil
	}
	got, err := k.ask(ctx)
	var v *Error
	if errors.As(err, &v) && v.Code == 61023 {
		// The stored token is old or gone: ask the vendor.
		if err := k.look(ctx); err != nil {
			return "", err
		}
		got, err = k.ask(ctx)
	}
	if errors.As(err, &v) && v.Class == Token {
		k.component = ComponentToken{}
	}
	if err != nil {
		return "", err
	}
	k.access, k.accessBy = got, now.Add(got.Life-renewAhead)
	if k.forget == 0 {
		k.memory.refresh = got.RefreshToken
	} else {
		k.forget--
	}
	return got.AccessToken, nil
}

func (k *keptShop) ask(ctx context.Context) (Authorization, error) {
	if err := k.own(ctx); err != nil {
		return Authorization{}, err
	}
	k.asked++
	return k.platform.AuthorizerToken(ctx, k.component.Value, "wx1", k.memory.refresh)
}

// own fetches the platform's own token unless it has one.
func (k *keptShop) own(ctx context.Context) error {
	if k.component.Value != "" && time.Now().Before(k.componentBy) {
		return nil
	}
	got, err := k.platform.ComponentToken(ctx, k.memory.ticket())
	if err == nil {
		k.component, k.componentBy = got, time.Now().Add(got.Life-renewAhead)
	}
	return err
}

func (k *keptShop) look(ctx context.Context) error {
	all, err := k.platform.Authorizers(ctx, k.component.Value)
	if err != nil {
		return err
	}
	for _, a := range all {
		if a.AppID == "wx1" {
			k.memory.refresh = a.RefreshToken
		}
	}
	return nil
}

func onAPlatform(faults simulator.Faults) simulator.Config {
	world := oneShop(faults)
	world.Platform = simulator.Platform{AppID: "wxplatform", Secret: "platform-secret"}
	return world
}

// A day of authorizer tokens, with every way the vendor may treat refresh tokens,
// across restarts, and with answers lost before they are stored.
func TestDayOnAPlatform(t *testing.T) {
	for _, rotate := range []string{"off", "on", "at_use"} {
		t.Run(rotate, func(t *testing.T) {
			inVendor(t, onAPlatform(simulator.Faults{}), func(t *testing.T, v *vendor) {
				v.set("rotate_refresh_token="+rotate, "random_40001_rate=0.003")
				kept := &memory{refresh: "refresh-0"}
				for hour := range 24 {
					k := keep(v, kept)
					k.forget = hour % 2 // every other process is killed after its first answer
					v.client(Config{Auth: AuthComponent, Tokens: k.tokens}).poll(time.Minute, time.Hour)
					if k.asked > 8 {
						t.Errorf("%d token calls in an hour", k.asked)
					}
				}
				if rotate == "off" {
					equal(t, "refresh token", kept.refresh, "refresh-0")
				} else if v.api.Stats().Calls[authorizerTokenPath]["61023"] == 0 {
					t.Error("no lost refresh token was missed")
				}
			})
		})
	}
}

// What a shop's owner can do, and what an operator can forget.
func TestTroubleOnAPlatform(t *testing.T) {
	inVendor(t, onAPlatform(simulator.Faults{}), func(t *testing.T, v *vendor) {
		kept := &memory{refresh: "refresh-0"}
		k := keep(v, kept)
		b := v.client(Config{Auth: AuthComponent, Tokens: k.tokens})
		b.poll(time.Minute, time.Hour)

		v.set("missing_set_131")
		equal(t, "hint", b.wants(Wait, 61007).Hint, hintSet131)
		v.set()
		if err := v.api.Revoke("wx1"); err != nil {
			t.Fatal(err)
		}
		equal(t, "hint", b.wants(Wait, 61003).Hint, hintAuthorise)
		k.access = Authorization{}
		equal(t, "hint", b.wants(Wait, 61023).Hint, hintAuthorise)

		// The owner authorises again: the code comes by push, once.
		a, err := v.api.Authorize("wx1")
		if err != nil {
			t.Fatal(err)
		}
		got, err := k.platform.QueryAuth(t.Context(), k.component.Value, a.Code)
		if err != nil || got.AppID != "wx1" || got.RefreshToken == "" || len(got.Sets) != 3 || got.Life != 2*time.Hour {
			t.Fatalf("%+v, %v", got, err)
		}
		kept.refresh = got.RefreshToken
		b.poll(time.Minute, 3*time.Hour)
		_, err = k.platform.QueryAuth(t.Context(), k.component.Value, a.Code)
		var used *Error
		if !errors.As(err, &used) || used.Code != 61010 || used.Class != Wait {
			t.Error(err)
		}

		// No ticket for longer than its lifetime, and then none at all.
		old := v.api.VerifyTicket(time.Now())
		kept.ticket = func() string { return old }
		b.poll(5*time.Minute, 11*time.Hour)
		time.Sleep(4 * time.Hour)
		equal(t, "hint", b.wants(Wait, 61005).Hint, hintTicket)
		kept.ticket = func() string { return "" }
		equal(t, "hint", b.wants(Wait, 61006).Hint, hintTicket)
		v.set("push_no_tickets")
		if err := k.platform.StartTicketPush(t.Context()); err != nil || v.api.Faults().PushNoTickets {
			t.Errorf("tickets are not pushed again: %v", err)
		}
		kept.ticket = func() string { return v.api.VerifyTicket(time.Now()) }
		b.poll(time.Minute, time.Hour)

		// Failures of the platform's own calls.
		v.set("platform_error=61011")
		k.access = Authorization{}
		equal(t, "hint", b.wants(Stop, 61011).Hint, hintPlatformID)
		v.set()
		b.poll(time.Minute, time.Hour)
		if quota, err := b.Quota(t.Context()); err != nil || quota.Used == 0 {
			t.Errorf("quota %+v, %v", quota, err)
		}
	})
}
