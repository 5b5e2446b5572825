package cli

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"orderwalk/internal/config"
)

// However far back the last orders of a shop are, they are found; and a shop
// that has none is not passed over in silence.
func TestTailFindsTheLastOfAShop(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "orders"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	var records []*kgo.Record
	for i := range 3000 {
		shop := "wxbusy"
		if i < 100 {
			shop = "wxquiet"
		}
		records = append(records, &kgo.Record{Topic: "orders", Key: fmt.Append(nil, i),
			Headers: []kgo.RecordHeader{{Key: "shop", Value: []byte(shop)}, {Key: "time_range", Value: []byte("create_time")}}})
	}
	if err := client.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	t.Setenv("ORDERWALK_KAFKA_BROKERS", cluster.ListenAddrs()[0])
	t.Setenv("ORDERWALK_LISTEN", "127.0.0.1:1") // no worker
	shops := filepath.Join(t.TempDir(), "shops.yaml")
	if err := os.WriteFile(shops, []byte("shops:\n- {app_id: wxquiet, name: red-lantern}\n- {app_id: wxquiet, name: changes, time_range: update_time}\n- {app_id: wxnew}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args, says string
		lines      int
		file       string
		code       int
	}{
		{args: "--lines 1 --shop wxquiet", lines: 1},
		{args: "--lines 100 --shop wxquiet", lines: 100},
		{args: "--lines 200 --shop wxquiet", lines: 100},
		{args: "--lines 50 --shop wxbusy", lines: 50},
		{args: "--from-beginning --shop wxquiet", lines: 100},
		{args: "--lines 10", lines: 10},
		{args: "--lines 10 --shop quiet", says: `no order of "quiet" in topic orders, and no worker tells the names of shops`, code: 1},
		{args: "--lines 10 --shop wxother", says: `no order of "wxother" in topic orders; check the app ID`, code: 1},
		{args: "--shop red-lantern --lines 5", file: shops, lines: 5},
		{args: "--shop wxquiet --lines 5", file: shops, lines: 5},
		{args: "--shop wxbusy --lines 5", file: shops, lines: 5},
		{args: "--shop changes", file: shops, says: `no order of "changes" (wxquiet) in topic orders yet`},
		{args: "--shop wxnew", file: shops, says: `no order of "wxnew" in topic orders yet`},
		{args: "--shop red-lantren", file: shops, says: "--shop: no shop has the name \"red-lantren\"\nHint: did you mean red-lantern?; only configured names are known here", code: 1},
		{args: "--shop blue", file: shops, says: "Hint: give one of changes, red-lantern, wxnew, or an app ID", code: 1},
	} {
		t.Setenv("ORDERWALK_SHOPS_FILE", c.file)
		var out, errs bytes.Buffer
		code := Main(t.Context(), append([]string{"tail", "--topic", "orders"}, strings.Fields(c.args)...), Streams{Out: &out, Err: &errs})
		lines := strings.Count(out.String(), "\n")
		if code != c.code || lines != c.lines || !strings.Contains(errs.String(), c.says) || (c.says == "") != (errs.Len() == 0) {
			t.Errorf("%s = %d, %d lines\n%s", c.args, code, lines, errs.String())
		}
		if strings.Contains(c.args, "wxquiet") && strings.Contains(out.String(), "wxbusy") {
			t.Errorf("%s: other shops' orders", c.args)
		}
	}
	// Names that are not configured here come from a worker, with their topic.
	worker := httptest.NewServer(&standIn{})
	t.Cleanup(worker.Close)
	t.Setenv("ORDERWALK_LISTEN", strings.TrimPrefix(worker.URL, "http://"))
	t.Setenv("ORDERWALK_SHOPS_FILE", "")
	for args, says := range map[string]string{
		"tail --shop red-lantern":                `no order of "red-lantern" (wx1) in topic orders yet`,
		"tail --shop red-lantern --topic orders": `no order of "red-lantern" (wx1) in topic orders yet`,
		"tail --shop wx2":                        `no order of "wx2" in topic orders yet`,
		"tail --shop red-lantren":                "no shop has the name \"red-lantren\"\nHint: did you mean red-lantern?\n",
		"tail --shop changes":                    "describe topic changes: it does not exist",
	} {
		if _, said := command(t, args); !strings.Contains(said, says) {
			t.Errorf("%s:\n%s", args, said)
		}
	}
}

// A topic whose name has the shop's app ID in it is read of one shop.
func TestTopicOfEachShop(t *testing.T) {
	names := tailNames{configured: []config.Named{{Name: "one", AppID: "wx1", TimeRange: "create_time"}}}
	for _, c := range []struct{ shop, asked, configured, want string }{
		{"one", "", "orders.{app_id}", "orders.wx1"}, {"wx1", "", "orders.{app_id}", "orders.wx1"}, {"", "", "orders", "orders"},
		{"", "mine", "orders.{app_id}", "mine"}, {"", "", "orders.{app_id}", ""},
	} {
		_, topic, err := names.topicOf(c.shop, c.asked, c.configured)
		if topic != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%+v: %q, %v", c, topic, err)
		}
	}
}
