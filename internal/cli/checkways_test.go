package cli

import (
	"context"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"orderwalk/internal/wechat"
	"orderwalk/simulator"
)

// checkWay is checkWorld in one way of calling.
func checkWay(t *testing.T, auth string, faults simulator.Faults) {
	t.Helper()
	checkWorld(t)
	way := simulatedWay{auth: auth}
	world := simulator.Config{Seed: 1, Faults: faults, Shops: []simulator.Shop{simulatedShop(0, 10, 1_790_000_000, 1_790_086_400, 0)}}
	way.prepare(&world)
	sim := simulator.New(world)
	api := httptest.NewServer(sim)
	t.Cleanup(api.Close)
	t.Setenv("ORDERWALK_API_URL", api.URL)
	t.Setenv("ORDERWALK_AUTH", auth)
	t.Setenv("ORDERWALK_APP_SECRET", "")
	if name, value := way.credential(world.Shops[0]); name != "" {
		t.Setenv("ORDERWALK_"+strings.ToUpper(name), value)
	}
	if auth == "cloud_file" {
		token, err := sim.CloudToken()
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(path, []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv("ORDERWALK_CLOUD_TOKEN_FILE", path)
	}
}

func TestCheckInEveryWay(t *testing.T) {
	const calls = "list call of wxsimulated0000001"
	for name, c := range map[string]struct {
		auth   string
		faults simulator.Faults
		spoil  func(t *testing.T)
		code   int
		want   []string // lines, or parts of them
	}{
		"stable_token": {auth: "stable_token", want: []string{
			"token of wxsimulated0000001  by stable_token\n", "ok      " + calls + "\n", "left today\n"}},
		"token":  {auth: "token", want: []string{"token of wxsimulated0000001  by token\n", "→ auth is token: each new token ends the previous one"}},
		"static": {auth: "static", want: []string{"token of wxsimulated0000001  as configured\n", "left today\n"}},
		"cloud_file": {auth: "cloud_file", want: []string{
			"token of wxsimulated0000001  from /", "ok      " + calls + "\n", "quota of wxsimulated0000001  unknown: the vendor does not report it for cloud calls\n"}},
		"cloud_open": {auth: "cloud_open", want: []string{
			"token of wxsimulated0000001  none: the hosting's relay adds it\n", "ok      " + calls + "\n", "unknown: the vendor does not report it"}},
		"no token file": {auth: "cloud_file", spoil: func(t *testing.T) { t.Setenv("ORDERWALK_CLOUD_TOKEN_FILE", "/nowhere") }, code: 1,
			want: []string{"failed  token of wxsimulated0000001  get access token: read secret: \"/nowhere\": no such file", "→ enable cloud tokens"}},
		"not on the hosting's list": {auth: "cloud_file", faults: simulator.Faults{WayFaults: simulator.WayFaults{CloudUnlisted: true}}, code: 1,
			want: []string{"failed  " + calls + " list orders: errcode 48001", "→ add /channels/ec/order/list/get to the hosting's"}},
		"answered by somebody else": {auth: "cloud_open", faults: simulator.Faults{WayFaults: simulator.WayFaults{SeqidAbsent: true}},
			want: []string{"ok      " + calls + "\n", "→ the answer has no x-openapi-seqid"}},
		"API elsewhere": {auth: "cloud_open", spoil: func(t *testing.T) { t.Setenv("ORDERWALK_API_URL", "http://gateway.example") }, code: 2,
			want: []string{"failed  configuration", "→ ORDERWALK_API_URL: \"http://gateway.example\" is not where ORDERWALK_AUTH cloud_open may call"}},
		"day used up": {auth: "stable_token", faults: simulator.Faults{PerDayLimit: 1},
			code: 1, want: []string{"failed  quota of wxsimulated0000001  0 of 1 list calls left today\n", "→ the quota resets at 00:00 Asia/Shanghai"}},
		"whitelist": {auth: "token", faults: simulator.Faults{Whitelist: 40164}, code: 1,
			want: []string{"failed  token of wxsimulated0000001", "→ add this machine's outgoing IP address to the shop's whitelist"}},
	} {
		t.Run(name, func(t *testing.T) {
			checkWay(t, c.auth, c.faults)
			if c.spoil != nil {
				c.spoil(t)
			}
			code, _, stdout := check(t)
			if code != c.code {
				t.Errorf("check = %d", code)
			}
			for _, want := range c.want {
				if !strings.Contains(stdout, want) {
					t.Errorf("nothing of %q in\n%s", want, stdout)
				}
			}
		})
	}
}

// A call that was waited out in vain says what it waited for.
func TestFindingOfACallThatWaited(t *testing.T) {
	last := &wechat.Error{Op: wechat.ListOp, Code: 41001, Message: "access_token missing", Hint: "deploy again"}
	err := &wechat.Interrupted{Op: wechat.ListOp, Err: context.DeadlineExceeded, Last: last}
	f := apiFinding("list call", err, "http://api.test")
	if f.OK || f.Detail != "no success within 20s: list orders: errcode 41001 access_token missing" || len(f.Do) != 1 || f.Do[0] != "deploy again" {
		t.Errorf("%+v", f)
	}
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "last failure: list orders: errcode 41001") {
		t.Error(err)
	}
	f = apiFinding("list call", &wechat.Interrupted{Op: wechat.ListOp, Err: context.DeadlineExceeded}, "http://api.test")
	if f.Detail != "no answer within 20s: list orders" || len(f.Do) != 1 || !strings.HasPrefix(f.Do[0], "no server answers there: check ORDERWALK_API_URL, http://api.test,") {
		t.Errorf("%+v", f)
	}
}
