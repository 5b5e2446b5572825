package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"orderwalk/simulator"
)

// checkFleet is checkWorld with shops in a file, red-1 and so on. It returns the file.
func checkFleet(t *testing.T, shops int, faults simulator.Faults) string {
	t.Helper()
	checkWorld(t)
	world := simulator.Config{Seed: 1, Faults: faults}
	text := "shops:\n"
	for i := range shops {
		s := simulatedShop(i, 0, 1_790_000_000, 1_790_086_400, 0)
		world.Shops = append(world.Shops, s)
		text += fmt.Sprintf("- {app_id: %s, name: red-%d, app_secret: %s}\n", s.AppID, i+1, s.Secret)
	}
	api := httptest.NewServer(simulator.New(world))
	t.Cleanup(api.Close)
	t.Setenv("ORDERWALK_API_URL", api.URL)
	t.Setenv("ORDERWALK_APP_ID", "")
	t.Setenv("ORDERWALK_APP_SECRET", "")
	file := filepath.Join(t.TempDir(), "shops.yaml")
	writeText(t, file, text)
	t.Setenv("ORDERWALK_SHOPS_FILE", file)
	return file
}

func writeText(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// spoilShops replaces text of the shops file.
func spoilShops(t *testing.T, file string, oldnew ...string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	writeText(t, file, strings.NewReplacer(oldnew...).Replace(string(text)))
}

// With --failed only failures are printed, and what two shops need, once.
func TestCheckPrintsOnlyWhatFailed(t *testing.T) {
	file := checkFleet(t, 4, simulator.Faults{})
	spoilShops(t, file, "simulated-secret-2}", "hush-wrong}", "simulated-secret-4}", "hush-wrong}")
	code, _, stdout := check(t, "--failed")
	const problem = " get access token: errcode 40125 "
	lines := strings.Split(stdout, "\n")
	if code != 1 || len(lines) != 6 || !strings.HasPrefix(lines[0], "failed  token of red-2              "+problem) ||
		!strings.HasPrefix(lines[1], "        → ") || !strings.HasPrefix(lines[2], "failed  token of red-4              "+problem) ||
		lines[3] != "2 failed"+strings.TrimPrefix(lines[1], "       ") || lines[4] != "15 checks: 13 passed, 2 failed" || lines[5] != "" {
		t.Errorf("check --failed = %d\n%s", code, stdout)
	}
	code, _, stdout = check(t)
	if code != 1 || strings.Count(stdout, "\nok ") != 12 || !strings.HasPrefix(stdout, "ok ") || !strings.HasSuffix(stdout, strings.Join(lines[3:], "\n")) {
		t.Errorf("check = %d\n%s", code, stdout)
	}
}

// The checks of some shops are those of a name, or of an app ID with all its ranges.
func TestCheckOfSomeShops(t *testing.T) {
	file := checkFleet(t, 5, simulator.Faults{})
	spoilShops(t, file, "name: red-2,", "name: red-2, topic: second,", "name: red-3,", "name: red-3, topic: third,", "shops:\n",
		"shops:\n- {app_id: wxsimulated0000004, name: changes, app_secret: simulated-secret-4, time_range: update_time, topic: changes}\n")
	for _, c := range []struct {
		words         []string
		shops, topics string
		configured    string
	}{
		{nil, "changes red-1 red-2 red-3 red-5", "changes wechat.orders second third orderwalk.offsets", "6 shops"},
		{[]string{"red-2"}, "red-2", "second orderwalk.offsets", "1 of 6 shops"},
		{[]string{"red-3", "wxsimulated0000002", "red-3"}, "red-2 red-3", "second third orderwalk.offsets", "2 of 6 shops"},
		{[]string{"red-4"}, "red-4", "wechat.orders orderwalk.offsets", "1 of 6 shops"},
		{[]string{"wxsimulated0000004"}, "changes", "changes wechat.orders orderwalk.offsets", "2 of 6 shops"},
	} {
		var args []string
		for _, word := range c.words {
			args = append(args, "--shop", word)
		}
		code, _, stdout := check(t, args...)
		var shops, topics []string
		for line := range strings.Lines(stdout) {
			if word, ok := strings.CutPrefix(line, "ok      token of "); ok {
				shops = append(shops, strings.Fields(word)[0])
			}
			if word, ok := strings.CutPrefix(line, "ok      topic "); ok {
				topics = append(topics, strings.Fields(word)[0])
			}
		}
		if code != 0 || strings.Join(shops, " ") != c.shops || strings.Join(topics, " ") != c.topics || !strings.Contains(stdout, " group orderwalk, "+c.configured+"\n") {
			t.Errorf("%q = %d\n%s", c.words, code, stdout)
		}
	}
	for word, hint := range map[string]string{"red-22": "did you mean red-2?", "": "give one of changes, red-1, ", "wxother": "give one of changes, "} {
		var out, errs bytes.Buffer
		code := Main(t.Context(), []string{"check", "--shop", word}, Streams{Out: &out, Err: &errs})
		if want := fmt.Sprintf("--shop: no shop has the name or app ID %q\nHint: %s", word, hint); code != 1 || out.Len() > 0 || !strings.Contains(errs.String(), want) {
			t.Errorf("%q = %d, %s%s\nwant %s", word, code, &out, &errs, want)
		}
	}
}

// checkJSON is the answer of check --json.
type checkJSON struct {
	OK             bool
	Passed, Failed int
	Checks         []finding
}

func checkAsJSON(t *testing.T, args ...string) (code int, answer checkJSON) {
	t.Helper()
	code, _, stdout := check(t, append(args, "--json")...)
	if err := json.Unmarshal([]byte(stdout), &answer); err != nil {
		t.Fatalf("%v\n%s", err, stdout)
	}
	return code, answer
}

func TestCheckNamesShopsInJSON(t *testing.T) {
	file := checkFleet(t, 3, simulator.Faults{})
	code, answer := checkAsJSON(t, "--failed")
	if code != 0 || !answer.OK || answer.Passed != 16 || answer.Failed != 0 || answer.Checks == nil || len(answer.Checks) > 0 {
		t.Errorf("check = %d, %+v", code, answer)
	}
	spoilShops(t, file, "simulated-secret-2}", "hush-wrong}")
	code, answer = checkAsJSON(t)
	counted := map[string]int{}
	for _, f := range answer.Checks {
		counted[f.Shop+" "+f.AppID]++
	}
	if code != 1 || answer.OK || answer.Passed != 13 || answer.Failed != 1 || len(answer.Checks) != 14 ||
		counted["red-1 wxsimulated0000001"] != 3 || counted["red-2 wxsimulated0000002"] != 1 || counted["red-3 wxsimulated0000003"] != 3 || counted[" "] != 7 {
		t.Errorf("check = %d, %+v", code, answer)
	}
	_, answer = checkAsJSON(t, "--failed")
	if len(answer.Checks) != 1 || answer.Checks[0].Shop != "red-2" || len(answer.Checks[0].Do) != 1 || answer.Passed != 13 {
		t.Errorf("%+v", answer)
	}
}

// Faults of the shops file are all listed, with their places.
func TestCheckListsTheFaultsOfTheShopsFile(t *testing.T) {
	file := checkFleet(t, 300, simulator.Faults{})
	spoilShops(t, file, "}", ", rate_limit: -1}")
	code, _, stdout := check(t, "--shop", "red-7")
	if code != 2 || strings.Count(stdout, "\n        → shops[") != 300 || !strings.HasSuffix(stdout, "\n1 check: 0 passed, 1 failed\n") ||
		!strings.Contains(stdout, "\n        → shops[299].rate_limit (line 301, \"red-300\", wxsimulated0000300): \"-1\" is not valid; ") {
		t.Errorf("check = %d\n%.500s …\n%s", code, stdout, stdout[max(0, len(stdout)-500):])
	}
	code, answer := checkAsJSON(t)
	if code != 2 || len(answer.Checks) != 1 || len(answer.Checks[0].Faults) != 300 || answer.Checks[0].Faults[6] !=
		(configFault{Where: "shops[6].rate_limit", Line: 8, Shop: "red-7", AppID: "wxsimulated0000007", Problem: `"-1" is not valid`, Allowed: "give a number above 0, at most 10000"}) {
		t.Errorf("check = %d, %+v", code, answer)
	}
}

// Shops that were not tried are counted in one line of the text, and each is in JSON.
func TestSkippedShopsAreCounted(t *testing.T) {
	var out bytes.Buffer
	k := checkup{out: &out, over: func() bool { return false }}
	for _, name := range []string{"a", "b", "c"} {
		k.add(finding{Check: "token of " + name, Shop: name, Detail: silence, skipped: name != "a"})
	}
	k.verdict()
	if want := "failed  token of a                   " + silence + "\n3 checks: 0 passed, 3 failed\n"; out.String() != want || len(k.findings) != 3 {
		t.Errorf("got:\n%swant:\n%s", &out, want)
	}
}

// inOrder does as many things at once as it may, no more, and passes the results on in
// their order.
func TestInOrder(t *testing.T) {
	const n, atOnce = 100, 8
	var running, most atomic.Int32
	var full sync.WaitGroup
	full.Add(atOnce)
	var got []int
	inOrder(n, atOnce, func(i int) int {
		now := running.Add(1)
		defer running.Add(-1)
		for was := most.Load(); now > was && !most.CompareAndSwap(was, now); was = most.Load() {
		}
		if i < atOnce { // the first ones wait for each other
			full.Done()
			full.Wait()
		}
		return 2 * i
	}, func(i, result int) {
		if result != 2*i {
			t.Errorf("the result of %d is %d", i, result)
		}
		got = append(got, i)
	})
	if len(got) != n || !slices.IsSorted(got) || most.Load() != atOnce {
		t.Errorf("%d results, %d at once: %v", len(got), most.Load(), got)
	}
	inOrder(0, 1, func(int) int { return 0 }, func(int, int) { t.Error("a result of nothing") })
}
