package config

import (
	"regexp"
	"strings"
	"testing"
)

// FuzzShopsFile puts a secret at any place of any shops file: no fault quotes it
// or a part of it.
func FuzzShopsFile(f *testing.F) {
	const secret = "Q7s3cr3tVALUE9z"
	for _, text := range []string{
		"shops:\n- app_id: wx1\n  app_secret: *@\n",
		"shops:\n- app_id: wx1\n  app_secret: &@\n",
		"shops:\n- app_id: wx1\n  app_secret: !@ x\n",
		"shops:\n- app_id: wx1\n  app_secret: !!@\n",
		"shops:\n- app_id: wx1\n  app_secret: %@\n",
		"shops:\n- app_id: wx1\n  app_secret: |@\n",
		"shops:\n- app_id: wx1\n  app_secret: \"\\@\"\n",
		"shops:\n- app_id: wx1\n  app_secret=@: x\n",
		"shops:\n- app_id: wx1\n  app_secret: a: @\n",
		"shops:\n- app_id: wx1\n  @: 1\n",
		"shops:\n- app_id: wx1\n  start_time: @\n  end_time: @\n  status: @\n  rate_limit: @\n  time_range: @\n  auth: @\n  topic: @\\@\n",
		"shops:\n- app_id: '\"@\"'\n- app_id: 店@\n- app_id: gh_@\n- {app_id: @}\n- {app_id: @}\n",
		"shops:\n- app_id: wx1\n  app_secret_file: @\n  access_token_file: /@/@\n  cloud_token_file: @\n",
		"shops:\n- {app_id: wx1, name: @}\n- {app_id: wx2, name: @}\n",
		"@: 1\nshops: @\n",
		"shops: authorized\nexclude: [@, '*@', '\"@\"', {@: @}]\nlimit: @\n",
		"shops: authorized\nlimit: {@: @}\noverrides:\n- {match: @, @: @}\n- {match: '@*', name: @, topic: '@ {app_id}', status: @}\n- @\n",
		"shops: []\nexclude: @\noverrides: @\n@: []\n",
		"%YAML @\n---\nshops: []\n",
		`{"shops":[{"app_id":"wx1","app_secret":"@"x}]}`,
		`{"shops":[{"@":"@"}],"@":1}`,
		`{"shops":[{"app_id":"wx1","app_secret":@}]}`,
		`{"shops":[{"app_id":"wx1","app_secret":"\@"}]}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		text := strings.ReplaceAll(string(data), "@", secret)
		var fs faults
		root, err := parseTree([]byte(text))
		env := environment{AppID: "wx1"}
		_, authorized := fs.listedShops(&env, Shop{}, root, err)
		fs.authorized(&env, Shop{}, authorized)
		placesIn(root).locate(fs)
		if len(fs) == 0 {
			return
		}
		// What begins with wx is an app ID, which is quoted.
		shown := appIDs.ReplaceAllString((&Error{Faults: fs}).Error(), "")
		for _, part := range parts(secret, shortestSecret) {
			if strings.Contains(shown, part) {
				t.Fatalf("%q shows %q:\n%s", text, part, shown)
			}
		}
	})
}

var appIDs = regexp.MustCompile(`\bwx[^\s",)]*`)

// parts are those of a text that have n bytes.
func parts(text string, n int) (all []string) {
	for i := range len(text) - n + 1 {
		all = append(all, text[i:i+n])
	}
	return all
}
