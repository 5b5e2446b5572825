package roster

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"orderwalk/internal/config"
	"orderwalk/internal/desired"
)

// following is a story of a worker that walks authorised shops.
func following(t *testing.T, story func(f *fixture)) {
	keys := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(keys, []byte(base64.StdEncoding.EncodeToString(make([]byte, 32))), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("ORDERWALK_SHOPS", "authorized")
	t.Setenv("ORDERWALK_COMPONENT_APP_ID", "wxplatform")
	t.Setenv("ORDERWALK_COMPONENT_APP_SECRET", "secret")
	t.Setenv("ORDERWALK_STATE_KEY_FILE", keys)
	inBubble(t, story)
}

// TestAuthorizedShopsAreWalked: shops come and go with the list of members. Those of the
// shops file and created ones go before; some are excluded, and some more than the limit.
func TestAuthorizedShopsAreWalked(t *testing.T) {
	following(t, func(f *fixture) {
		w := f.worker(f.load("exclude: [wxx*]\nlimit: 2\n", "own"))
		defer w.stop()
		ctx := f.Context()
		w.expect(t, 1, "own")
		w.members = []string{"wxown", "wxx1", "wxb"}
		w.expect(t, 2, "own", "wxb")
		w.expect(t, 2, "own", "wxb")
		w.members = []string{"wxown", "wxx1", "wxb", "wxd", "wxa"} // wxa was last
		w.expect(t, 3, "own", "wxb", "wxd")
		idle := w.Idle()
		if len(idle) != 1 || idle[0].Shop.Name != "wxa" || !strings.Contains(idle[0].Reason, "limit of 2") {
			t.Errorf("idle are %+v", idle)
		}
		if got, want := w.Counts(), (Counts{Walked: 2, Beyond: 1, Excluded: 1}); got != want {
			t.Errorf("counted %+v, want %+v", got, want)
		}
		if _, ok := w.Config("wxa"); !ok {
			t.Error("the shop beyond the limit has no configuration")
		}

		// A created one takes over, and gives it back.
		if err := w.Create(ctx, "mine", f.sent("b"), desired.Running, "me"); err != nil {
			t.Fatal(err)
		}
		w.expect(t, 4, "mine", "own", "wxa", "wxd")
		if err := w.Delete(ctx, "mine", "me"); err != nil {
			t.Fatal(err)
		}
		w.expect(t, 5, "own", "wxb", "wxd")

		// So does one of the file.
		w.Load(f.load("limit: 9\n", "own", "d"))
		w.expect(t, 6, "d", "own", "wxa", "wxb", "wxx1")
		w.members = []string{"wxb"}
		w.expect(t, 7, "d", "own", "wxb")
	})
}

// TestAuthorizedShopsAreNotEdited: they are neither changed nor deleted, walked or not, but
// operators may pause them.
func TestAuthorizedShopsAreNotEdited(t *testing.T) {
	following(t, func(f *fixture) {
		w := f.worker(f.load("limit: 1\n"))
		defer w.stop()
		ctx := f.Context()
		w.members = []string{"wxa", "wxb"}
		w.expect(t, 1, "wxa")
		for _, name := range w.members {
			_, put := w.Put(ctx, name, f.sent("a"), "me")
			for what, err := range map[string]error{
				"create": w.Create(ctx, name, f.sent("a"), desired.Running, "me"), "put": put,
				"patch": w.Patch(ctx, name, nil, "me"), "delete": w.Delete(ctx, name, "me"),
			} {
				var authorized *AuthorizedError
				if !errors.As(err, &authorized) || authorized.Name != name {
					t.Errorf("%s %s = %v", what, name, err)
				}
			}
			if !w.Authorized(name) {
				t.Errorf("%s is not known", name)
			}
		}
		w.members = nil
		w.expect(t, 2)
		if err := w.Create(ctx, "wxa", f.sent("a"), desired.Running, "me"); err != nil {
			t.Errorf("create a shop that has gone: %v", err)
		}
	})
}

// TestAuthorizedShopWithATakenName: it is said why it is not walked.
func TestAuthorizedShopWithATakenName(t *testing.T) {
	following(t, func(f *fixture) {
		w := f.worker(f.load("overrides: [{match: wxa, name: own}]\n", "own"))
		defer w.stop()
		w.members = []string{"wxa", "wxb"}
		w.expect(t, 1, "own", "wxb")
		if got, want := w.Counts(), (Counts{Walked: 1, Unfit: 1}); got != want {
			t.Errorf("counted %+v, want %+v", got, want)
		}
	})
}

// TestAuthorizedShopsWithOneName: an override gives a shop the app ID of another as its name. The
// first that has authorised the platform keeps the name; the other is counted, and shown once.
func TestAuthorizedShopsWithOneName(t *testing.T) {
	following(t, func(f *fixture) {
		w := f.worker(f.load("overrides: [{match: wxa, name: wxb}, {match: wxc, name: wxb}]\n", "own"))
		defer w.stop()
		for i, members := range [][]string{{"wxa", "wxb", "wxc"}, {"wxb", "wxa", "wxc"}} {
			w.members = members
			w.expect(t, i+1, "own", "wxb")
			if got, want := w.Counts(), (Counts{Walked: 1, Unfit: 2}); got != want {
				t.Errorf("counted %+v, want %+v", got, want)
			}
			if got, ok := w.Config("wxb"); !ok || got["app_id"] != members[0] {
				t.Errorf("wxb is %v, want that of %s", got, members[0])
			}
			if idle := w.Idle(); len(idle) != 0 {
				t.Errorf("wxb is walked, and idle are %+v", idle)
			}
		}
	})
}

// TestAllWorkersChooseTheSame: the choice depends on the configuration and the members only.
func TestAllWorkersChooseTheSame(t *testing.T) {
	following(t, func(f *fixture) {
		own := f.load("limit: 50\noverrides: [{match: 'wx1*', topic: 'one.{app_id}'}]\n", "own")
		var members []string
		for i := range 120 {
			members = append(members, fmt.Sprint("wx", i))
		}
		names := func(shops []config.Shop) (out []string) {
			for _, s := range shops {
				out = append(out, s.Name+" "+s.Topic)
			}
			slices.Sort(out)
			return out
		}
		first, n := Choose(own, members)
		if n != (Counts{Walked: 50, Beyond: 70}) || len(first) != 51 {
			t.Errorf("%+v of %d", n, len(first))
		}
		second, _ := Choose(f.load("limit: 50\noverrides: [{match: 'wx1*', topic: 'one.{app_id}'}]\n", "own"), members)
		if !slices.Equal(names(first), names(second)) || !slices.Contains(names(first), "wx49 wechat.orders") || !slices.Contains(names(first), "wx10 one.wx10") {
			t.Errorf("%q and %q", names(first), names(second))
		}
	})
}
