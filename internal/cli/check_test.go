package cli

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"orderwalk/simulator"
	"orderwalk/test/leaktest"
)

// checkWorld is an API and a Kafka on loopback, and the environment for both.
func checkWorld(t *testing.T) *kfake.Cluster {
	t.Helper()
	shop := simulatedShop(0, 10, 1_790_000_000, 1_790_086_400, 0)
	api := httptest.NewServer(simulator.New(simulator.Config{Seed: 1, Shops: []simulator.Shop{shop}}))
	t.Cleanup(api.Close)
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.ClusterID("c1"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "ORDERWALK_") {
			t.Setenv(name, "")
		}
	}
	t.Setenv("ORDERWALK_KAFKA_BROKERS", cluster.ListenAddrs()[0])
	t.Setenv("ORDERWALK_API_URL", api.URL)
	t.Setenv("ORDERWALK_APP_ID", shop.AppID)
	t.Setenv("ORDERWALK_APP_SECRET", shop.Secret)
	return cluster
}

// noSecret fails if what a command has said shows a secret of its environment or
// of the simulator's, or of the tokens of the test, which must not be shown.
func noSecret(t *testing.T, said string) {
	t.Helper()
	var leaks leaktest.Search
	leaks.Environment(os.Environ())
	if found := leaks.FindSimulated(said); found != "" || strings.Contains(said, "hush") {
		t.Errorf("a secret is shown, %s:\n%s", found, said)
	}
}

// check runs the command and returns its lines, by the name of the check.
func check(t *testing.T, args ...string) (code int, lines map[string]string, stdout string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = Main(t.Context(), append([]string{"check"}, args...), Streams{Out: &out, Err: &errs})
	stdout = out.String()
	noSecret(t, stdout+errs.String())
	lines = map[string]string{}
	var last string
	for line := range strings.Lines(stdout) {
		if strings.HasPrefix(line, "ok ") || strings.HasPrefix(line, "failed ") {
			last = strings.Fields(line)[1]
		}
		lines[last] += line
	}
	return code, lines, stdout
}

func TestCheck(t *testing.T) {
	cluster := checkWorld(t)
	code, lines, stdout := check(t)
	if code != 0 || strings.Contains(stdout, "failed") || !strings.Contains(lines["Kafka"], "cluster c1, as User:ANONYMOUS") ||
		!strings.Contains(lines["topic"], "does not exist yet; run may create it with 16 partitions") {
		t.Errorf("check = %d\n%s", code, stdout)
	}
	for _, topic := range []string{"wechat.orders", "orderwalk.offsets"} {
		if cluster.TopicInfo(topic) != nil {
			t.Errorf("check has created topic %s", topic)
		}
	}
}

func TestCheckAsJSON(t *testing.T) {
	checkWorld(t)
	t.Setenv("ORDERWALK_APP_SECRET", "hush-wrong")
	code, _, stdout := check(t, "--json")
	var answer struct {
		OK     bool
		Checks []finding
	}
	if err := json.Unmarshal([]byte(stdout), &answer); err != nil || code != 1 || answer.OK {
		t.Fatalf("check --json = %d, %v\n%s", code, err, stdout)
	}
	var failed []string
	for _, f := range answer.Checks {
		if !f.OK {
			failed = append(failed, f.Check)
			if len(f.Do) == 0 {
				t.Errorf("%s: nothing to do about %q", f.Check, f.Detail)
			}
		}
	}
	if len(failed) != 1 || failed[0] != "token of wxsimulated0000001" {
		t.Errorf("failed: %q, want the token alone", failed)
	}
}

// Each thing that can be wrong is found, and what comes after it is tried all
// the same.
func TestCheckFindsWhatIsWrong(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(t *testing.T, cluster *kfake.Cluster)
		check string
		want  []string
	}{
		"configuration": {func(t *testing.T, _ *kfake.Cluster) {
			t.Setenv("ORDERWALK_PAGE_SIZE", "101")
			t.Setenv("ORDERWALK_KAFKA_SASL_PASSWORD", "hush")
		}, "configuration", []string{"2 faults", "→ ORDERWALK_PAGE_SIZE", "→ ORDERWALK_KAFKA_SASL_MECHANISM"}},
		"dead token": {func(t *testing.T, _ *kfake.Cluster) {
			t.Setenv("ORDERWALK_APP_SECRET", "")
			t.Setenv("ORDERWALK_ACCESS_TOKEN", "hush-token")
		}, "list", []string{"errcode 40001", "→ the given access token is dead"}},
		"certificate": {func(t *testing.T, _ *kfake.Cluster) {
			path := filepath.Join(t.TempDir(), "ca.pem")
			if err := os.WriteFile(path, []byte("hush, no certificate"), 0o600); err != nil {
				t.Fatal(err)
			}
			t.Setenv("ORDERWALK_KAFKA_TLS_ENABLE", "true")
			t.Setenv("ORDERWALK_KAFKA_TLS_CA_FILE", path)
		}, "Kafka", []string{"reach Kafka at", "no PEM certificate in", "→ check the files"}},
		"policy": {func(t *testing.T, cluster *kfake.Cluster) {
			cluster.CreateTopic("orderwalk.offsets", 4, map[string]string{"cleanup.policy": "delete"})
		}, "topic", []string{`cleanup.policy is "delete"`, "→ run kafka-configs.sh --alter"}},
		"transaction timeout": {func(_ *testing.T, cluster *kfake.Cluster) {
			cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.InitProducerID}, Err: kerr.InvalidTransactionTimeout, Count: -1})
		}, "transactional", []string{"Invalid Transaction Timeout", "→ set ORDERWALK_TRANSACTION_TIMEOUT to at most the brokers' transaction.max.timeout.ms"}},
		"session timeout": {func(_ *testing.T, cluster *kfake.Cluster) {
			cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.JoinGroup}, Err: kerr.InvalidSessionTimeout, Count: -1})
		}, "group", []string{"Invalid Session Timeout", "→ set ORDERWALK_SESSION_TIMEOUT between"}},
		"message size": {func(t *testing.T, cluster *kfake.Cluster) {
			cluster.CreateTopic("wechat.orders", 4, map[string]string{"max.message.bytes": "100000"})
		}, "topic", []string{"accepts batches of 100000 bytes (max.message.bytes), but orderwalk sends up to 921600", "→ run kafka-configs.sh --alter"}},
	} {
		t.Run(name, func(t *testing.T) {
			c.spoil(t, checkWorld(t))
			code, lines, stdout := check(t)
			want := 1
			if name == "configuration" {
				want = 2
			}
			if code != want || strings.Count(stdout, "failed ") != 1 {
				t.Errorf("check = %d\n%s", code, stdout)
			}
			for _, want := range c.want {
				if !strings.Contains(lines[c.check], want) {
					t.Errorf("%s says nothing of %q:\n%s", c.check, want, stdout)
				}
			}
		})
	}
}

// TestCheckComparesTheClocks: by the earlier of the two all would look well.
func TestCheckComparesTheClocks(t *testing.T) {
	for name, c := range map[string]struct {
		skew time.Duration
		code int
		line string
	}{
		"agree":             {0, 0, "ok      clock                        agrees with the API's\n"},
		"seconds":           {10 * time.Second, 0, "ok      clock                        this machine's is "},
		"ours is behind":    {10 * time.Minute, 1, "failed  clock                        this machine's is "},
		"the API's is late": {-time.Hour, 1, "failed  clock                        the API's, by the Date of its answers, is "},
	} {
		t.Run(name, func(t *testing.T) {
			checkWay(t, "stable_token", simulator.Faults{ClockSkew: c.skew})
			code, lines, stdout := check(t)
			if code != c.code || !strings.HasPrefix(lines["clock"], c.line) {
				t.Errorf("check = %d, %q\n%s", code, lines["clock"], stdout)
			}
			if want := []string{" checks: all passed\n", " passed, 1 failed\n"}[code]; !strings.HasSuffix(stdout, want) {
				t.Errorf("no %q at the end of\n%s", want, stdout)
			}
		})
	}
}
