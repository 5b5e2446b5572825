package cli

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"orderwalk/connector"
	"orderwalk/internal/config"
	"orderwalk/internal/wechat"
	"orderwalk/offsets"
)

// TestCheckFindsAStartTimeThatIsSetBack, and nothing wrong with others.
func TestCheckFindsAStartTimeThatIsSetBack(t *testing.T) {
	const begin = 1_784_100_000
	for start, want := range map[int64]bool{begin - 3600: true, begin: false, begin + 3600: false} {
		cluster := checkWorld(t)
		cluster.CreateTopic("orderwalk.offsets", 4, map[string]string{"cleanup.policy": "compact"})
		appID := os.Getenv("ORDERWALK_APP_ID")
		key := offsets.Key{Partition: offsets.Partition{Shop: appID, Range: "create_time"}}.Bytes("orderwalk")
		client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
		if err != nil {
			t.Fatal(err)
		}
		record := &kgo.Record{Topic: "orderwalk.offsets", Key: key, Value: fmt.Appendf(nil, `{"v":1,"watermark":%d,"begin":%d}`, begin+9000, begin)}
		if err := client.ProduceSync(t.Context(), record).FirstErr(); err != nil {
			t.Fatal(err)
		}
		client.Close()
		t.Setenv("ORDERWALK_START_TIME", fmt.Sprint(start))
		code, lines, stdout := check(t)
		if got := code == 1; got != want {
			t.Errorf("check = %d with start time %d\n%s", code, start, stdout)
		}
		if want && !strings.Contains(lines["start"], fmt.Sprintf("→ read them with another group, start time %d and end time %d", start, begin-1)) {
			t.Errorf("check says\n%s", stdout)
		}
	}
}

// TestAStartInTheFutureIsWarnedOf: once of each shop.
func TestAStartInTheFutureIsWarnedOf(t *testing.T) {
	now := time.Now().Unix()
	cfg := &config.Config{Shops: []config.Shop{
		{Name: "next year", AppID: "wx1", TimeRange: "create_time", Start: now + 365*86400},
		{Name: "now", AppID: "wx2", TimeRange: "create_time", Start: now},
		{Name: "first start", AppID: "wx3", TimeRange: "create_time"},
	}}
	var log bytes.Buffer
	book := &shopBook{host: &wechat.Host{}, metrics: connector.NewMetrics(prometheus.NewRegistry()), log: slog.New(slog.NewTextHandler(&log, nil)), clients: map[string]known{}}
	for range 3 {
		book.shops(cfg)
	}
	if n := strings.Count(log.String(), "level=WARN"); n != 1 || !strings.Contains(log.String(), `shops="next year"`) {
		t.Errorf("%d warnings:\n%s", n, log.String())
	}
	checkWorld(t)
	t.Setenv("ORDERWALK_START_TIME", fmt.Sprint(now+365*86400))
	if code, lines, stdout := check(t); code != 0 || !strings.Contains(lines["start"], "is in the future") {
		t.Errorf("check = %d\n%s", code, stdout)
	}
}

// TestAStatusWithCreationTimesIsWarnedOf: where orders will be missed by it, once
// of each shop, by run and by check.
func TestAStatusWithCreationTimesIsWarnedOf(t *testing.T) {
	now := time.Now()
	cfg := &config.Config{Lookback: 10 * time.Minute, Shops: []config.Shop{
		{Name: "walked on", AppID: "wx1", TimeRange: "create_time", Status: 20},
		{Name: "ends later", AppID: "wx2", TimeRange: "create_time", Status: 20, End: now.Unix() + 3600},
		{Name: "just ended", AppID: "wx3", TimeRange: "create_time", Status: 20, End: now.Unix() - 60},
		{Name: "snapshot", AppID: "wx4", TimeRange: "create_time", Status: 20, End: now.Unix() - 86400},
		{Name: "by update", AppID: "wx5", TimeRange: "update_time", Status: 20},
		{Name: "all", AppID: "wx6", TimeRange: "create_time"},
		{Name: "a buyer", AppID: "wx7", TimeRange: "create_time", OpenID: "o1"},
	}}
	if got := filtered(cfg); strings.Join(got, ",") != "walked on,ends later,just ended" {
		t.Errorf("of %q orders are said to be missed", got)
	}
	var log bytes.Buffer
	book := &shopBook{host: &wechat.Host{}, metrics: connector.NewMetrics(prometheus.NewRegistry()), log: slog.New(slog.NewTextHandler(&log, nil)), clients: map[string]known{}}
	for range 3 {
		book.shops(cfg)
	}
	if n := strings.Count(log.String(), "level=WARN"); n != 1 || !strings.Contains(log.String(), "walked on, ends later, just ended") || !strings.Contains(log.String(), "update_time") {
		t.Errorf("run says:\n%s", log.String())
	}
	checkWorld(t)
	if _, _, stdout := check(t); strings.Contains(stdout, "status") {
		t.Errorf("check says without a status:\n%s", stdout)
	}
	t.Setenv("ORDERWALK_STATUS", "20")
	if code, lines, stdout := check(t); code != 0 || !strings.Contains(lines["status"], "→ set ORDERWALK_TIME_RANGE") {
		t.Errorf("check = %d\n%s", code, stdout)
	}
}
