//go:build kafka

package trial

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"orderwalk/offsets"
	"orderwalk/test/kafkatest"
)

// orderValue is an order record's value, by the documented format.
type orderValue struct {
	OrderID     string    `json:"order_id"`
	Shop        string    `json:"shop"`
	TimeRange   string    `json:"time_range"`
	WindowStart int64     `json:"window_start"`
	WindowEnd   int64     `json:"window_end"`
	ObservedAt  time.Time `json:"observed_at"`
}

const week = 7 * 24 * 3600

// read returns a topic as an independent read_committed consumer sees it.
func (w *fixture) read(topic string) []*kgo.Record {
	w.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	records, err := kafkatest.ReadCommitted(ctx, w.brokers, topic)
	if err != nil {
		w.Fatal(err)
	}
	return records
}

// admin makes a request with an admin client and returns its result.
func admin[T any](w *fixture, ask func(context.Context, *kadm.Client) (T, error)) T {
	w.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(w.brokers...))
	if err != nil {
		w.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	answer, err := ask(ctx, kadm.NewClient(client))
	if err != nil {
		w.Fatal(err)
	}
	return answer
}

// partitions returns the number of partitions of a topic.
func (w *fixture) partitions(topic string) int {
	w.Helper()
	return len(admin(w, func(ctx context.Context, c *kadm.Client) (kadm.TopicDetails, error) {
		return c.ListTopics(ctx, topic)
	})[topic].Partitions)
}

// openTransactions returns the open transactions of this fixture: when they began, by
// transactional ID.
func (w *fixture) openTransactions() map[string]int64 {
	w.Helper()
	return admin(w, func(ctx context.Context, c *kadm.Client) (map[string]int64, error) {
		listed, err := c.ListTransactions(ctx, nil, []string{"Ongoing"})
		if err != nil {
			return nil, err
		}
		var ours []string
		for id := range listed {
			if strings.HasPrefix(id, w.group+"-") {
				ours = append(ours, id)
			}
		}
		open := map[string]int64{}
		if len(ours) == 0 {
			return open, nil
		}
		described, err := c.DescribeTransactions(ctx, ours...)
		for id, d := range described {
			if d.Err == nil && d.State == "Ongoing" {
				open[id] = d.StartTimestamp
			}
		}
		return open, err
	})
}

// eachOnce compares the topics with the actual orders: every order of every source
// once, each record in the documented format, every range at its end. It returns the
// number of orders.
func (w *fixture) eachOnce() (orders int) {
	w.Helper()
	found := map[source]map[string][]*kgo.Record{}
	bySource := map[string]source{}
	for _, s := range w.sources {
		found[s] = map[string][]*kgo.Record{}
		bySource[s.appID+" "+s.kind] = s
	}
	records := w.read(w.orders())
	partition := kgo.StickyKeyPartitioner(nil).ForTopic(w.orders()) // Java's, for records with a key
	partitions := w.partitions(w.orders())
	wrong := 0
	for _, r := range records {
		v, err := w.asPromised(r)
		if err == nil && partition.Partition(r, partitions) != int(r.Partition) {
			err = fmt.Errorf("is not where Java's partitioner would put it")
		}
		s, known := bySource[v.Shop+" "+v.TimeRange]
		if err == nil && !known {
			err = fmt.Errorf("is of no source of ours")
		}
		if err != nil {
			if wrong++; wrong <= 5 {
				w.Errorf("record %d/%d %s=%s: %v", r.Partition, r.Offset, r.Key, r.Value, err)
			}
			continue
		}
		found[s][v.OrderID] = append(found[s][v.OrderID], r)
	}
	for _, s := range w.sources {
		orders += w.compare(s, found[s])
	}
	w.checkpoints()
	if w.Failed() {
		w.autopsy()
	}
	for topic, records := range map[string][]*kgo.Record{w.orders(): records, w.offsets(): w.read(w.offsets())} {
		var all strings.Builder
		for _, r := range records {
			all.Write(r.Key)
			all.Write(r.Value)
			for _, h := range r.Headers {
				all.WriteString(h.Key)
				all.Write(h.Value)
			}
		}
		w.noSecret("topic "+topic, all.String())
	}
	return orders
}

// compare counts lost, repeated and misplaced orders of one source.
func (w *fixture) compare(s source, found map[string][]*kgo.Record) (orders int) {
	w.Helper()
	truth := w.truth(s)
	var lost, repeated, stray int
	var examples, missing []string
	example := func(count *int, format string, args ...any) {
		if *count++; *count <= 5 {
			examples = append(examples, fmt.Sprintf(format, args...))
		}
	}
	for id, at := range truth {
		records := found[id]
		must := at >= s.start && at <= s.end
		if must {
			orders++
		}
		switch {
		case len(records) == 0 && must:
			example(&lost, "lost %s of %s second %d", id, s.kind, at)
			if len(missing) < 5 {
				missing = append(missing, id)
			}
		case len(records) > 1:
			var where []string
			for _, r := range records {
				where = append(where, fmt.Sprintf("%d/%d %s", r.Partition, r.Offset, r.Value))
			}
			example(&repeated, "%d times %s of %s second %d: %s", len(records), id, s.kind, at, strings.Join(where, " and "))
		}
		for _, r := range records {
			var v orderValue
			_ = json.Unmarshal(r.Value, &v) // decoded before
			if at < v.WindowStart || at > v.WindowEnd {
				example(&stray, "%s of %s second %d in the window %d to %d", id, s.kind, at, v.WindowStart, v.WindowEnd)
			}
		}
	}
	for id, records := range found {
		if _, real := truth[id]; !real {
			example(&stray, "%s is no order of that range: %s", id, records[0].Value)
		}
	}
	if lost > 0 {
		examples = append(examples, w.fate(missing))
	}
	if lost+repeated+stray > 0 {
		w.Errorf("source %s (%s %s, %d to %d): of %d orders %d lost, %d repeated, %d out of place\n%s",
			s.name, s.appID, s.kind, s.start, s.end, orders, lost, repeated, stray, strings.Join(examples, "\n"))
	}
	return orders
}

// asPromised decodes a record of the orders topic and checks its format.
func (w *fixture) asPromised(r *kgo.Record) (v orderValue, err error) {
	decoder := json.NewDecoder(bytes.NewReader(r.Value))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&v); err != nil {
		return v, err
	}
	headers := fmt.Sprint(r.Headers)
	switch {
	case v.OrderID != string(r.Key) || v.OrderID == "":
		err = fmt.Errorf("the key is %q", r.Key)
	case headers != fmt.Sprintf("[{shop %v} {time_range %v}]", []byte(v.Shop), []byte(v.TimeRange)):
		err = fmt.Errorf("the headers are %s", headers)
	case v.WindowStart >= v.WindowEnd || v.WindowEnd-v.WindowStart > week:
		err = fmt.Errorf("the window is not one")
	case !r.Timestamp.Equal(v.ObservedAt):
		err = fmt.Errorf("the timestamp is %s", r.Timestamp.UTC())
	case v.ObservedAt.After(time.Now()) || v.ObservedAt.Unix() < v.WindowEnd:
		err = fmt.Errorf("observed at %s", v.ObservedAt)
	case !r.Attrs.IsTransactional():
		err = fmt.Errorf("is in no transaction")
	}
	return v, err
}

// checkpoints reads the offsets topic and checks that every source's range is at its
// end, and its watermark never went back.
func (w *fixture) checkpoints() {
	w.Helper()
	loader := offsets.Loader{Group: w.group}
	high := map[string]int64{}
	for _, r := range w.read(w.offsets()) {
		loader.Add(r.Key, r.Value)
		var v struct{ Watermark *int64 }
		if r.Value == nil || json.Unmarshal(r.Value, &v) != nil || v.Watermark == nil {
			continue
		}
		if *v.Watermark < high[string(r.Key)] {
			w.Errorf("the watermark of %s went back from %d to %d", r.Key, high[string(r.Key)], *v.Watermark)
		}
		high[string(r.Key)] = *v.Watermark
	}
	lane := loader.Load()
	for p, err := range lane.Faults {
		w.Errorf("checkpoint of %v: %v", p, err)
	}
	for _, s := range w.sources {
		shop := lane.Shops[offsets.Partition{Shop: s.appID, Range: s.kind}]
		switch {
		case shop == nil:
			w.Errorf("source %s has no checkpoint", s.name)
		case shop.Checkpoint.Watermark != s.end+1:
			w.Errorf("source %s: the watermark is %d, not %d", s.name, shop.Checkpoint.Watermark, s.end+1)
		default:
			for _, win := range shop.Checkpoint.Windows {
				if win.State != offsets.Settled {
					w.Errorf("source %s: the window %d to %d is %s", s.name, win.Start, win.End, win.State)
				}
			}
		}
	}
}

// noSecret fails the trial if a text contains a secret of this fixture.
func (w *fixture) noSecret(where, text string) {
	w.Helper()
	w.leaks.Check(w, where, text)
}

// autopsy writes all records of the topics, aborted ones and markers too, and every
// list call to files.
func (w *fixture) autopsy() {
	w.Helper()
	dir := w.ArtifactDir()
	var text bytes.Buffer
	for _, topic := range []string{w.orders(), w.offsets()} {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		records, err := kafkatest.ReadEverything(ctx, w.brokers, topic)
		if err != nil {
			w.Log(err)
			continue
		}
		for _, r := range records {
			fmt.Fprintf(&text, "%s/%d %d %s producer %d epoch %d control %t %q=%q\n", topic, r.Partition, r.Offset,
				r.Timestamp.UTC().Format("15:04:05.000"), r.ProducerID, r.ProducerEpoch, r.Attrs.IsControl(), r.Key, r.Value)
		}
	}
	calls, err := json.Marshal(w.journal(0))
	if err == nil {
		err = errors.Join(os.WriteFile(filepath.Join(dir, "topics.txt"), text.Bytes(), 0o600), os.WriteFile(filepath.Join(dir, "calls.json"), calls, 0o600))
	}
	if err != nil {
		w.Log(err)
	}
}
