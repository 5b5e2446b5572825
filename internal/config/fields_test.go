package config

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"
	"unicode/utf8"
)

// FuzzShopFields: whatever a shops file is, reading it ends, and what was read
// without a fault is read again from JSON just so.
func FuzzShopFields(f *testing.F) {
	f.Add([]byte("shops:\n- app_id: wx1\n  name: &n east\n  app_secret_file: /s\n- {app_id: wx2, topic: *n, start_time: 2026-01-01}\n"))
	f.Add([]byte("# nothing\nshops: [{app_id: ~, rate_limit: 1e3, status: 0x10, openid: '', name: \"\\u5e97\"}]\n"))
	f.Add([]byte("{\"shops\":[\t{\"app_id\":\"wx1\",\"rate_limit\":5e1,\"end_time\":1658509200,\"openid\":null,\"push_token\":true}]}"))
	f.Add([]byte("shops:\n  - app_id: |\n      wx1\n    name: >-\n      a\n      b\n"))
	f.Add([]byte("\ufeffshops: []\n...\n"))
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		shops, problems := parseShops(data)
		if len(problems) > 0 || len(shops) == 0 { // a file without shops is refused elsewhere
			return
		}
		for _, shop := range shops {
			for _, text := range shop {
				if !utf8.ValidString(text) {
					return // JSON cannot say it
				}
			}
		}
		again, err := json.Marshal(map[string]any{"shops": shops})
		if err != nil {
			t.Fatal(err)
		}
		got, problems := parseShops(again)
		if len(problems) > 0 || !slices.EqualFunc(got, shops, func(a, b map[string]string) bool { return maps.Equal(a, b) }) {
			t.Fatalf("%q was read as %q, and %s as %q, %v", data, shops, again, got, problems)
		}
	})
}
