//go:build kafka

package deploy

import (
	"bytes"
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"orderwalk/simulator"
	"orderwalk/test/kafkatest"
)

// program is built once for all tests of this process.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "orderwalk-deploy-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "orderwalk")
	out, err := exec.Command("go", "build", "-o", path, "orderwalk").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := program(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path)) // it is in the folder for such things
	}
	os.Exit(code)
}

// stage is a simulated API with two shops, and the names that are used in Kafka.
// Times are unix seconds: the shops have orders from start to end, one of them
// at mid.
type stage struct {
	*testing.T
	brokers         []string
	api             *simulator.Server
	url             string
	name            string
	start, mid, end int64
}

var stageShops = []string{"wxone", "wxtwo"}

func newStage(t *testing.T, brokers []string) *stage {
	t.Helper()
	now := time.Now().Unix()
	s := &stage{T: t, brokers: brokers, name: fmt.Sprintf("%s-%d", t.Name(), time.Now().UnixNano()%1e9),
		start: now - 5*86400, end: now - 3*86400}
	cfg := simulator.Config{Seed: 7}
	for _, appID := range stageShops {
		cfg.Shops = append(cfg.Shops, simulator.Shop{AppID: appID, Token: "token-" + appID,
			Backlog: simulator.Backlog{Orders: 5000, From: s.start, To: s.end}})
	}
	s.api = simulator.New(cfg)
	// There is an order of the second where ranges meet.
	s.mid = s.api.Orders(stageShops[0], time.Time{})[2500].Created
	server := httptest.NewServer(s.api)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *stage) orders() string  { return s.name + ".orders" }
func (s *stage) offsets() string { return s.name + ".offsets" }

// walk runs the program from one time to another and expects it to come there.
func (s *stage) walk(from, to int64, settings ...string) {
	s.Helper()
	if out, err := s.run(from, to, settings...); err != nil {
		s.Fatalf("%v\n%s", err, out)
	}
}

// refused runs the program and expects it to end with an error.
func (s *stage) refused(from, to int64) (out string) {
	s.Helper()
	out, err := s.run(from, to)
	if err == nil {
		s.Fatalf("it came to the end\n%s", out)
	}
	return out
}

func (s *stage) run(from, to int64, settings ...string) (string, error) {
	s.Helper()
	path, err := program()
	if err != nil {
		s.Fatal(err)
	}
	file := filepath.Join(s.TempDir(), "shops.yaml")
	shops := "shops:\n"
	for _, appID := range stageShops {
		shops += fmt.Sprintf("- {app_id: %s, access_token: token-%s}\n", appID, appID)
	}
	if err := os.WriteFile(file, []byte(shops), 0o600); err != nil {
		s.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "run")
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "ORDERWALK_") {
			cmd.Env = append(cmd.Env, pair)
		}
	}
	for _, pair := range append([]string{
		"KAFKA_BROKERS=" + strings.Join(s.brokers, ","), "GROUP=" + s.name, "TOPIC=" + s.orders(), "OFFSETS_TOPIC=" + s.offsets(),
		"OFFSETS_PARTITIONS=4", "API_URL=" + s.url, "SHOPS_FILE=" + file, "LISTEN=127.0.0.1:0", "RATE_LIMIT=10000", "LOOKBACK=0",
		"START_TIME=" + strconv.FormatInt(from, 10), "END_TIME=" + strconv.FormatInt(to, 10),
	}, settings...) {
		cmd.Env = append(cmd.Env, "ORDERWALK_"+pair)
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// client is one of another make, which also administers.
func (s *stage) client(more ...kgo.Opt) *kgo.Client {
	s.Helper()
	client, err := kgo.NewClient(append(more, kgo.SeedBrokers(s.brokers...))...)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(client.Close)
	return client
}

// copyOf is all that is committed in a topic.
func (s *stage) copyOf(topic string) []*kgo.Record {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), time.Minute)
	defer cancel()
	records, err := kafkatest.ReadCommitted(ctx, s.brokers, topic)
	if err != nil {
		s.Fatal(err)
	}
	return records
}

func (s *stage) lose(topics ...string) {
	s.Helper()
	admin := kadm.NewClient(s.client())
	if _, err := admin.DeleteTopics(s.Context(), topics...); err != nil {
		s.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) { // a topic goes in its own time
		left, err := admin.ListTopics(s.Context(), topics...)
		if err == nil && !slices.ContainsFunc(topics, left.Has) {
			return
		}
		if time.Now().After(deadline) {
			s.Fatalf("topics %v do not go: %v", topics, err)
		}
	}
}

// restore makes a topic again and fills it with a copy. Where a record goes is
// left to the client, as a tool would leave it.
func (s *stage) restore(topic string, partitions int32, copied []*kgo.Record) {
	s.Helper()
	client := s.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	compact := "compact"
	config := map[string]*string{}
	if topic == s.offsets() {
		config["cleanup.policy"] = &compact
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) { // a topic goes in its own time
		_, err := kadm.NewClient(client).CreateTopic(s.Context(), partitions, 1, config, topic)
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			s.Fatal(err)
		}
	}
	var records []*kgo.Record
	for _, r := range copied {
		records = append(records, &kgo.Record{Topic: topic, Partition: r.Partition, Key: r.Key, Value: r.Value, Headers: r.Headers})
	}
	if err := client.ProduceSync(s.Context(), records...).FirstErr(); err != nil {
		s.Fatal(err)
	}
}

// tally compares the topic with what the API has from one time to another, both
// inside. Of orders that are there twice it tells from which time to which they
// are.
func (s *stage) tally(from, to int64, records []*kgo.Record) (lost int, twice []int64) {
	s.Helper()
	seen := map[string]int{}
	for _, r := range records {
		seen[string(r.Key)]++
	}
	for _, appID := range stageShops {
		for _, order := range s.api.Orders(appID, time.Time{}) {
			if seen[order.ID] == 0 && order.Created >= from && order.Created <= to {
				lost++
			}
			if seen[order.ID] > 1 {
				twice = append(twice, order.Created)
			}
		}
	}
	slices.Sort(twice)
	return lost, twice
}

// checkpoints is the runbook's copy of them, to the letter.
func (s *stage) checkpoints() string {
	s.Helper()
	return s.kcat("", "-C", "-o", "beginning", "-e", "-q", "-X", "isolation.level=read_committed", "-f", `%p\t%k\t%s\n`)
}

// putBack writes such a copy, as the runbook does.
func (s *stage) putBack(saved string) {
	s.Helper()
	of := make(map[string]string) // lines by partition
	for line := range strings.Lines(saved) {
		partition, record, _ := strings.Cut(line, "\t")
		of[partition] += record
	}
	for partition, records := range of {
		s.kcat(records, "-P", "-p", partition, "-K", `\t`, "-Z")
	}
}

// kcat is run on the offsets topic.
func (s *stage) kcat(input string, args ...string) string {
	s.Helper()
	var out, fault bytes.Buffer
	cmd := exec.CommandContext(s.Context(), "kcat", append(args, "-b", s.brokers[0], "-t", s.offsets())...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &out, &fault
	if err := cmd.Run(); err != nil {
		s.Fatalf("kcat: %v\n%s", err, fault.String())
	}
	return out.String()
}
