package cli

import (
	"maps"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orderwalk/simulator"
)

// checkPlatformWorld is checkWorld with shops of a platform, of which the first is
// configured. A file has the platform's verify ticket.
func checkPlatformWorld(t *testing.T, shops int, faults simulator.Faults) *simulator.Server {
	t.Helper()
	checkWorld(t)
	world := simulator.Config{Seed: 1, Faults: faults}
	for i := range shops {
		world.Shops = append(world.Shops, simulatedShop(i, 10, 1_790_000_000, 1_790_086_400, 0))
	}
	simulatedWay{auth: "component"}.prepare(&world)
	sim := simulator.New(world)
	api := httptest.NewServer(sim)
	t.Cleanup(api.Close)
	dir := t.TempDir()
	for variable, text := range map[string]string{
		"COMPONENT_VERIFY_TICKET_FILE": sim.VerifyTicket(time.Now()), "STATE_KEY_FILE": "aHVzaC1odXNoLWh1c2gtaHVzaC1odXNoLWh1c2gtMTI=",
	} {
		path := filepath.Join(dir, variable)
		writeText(t, path, text)
		t.Setenv("ORDERWALK_"+variable, path)
	}
	t.Setenv("ORDERWALK_API_URL", api.URL)
	t.Setenv("ORDERWALK_AUTH", "component")
	t.Setenv("ORDERWALK_APP_SECRET", "")
	t.Setenv("ORDERWALK_COMPONENT_APP_ID", world.Platform.AppID)
	t.Setenv("ORDERWALK_COMPONENT_APP_SECRET", world.Platform.Secret)
	return sim
}

// What can be told of a platform whose tokens are not stored yet is told without
// a call that would change a refresh token.
func TestCheckOfAPlatform(t *testing.T) {
	const shop, platform = "wxsimulated0000001", "wxsimulatedplatform"
	for name, c := range map[string]struct {
		faults simulator.Faults
		spoil  func(t *testing.T, api *simulator.Server)
		code   int
		want   []string
	}{
		"all is well": {want: []string{
			"ok      platform " + platform + " by the verify ticket of ORDERWALK_COMPONENT_VERIFY_TICKET_FILE; authorised by 1 shop\n",
			"ok      token of " + shop + "  the shop has authorised the platform; run fetches its token\n",
			"ok      list call of " + shop + " not checked: "}},
		"wrong secret": {code: 1, spoil: func(t *testing.T, _ *simulator.Server) { t.Setenv("ORDERWALK_COMPONENT_APP_SECRET", "hush-wrong") },
			want: []string{"failed  platform " + platform + " get component token: errcode 40125", "→ "}},
		"no ticket": {code: 1, spoil: func(t *testing.T, _ *simulator.Server) { t.Setenv("ORDERWALK_COMPONENT_VERIFY_TICKET_FILE", "") },
			want: []string{"failed  platform " + platform + " no verify ticket has arrived\n", "→ start run with ORDERWALK_PUSH_LISTEN", "/push/component/" + platform}},
		"not on the whitelist": {code: 1, faults: simulator.Faults{Whitelist: 61004},
			want: []string{"failed  platform " + platform + " get component token: errcode 61004", "→ "}},
		"taken back": {code: 1, spoil: func(t *testing.T, api *simulator.Server) {
			if err := api.Revoke(shop); err != nil {
				t.Fatal(err)
			}
		}, want: []string{"authorised by 0 shops\n", "failed  token of " + shop + "  the shop has not authorised the platform\n",
			"→ ask its owner to authorise platform " + platform + ", with permission set 131\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			sim := checkPlatformWorld(t, 1, c.faults)
			if c.spoil != nil {
				c.spoil(t, sim)
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
			if n := sim.Stats().Calls["/cgi-bin/component/api_authorizer_token"]; len(n) != 0 {
				t.Errorf("a refresh token was used: %v", n)
			}
		})
	}
}

// Shops that are walked because they have authorised the platform are checked as listed
// ones are, each under its name; or only those that are asked for.
func TestCheckOfAuthorizedShops(t *testing.T) {
	checkPlatformWorld(t, 4, simulator.Faults{})
	file := filepath.Join(t.TempDir(), "shops.yaml")
	writeText(t, file, "shops: authorized\nlimit: 2\nexclude: [wxsimulated0000002]\noverrides: [{match: wxsimulated0000003, name: red, topic: red.orders}]\n")
	t.Setenv("ORDERWALK_APP_ID", "")
	t.Setenv("ORDERWALK_SHOPS_FILE", file)
	for _, c := range []struct {
		asked []string
		shops map[string]int // the number of findings, by name and app ID
		none  bool           // the list is not asked how many are walked
	}{
		{shops: map[string]int{"wxsimulated0000001 wxsimulated0000001": 2, "red wxsimulated0000003": 2}},
		{asked: []string{"--shop", "red"}, shops: map[string]int{"red wxsimulated0000003": 2}, none: true},
		{asked: []string{"--shop", "wxsimulated0000003", "--shop", "wxsimulated0000004", "--shop", "red"},
			shops: map[string]int{"red wxsimulated0000003": 2, "wxsimulated0000004 wxsimulated0000004": 2}, none: true},
	} {
		code, answer := checkAsJSON(t, c.asked...)
		counted, walked := map[string]int{}, ""
		for _, f := range answer.Checks {
			if f.Shop != "" {
				counted[f.Shop+" "+f.AppID]++
			}
			if f.Check == "authorised shops" {
				walked = f.Detail
			}
		}
		if code != 0 || !maps.Equal(counted, c.shops) || (walked != "2 of 3 are walked, excluded: 1") != c.none {
			t.Errorf("%q = %d, %+v", c.asked, code, answer)
		}
	}
	if code, _, stdout := check(t, "--shop", "red"); code != 0 || !strings.Contains(stdout, "group orderwalk, 1 shop\n") || !strings.Contains(stdout, "ok      topic red.orders ") {
		t.Errorf("check = %d\n%s", code, stdout)
	}
	if code, _, stdout := check(t); code != 0 || strings.Count(stdout, "ok      topic red.orders ") != 1 || strings.Count(stdout, "ok      topic ") != 3 {
		t.Errorf("check = %d; the topics of authorised shops are not checked\n%s", code, stdout)
	}
	for _, word := range []string{"wxsimulated0000002", "blue"} {
		if code, _, stdout := check(t, "--shop", word); code != 1 || stdout != "" {
			t.Errorf("%q = %d\n%s", word, code, stdout)
		}
	}
}
