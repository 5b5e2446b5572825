package cli

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
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
	for _, c := range []struct {
		args, says string
		lines      int
	}{
		{"--lines 1 --shop wxquiet", "", 1},
		{"--lines 100 --shop wxquiet", "", 100},
		{"--lines 200 --shop wxquiet", "", 100},
		{"--lines 50 --shop wxbusy", "", 50},
		{"--from-beginning --shop wxquiet", "", 100},
		{"--lines 10", "", 10},
		{"--lines 10 --shop quiet", `no order of "quiet" in topic orders: a shop stands there by its app ID`, 0},
	} {
		var out, errs bytes.Buffer
		code := Main(t.Context(), append([]string{"tail", "--topic", "orders"}, strings.Fields(c.args)...), Streams{Out: &out, Err: &errs})
		lines := strings.Count(out.String(), "\n")
		if code != 0 || lines != c.lines || !strings.Contains(errs.String(), c.says) || (c.says == "") != (errs.Len() == 0) {
			t.Errorf("%s = %d, %d lines\n%s", c.args, code, lines, errs.String())
		}
		if strings.Contains(c.args, "wxquiet") && strings.Contains(out.String(), "wxbusy") {
			t.Errorf("%s: other shops' orders", c.args)
		}
	}
}
