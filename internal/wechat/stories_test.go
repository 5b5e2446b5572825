package wechat

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"orderwalk/simulator"
)

const week = 7 * 24 * time.Hour

// Two orderwalk processes on /cgi-bin/token end each other's tokens all week. Neither
// stops, and the day's tokens suffice.
func TestWeekOfPlainTokensAgainstEachOther(t *testing.T) {
	inVendor(t, oneShop(simulator.Faults{}), func(t *testing.T, v *vendor) {
		var both sync.WaitGroup
		buyers := []*buyer{v.client(Config{Auth: AuthToken}), v.client(Config{Auth: AuthToken})}
		for i, b := range buyers {
			both.Go(func() {
				time.Sleep(time.Duration(i) * 17 * time.Second)
				b.poll(2*time.Minute, week)
			})
		}
		both.Wait()
		if n := v.api.Stats().Shops["wx1"].TokenRefreshes; n < 7*12 || n > 7*400 {
			t.Errorf("%d tokens in a week", n)
		}
		for _, b := range buyers {
			if b.longest > 10*time.Second || b.listed < 5000 {
				t.Errorf("%d calls, the longest took %v", b.listed, b.longest)
			}
			equal(t, "warnings that others' tokens die", b.log.Count("auth is token"), 1)
			equal(t, "warnings of another system", b.log.Count("end early"), 1)
		}
	})
}

// Another system fetches a token every minute. Ours fetches one in ten minutes at
// most, and still works one hour in three.
func TestDayOfPlainTokensAgainstARudeSystem(t *testing.T) {
	inVendor(t, oneShop(simulator.Faults{}), func(t *testing.T, v *vendor) {
		rude, done := v.client(Config{Auth: AuthStatic, Token: func() (string, error) { return "x", nil }}), make(chan struct{})
		go func() {
			defer close(done)
			for range 24 * 60 {
				if _, err := rude.host.send(t.Context(), outgoing{path: plainTokenPath, query: "grant_type=client_credential&appid=wx1&secret=s3cret-of-wx1"}); err != nil {
					t.Error(err)
				}
				time.Sleep(time.Minute)
			}
		}()
		b := v.client(Config{Auth: AuthToken})
		b.poll(10*time.Second, 24*time.Hour)
		<-done
		if n := v.api.Stats().Shops["wx1"].TokenRefreshes - 24*60; n < 20 || n > 150 {
			t.Errorf("%d tokens of ours in a day", n)
		}
		if b.listed < 24*360/3 || b.longest > 11*time.Minute {
			t.Errorf("%d calls, the longest took %v", b.listed, b.longest)
		}
		equal(t, "warnings of another system", b.log.Count("end early"), 1)
	})
}

// In stable_token's normal mode no system ends another's token.
func TestWeekOfStableTokensSideBySide(t *testing.T) {
	inVendor(t, oneShop(simulator.Faults{}), func(t *testing.T, v *vendor) {
		var both sync.WaitGroup
		for range 3 {
			b := v.client(Config{})
			both.Go(func() {
				b.poll(5*time.Minute, week)
				if b.longest > time.Second || b.log.Count("WARN") > 0 {
					t.Errorf("the longest call took %v\n%s", b.longest, b.log.String())
				}
			})
		}
		both.Wait()
		if n := v.api.Stats().Shops["wx1"].TokenRefreshes; n > 7*13 {
			t.Errorf("%d tokens in a week", n)
		}
		equal(t, "refused calls", v.api.Stats().Calls[listPath]["40001"], 0)
	})
}

// The hosting's file, behind a link that is swapped as Kubernetes does, is read before
// each call for a day. Then the hosting stops writing it, and later resumes.
func TestDayOfACloudFile(t *testing.T) {
	dir := t.TempDir()
	inVendor(t, oneShop(simulator.Faults{}), func(t *testing.T, v *vendor) {
		n := 0
		swap := func() {
			t.Helper()
			text, err := v.api.CloudToken()
			if err != nil {
				t.Fatal(err)
			}
			n++
			folder := fmt.Sprintf("..%d", n)
			if err := errors.Join(os.Mkdir(filepath.Join(dir, folder), 0o755),
				os.WriteFile(filepath.Join(dir, folder, "token"), []byte(text), 0o600),
				os.Symlink(folder, filepath.Join(dir, "next")),
				os.Rename(filepath.Join(dir, "next"), filepath.Join(dir, "now"))); err != nil {
				t.Fatal(err)
			}
		}
		b := v.client(Config{Auth: AuthCloudFile, Token: func() (string, error) {
			text, err := os.ReadFile(filepath.Join(dir, "now", "token"))
			return string(text), err
		}})
		if got := b.wants(Wait, 0); !strings.Contains(got.Message, "no such file") {
			t.Error(got)
		}
		for range 24 * 6 {
			swap()
			b.poll(30*time.Second, 10*time.Minute)
		}
		equal(t, "refused calls", v.api.Stats().Calls[listPath]["42001"], 0)
		equal(t, "calls", b.listed, 24*120)
		b.poll(30*time.Second, 20*time.Minute) // the last one lives for thirty minutes
		equal(t, "hint", b.wants(Wait, 42001).Hint, hintCloudDead)
		began, waited := time.Now(), make(chan error)
		given := b.Given()
		go func() {
			_, err := b.Await(t.Context(), 10*time.Minute, given)
			waited <- err
		}()
		time.Sleep(90 * time.Second)
		swap()
		if err := <-waited; err != nil || time.Since(began) > 90*time.Second+pollEvery {
			t.Errorf("waited %v, %v", time.Since(began), err)
		}
		b.poll(30*time.Second, 10*time.Minute)
		v.set("cloud_unlisted")
		equal(t, "hint", b.wants(Wait, 48001).Hint, hintCloudPath)
		if _, err := b.Quota(t.Context()); !errors.Is(err, ErrNoQuota) {
			t.Error(err)
		}
		equal(t, "tokens asked for", len(v.api.Stats().Calls[stableTokenPath])+len(v.api.Stats().Calls[plainTokenPath]), 0)
	})
}

// The hosting's relay starts later than we do. The API URL is the default one, whose
// https would fail here.
func TestRelayThatComesUpLate(t *testing.T) {
	world := oneShop(simulator.Faults{WayFaults: simulator.WayFaults{RelayDelay: 5 * time.Minute}})
	world.Cloud.Open = true
	inVendor(t, world, func(t *testing.T, v *vendor) {
		b := v.client(Config{Auth: AuthCloudOpen, Host: &Host{}})
		began := time.Now()
		if err := b.list(); err != nil || time.Since(began) < 5*time.Minute || time.Since(began) > 6*time.Minute {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		equal(t, "warnings", b.log.Count("call failed; retrying"), 1)
		b.poll(time.Minute, time.Hour)
		equal(t, "warnings of who answers", b.log.Count("x-openapi-seqid"), 0)
		v.set("seqid_absent")
		b.poll(time.Minute, time.Hour)
		equal(t, "warnings of who answers", b.log.Count("x-openapi-seqid"), 1)
		v.set("cloud_unlisted")
		equal(t, "hint", b.wants(Wait, 48001).Hint, hintCloudPath)
		equal(t, "other calls", len(v.api.Stats().Calls), 1)
	})
}

// If no call can get through, the error says what to do, for every auth.
func TestWhitelistInEveryWay(t *testing.T) {
	world := onAPlatform(simulator.Faults{})
	world.Cloud.Open = true
	inVendor(t, world, func(t *testing.T, v *vendor) {
		cloud, err := v.api.CloudToken()
		if err != nil {
			t.Fatal(err)
		}
		shop := keep(v, &memory{refresh: "refresh-0"})
		for name, b := range map[string]*buyer{
			AuthStableToken: v.client(Config{}),
			AuthToken:       v.client(Config{Auth: AuthToken}),
			AuthCloudFile:   v.client(Config{Auth: AuthCloudFile, Token: func() (string, error) { return cloud, nil }}),
			AuthCloudOpen:   v.client(Config{Auth: AuthCloudOpen}),
			AuthComponent:   v.client(Config{Auth: AuthComponent, Tokens: shop.tokens}),
		} {
			v.set("http_403")
			b.wants(Wait, 0)
			codes := []int{45035, 61004}
			if _, asked := b.tokens.(*fetchedTokens); asked {
				codes = append(codes, 40164)
				v.set("whitelist=40164")
				b.wants(Wait, 40164)
			}
			v.set()
			if err := b.list(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			for _, code := range codes[:2] {
				v.set(fmt.Sprintf("whitelist=%d", code))
				b.wants(Wait, code)
			}
			v.set()
		}
	})
}

// The rate halves when the minute is used up, and recovers.
func TestRateHalvesAndRecovers(t *testing.T) {
	inVendor(t, oneShop(simulator.Faults{PerMinuteLimit: 300}), func(t *testing.T, v *vendor) {
		b := v.client(Config{RateLimit: 20})
		b.poll(0, 10*time.Minute)
		if n := v.api.Stats().Calls[listPath]["45011"]; n < 2 || n > 20 {
			t.Errorf("%d calls were refused", n)
		}
		// 300 a minute are 5 a second, of the 20 allowed.
		if b.listed < 10*300*7/10 || b.listed > 11*300 {
			t.Errorf("%d calls in ten minutes", b.listed)
		}
		v.set()
		b.poll(time.Second, 15*time.Minute)
		before := b.listed
		b.poll(0, time.Minute)
		if n := b.listed - before; n < 1150 || n > 1250 {
			t.Errorf("%d calls a minute after it has recovered, want 20 a second", n)
		}
	})
}

// The daily quota is used up, and resets at midnight in Shanghai.
func TestQuotaOfADay(t *testing.T) {
	inVendor(t, oneShop(simulator.Faults{PerDayLimit: 500}), func(t *testing.T, v *vendor) {
		b := v.client(Config{})
		quota := func(want Allowance) {
			t.Helper()
			got, err := b.Quota(t.Context())
			if want.At = got.At; err != nil || got != want {
				t.Errorf("quota %+v, %v, want %+v", got, err, want)
			}
		}
		quota(Allowance{Limit: 500, Remain: 500})
		midnight := time.Now().Add(untilMidnight(time.Now()))
		for range 500 {
			if err := b.list(); err != nil {
				t.Fatal(err)
			}
		}
		quota(Allowance{Limit: 500, Used: 500})
		told := make(chan struct{})
		go func() {
			defer close(told)
			time.Sleep(time.Minute)
			state, _, why := b.State()
			equal(t, "state", state, StateQuotaExhausted)
			if why == nil || !strings.Contains(why.Error(), "until 2000-01-02 00:00 Asia/Shanghai") {
				t.Errorf("why: %v", why)
			}
		}()
		if err := b.list(); err != nil || time.Now().Before(midnight) || time.Now().After(midnight.Add(time.Minute)) {
			t.Errorf("at %v: %v", time.Now(), err)
		}
		<-told
		quota(Allowance{Limit: 500, Used: 1, Remain: 499})
		v.set("per_minute_limit=60")
		if got, err := b.Quota(t.Context()); err != nil || got.Rate != (Rate{60, time.Minute}) || got.PlatformRate != (Rate{}) {
			t.Errorf("quota %+v, %v", got, err)
		}
		v.set("http_403")
		if _, err := b.Quota(t.Context()); Result(err) != fmt.Sprint("http_", http.StatusForbidden) {
			t.Error(err)
		}
	})
}
