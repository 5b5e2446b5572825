package cli

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orderwalk/simulator"
)

// What can be told of a platform whose tokens nobody keeps yet is told without
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
			checkWorld(t)
			world := simulator.Config{Seed: 1, Faults: c.faults, Shops: []simulator.Shop{simulatedShop(0, 10, 1_790_000_000, 1_790_086_400, 0)}}
			simulatedWay{auth: "component"}.prepare(&world)
			sim := simulator.New(world)
			api := httptest.NewServer(sim)
			t.Cleanup(api.Close)
			dir := t.TempDir()
			for variable, text := range map[string]string{
				"COMPONENT_VERIFY_TICKET_FILE": sim.VerifyTicket(time.Now()), "STATE_KEY_FILE": "aHVzaC1odXNoLWh1c2gtaHVzaC1odXNoLWh1c2gtMTI=",
			} {
				path := filepath.Join(dir, variable)
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				t.Setenv("ORDERWALK_"+variable, path)
			}
			t.Setenv("ORDERWALK_API_URL", api.URL)
			t.Setenv("ORDERWALK_AUTH", "component")
			t.Setenv("ORDERWALK_APP_SECRET", "")
			t.Setenv("ORDERWALK_COMPONENT_APP_ID", world.Platform.AppID)
			t.Setenv("ORDERWALK_COMPONENT_APP_SECRET", world.Platform.Secret)
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
