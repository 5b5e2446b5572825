package config_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"orderwalk/internal/config"
)

func TestMerge(t *testing.T) {
	shop := func(name, appID, timeRange string) config.Shop {
		return config.Shop{Name: name, AppID: appID, TimeRange: timeRange, Auth: "stable_token", RateLimit: 50}
	}
	slow, open, openToo, static := shop("slow", "wx1", "update_time"), shop("o1", "wx8", "create_time"), shop("o2", "wx9", "create_time"), shop("static", "wx2", "update_time")
	slow.RateLimit, open.Auth, openToo.Auth, static.Auth = 1, "cloud_open", "cloud_open", "static"
	file := []config.Shop{shop("east", "wx1", "create_time"), shop("wx2", "wx2", "create_time")}
	created := []config.Shop{
		shop("zoo", "wx3", "create_time"), shop("east", "wx4", "create_time"), shop("again", "wx1", "create_time"), shop("both", "wx1", "update_time"),
		shop("zebra", "wx3", "create_time"), slow, static, openToo, open,
	}
	all, shadowed := config.Merge(file, created)
	var names []string
	for _, s := range all {
		names = append(names, s.Name)
	}
	if got := strings.Join(names, " "); got != "east wx2 both o1 zebra" {
		t.Errorf("walked: %s", got)
	}
	want := []config.Shadowed{
		{"again", "east", `app_id "wx1" is walked by create_time in shop "east" already; list each app ID once for each time_range`},
		{"east", "east", `name "east" is already the name of shop "east"; give each shop a unique name`},
		{"o2", "o1", `auth is cloud_open, as that of shop "o1", which has another app ID; the hosting calls for one app ID: walk each shop from its own`},
		{"slow", "both", `app_id "wx1" is walked by update_time in shop "both" already; list each app ID once for each time_range`},
		{"static", "wx2", `auth is static, and that of shop "wx2", which has the same app ID, is stable_token; give both the same: an app ID has one token`},
		{"zoo", "zebra", `app_id "wx3" is walked by create_time in shop "zebra" already; list each app ID once for each time_range`},
	}
	for i := range want {
		want[i].Reason = strings.Replace(strings.Replace(want[i].Reason, `app_id "`, `app_id: "`, 1), `name "east"`, `name: "east"`, 1)
	}
	if !slices.Equal(shadowed, want) {
		t.Errorf("shadowed:\n%q\nwant\n%q", shadowed, want)
	}
	if file[0].Name != "east" || created[0].Name != "zoo" {
		t.Error("the lists are changed")
	}
}

// Whatever the shops are: those of the file stay, each created one is either walked or
// shadowed, no two that are walked have the same name or source, and the order of the
// created ones makes no difference.
func TestMergeOfAnyShops(t *testing.T) {
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 1))
		draw := func(n, names int) (shops []config.Shop) {
			for i := range n {
				shops = append(shops, config.Shop{Name: fmt.Sprint("n", i, "-", random.IntN(names)), AppID: fmt.Sprint("wx", random.IntN(8)),
					TimeRange: []string{"create_time", "update_time"}[random.IntN(2)], Auth: config.Ways()[random.IntN(6)],
					CloudTokenFile: fmt.Sprint("/", random.IntN(2)), RateLimit: float64(1 + random.IntN(2))})
			}
			return shops
		}
		file, _ := config.Merge(nil, draw(4, 3)) // fits together, as the checks of the file ensure
		created := draw(12, 2)
		all, shadowed := config.Merge(file, created)
		if len(all)+len(shadowed) != len(file)+len(created) {
			t.Fatalf("seed %d: %d and %d of %d shops", seed, len(all), len(shadowed), len(file)+len(created))
		}
		seen := map[string]bool{}
		for i, s := range all {
			if i < len(file) && s.Name != file[i].Name {
				t.Errorf("seed %d: shop %s of the file is missing", seed, file[i].Name)
			}
			for _, key := range []string{"name " + s.Name, "source " + s.AppID + s.TimeRange} {
				if seen[key] {
					t.Errorf("seed %d: %s is walked twice", seed, key)
				}
				seen[key] = true
			}
		}
		for _, s := range shadowed {
			if !seen["name "+s.By] || s.Reason == "" {
				t.Errorf("seed %d: %+v", seed, s)
			}
		}
		slices.Reverse(created)
		again, _ := config.Merge(file, created)
		if !slices.EqualFunc(all, again, func(a, b config.Shop) bool { return a.Name == b.Name }) {
			t.Errorf("seed %d: the order makes a difference", seed)
		}
	}
}

// A configuration is checked against the shops there are as Merge does it.
func TestCheckAgainstOthers(t *testing.T) {
	c, dir := connectors(t)
	others := []config.Shop{{Name: "west", AppID: "wx1", TimeRange: "update_time", Auth: "stable_token", RateLimit: 2}, {Name: "listed", AppID: "wx7", TimeRange: "create_time"}}
	s, infos := c.Check(sentShop(dir, "name", "listed"), others)
	at, _ := errorsAt(t, infos)
	if len(at) != 2 || !strings.Contains(at["rate_limit"], `differs from that of shop "west"`) || !strings.Contains(at["name"], `is already the name of shop "listed"`) {
		t.Errorf("faults: %v", at)
	}
	if _, shadowed := config.Merge(others, []config.Shop{s}); len(shadowed) != 1 {
		t.Errorf("shadowed: %v", shadowed)
	}
	if _, infos := c.Check(sentShop(dir, "rate_limit", "2"), others); infos.Err() != nil {
		t.Error(infos.Err())
	}
}

func TestPatch(t *testing.T) {
	text := func(s string) *string { return &s }
	was := map[string]string{"a": "1", "b": "2"}
	got := config.Patch(was, map[string]*string{"a": nil, "b": text("3"), "c": text(""), "none": nil})
	if fmt.Sprint(got) != "map[b:3 c:]" || fmt.Sprint(was) != "map[a:1 b:2]" {
		t.Errorf("patched %v, was %v", got, was)
	}
	if got := config.Patch(nil, nil); got == nil || len(got) != 0 {
		t.Errorf("patched %v", got)
	}
}
