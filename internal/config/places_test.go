package config_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"orderwalk/internal/config"
)

// TestEveryFaultOfAFleet has a fault in each of 10,000 shops: the error holds all with
// line, name and app ID, and its text some.
func TestEveryFaultOfAFleet(t *testing.T) {
	const shops = 10_000
	var file strings.Builder
	file.WriteString("shops:\n")
	for i := range shops {
		fmt.Fprintf(&file, "- app_id: wx%d\n  name: shop%04d\n  app_secret: hush\n  rate_limit: fast\n", i, i)
	}
	setenv(t, "ORDERWALK_KAFKA_BROKERS=b:9092", "ORDERWALK_SHOPS_FILE="+writeFile(t, "shops.yaml", file.String()))
	_, err := config.Load(nil)
	var found *config.Error
	if !errors.As(err, &found) || len(found.Faults) != shops {
		t.Fatalf("%.300v", err)
	}
	for i, f := range found.Faults {
		want := config.Fault{Where: fmt.Sprintf("shops[%d].rate_limit", i), Line: 4*i + 5, Shop: fmt.Sprintf("shop%04d", i), AppID: fmt.Sprintf("wx%d", i),
			Problem: `"fast" is not valid`, Allowed: "give a number above 0, at most 10000"}
		if f != want {
			t.Fatalf("fault %d is %+v\nwant %+v", i, f, want)
		}
	}
	text := err.Error()
	if !strings.HasPrefix(text, "10000 faults in the configuration:\n") || strings.Count(text, "\n") != 201 ||
		!strings.HasSuffix(text, "\n  … and 9800 more: `orderwalk check` lists them") {
		t.Errorf("%.300s …\n%s", text, text[len(text)-300:])
	}
}

// A JSON file has its places too, and what is no shop has a line alone.
func TestPlacesInJSON(t *testing.T) {
	setenv(t, "ORDERWALK_KAFKA_BROKERS=b:9092", "ORDERWALK_SHOPS=authorized", "ORDERWALK_SHOPS_FILE="+writeFile(t, "shops.json", `{"shops": [
  {"name": "red", "app_id": "wx1",
   "app_secret": "hush", "status": "soon"},
  7
],
"limit": 0,
"overrides": [{"match": "wx2",
  "name": "blue", "status": "soon"}, "wx3"]}`))
	_, err := config.Load(nil)
	for _, want := range []string{
		"\n  shops[0].status (line 3, \"red\", wx1): \"soon\" is not valid; ",
		"\n  shops[1] (line 4) is not a shop; ",
		"\n  limit (line 6): \"0\" is not valid; ",
		"\n  overrides[0].status (line 8, \"blue\", wx2): \"soon\" is not valid; ",
		"\n  overrides[1] (line 8, wx3) has no fields; ",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in\n%v", want, err)
		}
	}
}
