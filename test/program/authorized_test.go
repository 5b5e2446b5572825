package program

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"orderwalk/simulator"
)

const (
	excludedShop = "wx00000000000000b1"
	listedShop   = "wx00000000000000a4"
)

// connectors lists what a worker shows as its connectors.
func connectors(t *testing.T, page string) (names []string) {
	t.Helper()
	_, body := get(t, page+"/connectors")
	if err := json.Unmarshal([]byte(body), &names); err != nil {
		t.Fatalf("connectors: %v: %s", err, body)
	}
	return names
}

// tailed returns the orders of a shop's topic.
func tailed(t *testing.T, brokers, topic string) (ids []string) {
	t.Helper()
	_, lines, _ := run(t, []string{"ORDERWALK_KAFKA_BROKERS=" + brokers}, "tail", "--from-beginning", "--json", "--topic", topic)
	for line := range strings.Lines(lines) {
		var r struct{ Key string }
		if json.Unmarshal([]byte(line), &r) == nil {
			ids = append(ids, r.Key)
		}
	}
	return ids
}

// TestEveryAuthorizedShopIsWalked: shops are walked because they have authorised the
// platform: one that had before the start, and others within a moment of their events. They
// go when they withdraw, and go on from their checkpoint when they come back. All workers
// have the same ones, also after a restart.
func TestEveryAuthorizedShopIsWalked(t *testing.T) {
	t.Parallel()
	var vendor *postman
	api := simulator.New(simulator.Config{Seed: 44, Platform: simulator.Platform{AppID: platformID, Secret: "secret-of-the-platform"},
		Shops: []simulator.Shop{{AppID: pushedShop, RefreshToken: "refresh-from-the-start"}, {AppID: laterShop}, {AppID: addedShop},
			{AppID: excludedShop, RefreshToken: "refresh-of-an-excluded-shop"}, {AppID: listedShop, RefreshToken: "refresh-of-a-listed-shop"}},
		OnAuthorization: func(a simulator.Authorization) {
			if err := vendor.Announce(a); err != nil {
				t.Error(err)
			}
		}})
	dir := t.TempDir()
	shops, keys := filepath.Join(dir, "shops.yaml"), filepath.Join(dir, "state.key")
	write := func(path, text string) {
		next := path + ".next"
		if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(next, path); err != nil {
			t.Fatal(err)
		}
	}
	rules := func(limit int) string {
		return fmt.Sprintf("shops:\n- {app_id: %s, name: listed, auth: component}\nexclude: [wx00000000000000b*]\nlimit: %d\n"+
			"overrides:\n- {match: %s, topic: 'pushed.{app_id}'}\n", listedShop, limit, laterShop)
	}
	write(shops, rules(2))
	write(keys, stateKey+"\n")
	worker, page, pushes, brokers := pushed(t, api, "ORDERWALK_SHOPS=authorized", "ORDERWALK_SHOPS_FILE="+shops, "ORDERWALK_STATE_KEY_FILE="+keys,
		"ORDERWALK_COMPONENT_APP_ID="+platformID, "ORDERWALK_COMPONENT_APP_SECRET=secret-of-the-platform")
	second := start(t, worker.cmd.Env, "run")
	pages := []string{page, "http://" + second.logged("orderwalk starts", "listen")}
	address := pushes + "/push/component/" + platformID
	vendor = newPostman(t, simulator.PushConfig{Server: api, Platforms: []simulator.PushPlatform{
		{AppID: platformID, Token: pushToken, AESKey: pushKey, AuthURL: address, EventURL: address + "/$APPID$"}}})
	defer vendor.work(t)()

	live := func(shops ...string) {
		t.Helper()
		for _, shop := range shops {
			eventually(t, shop+" is live", func() bool {
				return slices.ContainsFunc(pages, func(page string) bool {
					return metric(t, page, fmt.Sprintf("orderwalk_backfill_progress_ratio{shop=%q}", shop)) == 1
				})
			})
		}
	}
	shown := func(what string, names ...string) {
		t.Helper()
		for _, page := range pages {
			eventually(t, what, func() bool { return slices.Equal(connectors(t, page), names) })
		}
	}
	live("listed", pushedShop)
	shown("the shops of the list", "listed", pushedShop)
	authorize := func(shop string) {
		t.Helper()
		if _, err := api.Authorize(shop); err != nil {
			t.Fatal(err)
		}
	}
	authorize(laterShop)
	live(laterShop)
	shown("the shop that has authorised", "listed", pushedShop, laterShop)

	// Over HTTP it is shown, and neither changed nor deleted.
	if _, body := get(t, page+"/connectors/"+laterShop+"/config"); !strings.Contains(body, "pushed."+laterShop) || !strings.Contains(body, `"component"`) {
		t.Errorf("its configuration: %s", body)
	}
	for _, c := range []struct{ method, path, body string }{
		{"DELETE", "", ""}, {"PATCH", "/config", `{"rate_limit":"3"}`},
		{"PUT", "/config", `{"connector.class":"orderwalk.WeChatOrderSource","app_id":"` + laterShop + `","auth":"component"}`},
	} {
		r, err := http.NewRequest(c.method, page+"/connectors/"+laterShop+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		if answer.StatusCode != http.StatusConflict || !strings.Contains(string(text), "has authorised the third-party platform") {
			t.Errorf("%s = %d %s", c.method, answer.StatusCode, text)
		}
	}

	// The limit is reached: another is said not to be walked, until one withdraws.
	authorize(addedShop)
	shown("a shop more than the limit", "listed", pushedShop, laterShop, addedShop)
	if _, body := get(t, page+"/connectors/"+addedShop+"/status"); !strings.Contains(body, "limit of 2") || !strings.Contains(body, "FAILED") {
		t.Errorf("the shop beyond the limit: %s", body)
	}
	if n := metric(t, page, `orderwalk_authorized_shops{state="beyond_limit"}`); n != 1 {
		t.Errorf("%v shops are beyond the limit", n)
	}
	if code, found, stderr := run(t, worker.cmd.Env, "check"); code != 0 || !strings.Contains(found, "2 of 3 are walked, excluded: 1") || strings.Count(found, "ok      list call of") != 3 {
		t.Errorf("check = %d\n%s%s", code, found, stderr)
	}
	add := func(id string) {
		t.Helper()
		if err := api.Add(laterShop, simulator.Order{ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	const before, meanwhile, afterwards = "3700000000000000001", "3700000000000000002", "3700000000000000003"
	add(before)
	eventually(t, "its order is published", func() bool { return slices.Contains(tailed(t, brokers, "pushed."+laterShop), before) })
	if err := api.Revoke(laterShop); err != nil {
		t.Fatal(err)
	}
	shown("without the shop that has withdrawn", "listed", pushedShop, addedShop)
	live(addedShop)

	// It comes back, and goes on where it was.
	add(meanwhile)
	write(shops, rules(10))
	authorize(laterShop)
	shown("with the shop that is back", "listed", pushedShop, laterShop, addedShop)
	live(laterShop)
	add(afterwards) // its push makes the worker look
	eventually(t, "the next order", func() bool { return slices.Contains(tailed(t, brokers, "pushed."+laterShop), afterwards) })
	if ids := tailed(t, brokers, "pushed."+laterShop); len(ids) != 3 || !slices.Contains(ids, meanwhile) {
		t.Errorf("its orders: %q", ids)
	}
	if code, told, stderr := run(t, worker.cmd.Env, "plan"); code != 0 || !strings.Contains(told, laterShop) || strings.Contains(told, excludedShop) {
		t.Errorf("plan = %d\n%s%s", code, told, stderr)
	}

	for i, p := range []*process{worker, second} {
		p.searched(pages[i])
		p.signal(syscall.SIGKILL)
		p.end()
	}
	lists := api.Stats().Calls["/cgi-bin/component/api_get_authorizer_list"]["0"]
	again := start(t, worker.cmd.Env, "run")
	pages = []string{"http://" + again.logged("orderwalk starts", "listen")}
	shown("after a restart", "listed", pushedShop, laterShop, addedShop)
	live("listed", pushedShop, laterShop, addedShop)
	if n := api.Stats().Calls["/cgi-bin/component/api_get_authorizer_list"]["0"]; n != lists {
		t.Errorf("the list was read again %d times, a moment after the last time", n-lists)
	}
	again.searched(pages[0])
	again.signal(syscall.SIGTERM)
	if code := again.end(); code != 0 {
		t.Errorf("run = %d\n%s", code, again.stderr.String())
	}
	again.leaks.Hide("a refresh token", "refresh-from-the-start", "refresh-of-a", "refreshtoken@@@")
	if n, err := again.leaks.CheckTopics(t.Context(), t, "", []string{brokers}); n < 10 || err != nil {
		t.Errorf("%d records were searched for secrets: %v", n, err)
	}
}
