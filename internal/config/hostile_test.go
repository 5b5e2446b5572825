package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"orderwalk/internal/config"
)

// hostile are shops files that are made to take what a worker has: its stack, its
// memory, its time. Each is refused in few words.
var hostile = map[string]string{
	"JSON, lists without end":      `{"shops":` + strings.Repeat("[", 8_000_000),
	"JSON, objects without end":    strings.Repeat(`{"a":`, 2_000_000),
	"JSON, a deep unknown field":   `{"shops":[{"app_id":"wx1","x":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}]}`,
	"JSON, many values":            `{"shops":[` + strings.Repeat("0,", 7_000_000) + `0]}`,
	"JSON, many unknown fields":    `{"shops":[{` + strings.Repeat(`"appsecret":1,`, 100_000) + `"a":1}]}`,
	"YAML, lists without end":      "shops: " + strings.Repeat("[", 8_000_000),
	"YAML, lists to the limit":     "shops: " + strings.Repeat("[", 9990) + strings.Repeat("]", 9990),
	"YAML, dashes without end":     "shops:\n" + strings.Repeat("- ", 4_000_000),
	"YAML, dashes to the limit":    "shops:\n" + strings.Repeat(strings.Repeat("- ", 9000)+"\n", 50),
	"YAML, questions without end":  "shops:\n" + strings.Repeat("? ", 4_000_000),
	"YAML, many values":            "shops: [" + strings.Repeat("a,", 7_000_000) + "a]",
	"YAML, many lines":             "shops:\n" + strings.Repeat("- a\n", 4_000_000),
	"YAML, UTF-16 with many lines": "\xff\xfe" + strings.Repeat("-\x00 \x00a\x00\n\x00", 1_500_000),
	"YAML, an alias of itself":     "shops: &a [*a]",
	"YAML, a shop many times":      "shops:\n- &a {topic: a b, app_id: wx1, app_secret: hush, name: n, status: 1, openid: o}\n" + strings.Repeat("- *a\n", 120_000),
	"YAML, laughs": "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n" +
		"d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nshops: [*e]",
	"YAML, a long value many times": "shops:\n- app_id: &a '" + strings.Repeat("é", 2_000_000) + "'\n" + strings.Repeat("- app_id: *a\n", 60_000),
	"YAML, comments":                strings.Repeat("#\n", 200_000) + "shops: 1",
	"larger than any":               "shops:\n" + strings.Repeat("#", 17<<20),
}

func TestHostileShopsFiles(t *testing.T) {
	for name, text := range hostile {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "shops")
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			setenv(t, "ORDERWALK_KAFKA_BROKERS=b:9092", "ORDERWALK_SHOPS_FILE="+file)
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			c, err := config.Load(nil)
			runtime.ReadMemStats(&after)
			var faults *config.Error
			if !errors.As(err, &faults) {
				t.Fatalf("accepted as %v, error %v", c, err)
			}
			if n := len(err.Error()); n > 100_000 {
				t.Errorf("the error has %d bytes", n)
			}
			t.Logf("%d MB: %.300s", (after.TotalAlloc-before.TotalAlloc)>>20, err)
		})
	}
}
