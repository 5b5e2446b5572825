//go:build kafka

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"orderwalk/simulator"
	"orderwalk/test/kafkatest"
)

// guarded is a Kafka with the authorizer on, where everything is forbidden but
// to its administrator, and an API.
type guarded struct {
	*kafkatest.Cluster
	admin    *kadm.Client
	api      string
	from, to int64
	orders   int
}

func startGuarded(t *testing.T) *guarded {
	t.Helper()
	cluster, err := kafkatest.Launch(t.Context(), kafkatest.Options{
		Listeners: []string{"SASL_PLAINTEXT"},
		Properties: []string{
			"authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
			"super.users=User:ANONYMOUS", // the listener of the brokers and of this test
			"listener.name.sasl_plaintext.sasl.enabled.mechanisms=SCRAM-SHA-512",
			"listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;",
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Stop)
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.Brokers()...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	g := &guarded{Cluster: cluster, admin: kadm.NewClient(client), from: 1_790_000_000, to: 1_790_086_400, orders: 300}
	altered, err := g.admin.AlterUserSCRAMs(t.Context(), nil, []kadm.UpsertSCRAM{
		{User: "walker", Mechanism: kadm.ScramSha512, Iterations: 4096, Password: "hush-password"}})
	if err == nil {
		err = altered.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
	shop := simulatedShop(0, g.orders, g.from, g.to, 0)
	api := httptest.NewServer(simulator.New(simulator.Config{Seed: 1, Shops: []simulator.Shop{shop}}))
	t.Cleanup(api.Close)
	g.api = api.URL
	t.Setenv("ORDERWALK_KAFKA_BROKERS", cluster.At("SASL_PLAINTEXT")[0])
	t.Setenv("ORDERWALK_KAFKA_SASL_MECHANISM", "SCRAM-SHA-512")
	t.Setenv("ORDERWALK_KAFKA_SASL_USERNAME", "walker")
	t.Setenv("ORDERWALK_KAFKA_SASL_PASSWORD", "hush-password")
	t.Setenv("ORDERWALK_APP_ID", shop.AppID)
	t.Setenv("ORDERWALK_APP_SECRET", shop.Secret)
	t.Setenv("ORDERWALK_API_URL", g.api)
	t.Setenv("ORDERWALK_LISTEN", "127.0.0.1:0")
	t.Setenv("ORDERWALK_START_TIME", fmt.Sprint(g.from))
	t.Setenv("ORDERWALK_END_TIME", fmt.Sprint(g.to))
	t.Setenv("ORDERWALK_LOOKBACK", "0")
	t.Setenv("ORDERWALK_RATE_LIMIT", "1000")
	t.Setenv("ORDERWALK_OFFSETS_PARTITIONS", "4")
	return g
}

// use names fresh topics and a fresh group, so that a test begins with nothing.
func (g *guarded) use(t *testing.T, name string) {
	t.Setenv("ORDERWALK_TOPIC", name+".orders")
	t.Setenv("ORDERWALK_OFFSETS_TOPIC", name+".offsets")
	t.Setenv("ORDERWALK_GROUP", name)
}

// acl is one right of the list in docs/KAFKA.md.
type acl struct {
	operation kadm.ACLOperation
	resource  string // topic, transactional-id or group
	name      string
	prefixed  bool
}

func least(name string) []acl {
	return []acl{
		{kadm.OpWrite, "topic", name + ".orders", false},
		{kadm.OpRead, "topic", name + ".offsets", false},
		{kadm.OpWrite, "topic", name + ".offsets", false},
		{kadm.OpWrite, "transactional-id", name + "-", true},
		{kadm.OpRead, "group", name, false},
	}
}

func (a acl) builder() *kadm.ACLBuilder {
	b := kadm.NewACLs().Allow("User:walker").AllowHosts("*").Operations(a.operation)
	switch a.resource {
	case "topic":
		b = b.Topics(a.name)
	case "transactional-id":
		b = b.TransactionalIDs(a.name)
	default:
		b = b.Groups(a.name)
	}
	if a.prefixed {
		return b.ResourcePatternType(kadm.ACLPatternPrefixed)
	}
	return b.ResourcePatternType(kadm.ACLPatternLiteral)
}

// grant returns when the broker has heard of the ACLs: it tells of them what it
// decides by.
func (g *guarded) grant(t *testing.T, acls ...acl) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, a := range acls {
		created, err := g.admin.CreateACLs(t.Context(), a.builder())
		if err == nil {
			err = created[0].Err
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, a := range acls {
		for known := false; !known; {
			described, err := g.admin.DescribeACLs(ctx, a.builder())
			if err == nil {
				err = described[0].Err
			}
			if err != nil {
				t.Fatal(err)
			}
			known = len(described[0].Described) > 0
		}
	}
}

// createTopics is what an administrator does where orderwalk may not.
func (g *guarded) createTopics(t *testing.T, name string) {
	t.Helper()
	compact := "compact"
	if _, err := g.admin.CreateTopic(t.Context(), 3, 1, nil, name+".orders"); err != nil {
		t.Fatal(err)
	}
	if _, err := g.admin.CreateTopic(t.Context(), 4, 1, map[string]*string{"cleanup.policy": &compact}, name+".offsets"); err != nil {
		t.Fatal(err)
	}
}

// orderwalk runs orderwalk in this process.
func orderwalk(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	var out, errs bytes.Buffer
	code = Main(ctx, args, Streams{Out: &out, Err: &errs})
	if ctx.Err() != nil {
		t.Errorf("orderwalk %v did not end\n%s%s", args, &out, &errs)
	}
	noSecret(t, out.String()+errs.String())
	return code, out.String(), errs.String()
}

// The rights that docs/KAFKA.md lists are enough, and with each one missing
// in turn check and run name the principal, the operation and the resource.
func TestRights(t *testing.T) {
	g := startGuarded(t)

	t.Run("least", func(t *testing.T) {
		g.use(t, "least")
		g.createTopics(t, "least")
		g.grant(t, least("least")...)
		code, stdout, stderr := orderwalk(t, "check")
		t.Logf("%s%s", stdout, stderr)
		if code != 0 || strings.Contains(stdout, "failed") {
			t.Errorf("check = %d\n%s%s", code, stdout, stderr)
		}
		if code, stdout, stderr := orderwalk(t, "run"); code != 0 {
			t.Errorf("run = %d\n%s%s", code, stdout, stderr)
		}
		records, err := kafkatest.ReadCommitted(t.Context(), g.Brokers(), "least.orders")
		if err != nil || len(records) != g.orders {
			t.Errorf("%d records, %v, want %d", len(records), err, g.orders)
		}
		code, stdout, stderr = orderwalk(t, "check", "--json")
		var answer struct {
			OK     bool
			Checks []finding
		}
		if err := json.Unmarshal([]byte(stdout), &answer); err != nil || code != 0 || !answer.OK || len(answer.Checks) < 7 {
			t.Errorf("check --json = %d, %v\n%s%s", code, err, stdout, stderr)
		}
	})

	t.Run("lanes by their names", func(t *testing.T) {
		g.use(t, "named")
		g.createTopics(t, "named")
		var rights []acl
		for _, a := range least("named") {
			if !a.prefixed {
				rights = append(rights, a)
			}
		}
		for lane := range 4 {
			rights = append(rights, acl{kadm.OpWrite, "transactional-id", fmt.Sprintf("named-%d", lane), false})
		}
		g.grant(t, rights...)
		code, stdout, stderr := orderwalk(t, "check")
		if code != 0 || !strings.Contains(stdout, "the rest is not checked, since that needs Write on named-check") {
			t.Errorf("check = %d\n%s%s", code, stdout, stderr)
		}
	})

	for i, missing := range least("x") {
		name := fmt.Sprintf("without%d", i)
		all := least(name)
		t.Run(fmt.Sprintf("without %v on %s", missing.operation, missing.resource), func(t *testing.T) {
			g.use(t, name)
			g.createTopics(t, name)
			g.grant(t, append(all[:i:i], all[i+1:]...)...)
			code, stdout, stderr := orderwalk(t, "check")
			t.Logf("check = %d\n%s%s", code, stdout, stderr)
			want := fmt.Sprintf("kafka-acls.sh --add --allow-principal User:walker --operation %s --%s %s",
				operationName(missing.operation), missing.resource, all[i].name)
			if code != 1 || !strings.Contains(stdout, want) || strings.Count(stdout, "\nfailed ") != 1 || strings.Count(stdout, "kafka-acls.sh") != 1 {
				t.Errorf("check = %d, want 1, and one line with %s", code, want)
			}
			code, _, stderr = orderwalk(t, "run")
			t.Logf("run = %d\n%s", code, afterLog(stderr))
			if code != 1 || !strings.Contains(stderr, want) || strings.Count(stderr, "kafka-acls.sh --add") != 1 || !strings.Contains(stderr, "User:walker lacks "+operationName(missing.operation)+" on ") {
				t.Errorf("run = %d, want 1 and %s", code, want)
			}
		})
	}

	t.Run("nothing", func(t *testing.T) {
		g.use(t, "nothing")
		code, stdout, stderr := orderwalk(t, "check")
		t.Logf("check = %d\n%s%s", code, stdout, stderr)
		if code != 1 || strings.Count(stdout, "kafka-acls.sh") != 5 {
			t.Errorf("check = %d", code)
		}
		code, _, stderr = orderwalk(t, "run")
		t.Logf("run = %d\n%s", code, afterLog(stderr))
		if code != 1 || strings.Count(stderr, "kafka-acls.sh --add") != 5 {
			t.Errorf("run = %d", code)
		}
	})

	t.Run("topics to be created", func(t *testing.T) {
		g.use(t, "fresh")
		g.grant(t, least("fresh")...)
		code, stdout, stderr := orderwalk(t, "check")
		t.Logf("check = %d\n%s%s", code, stdout, stderr)
		if code != 1 || !strings.Contains(stdout, "--operation Create --topic fresh.orders") || !strings.Contains(stdout, "--operation Create --topic fresh.offsets") {
			t.Errorf("check = %d", code)
		}
		g.grant(t, acl{kadm.OpCreate, "topic", "fresh.", true})
		code, stdout, stderr = orderwalk(t, "check")
		if code != 0 || strings.Count(stdout, "does not exist yet") != 2 {
			t.Errorf("check = %d\n%s%s", code, stdout, stderr)
		}
		if listed, err := g.admin.ListTopics(t.Context(), "fresh.orders"); err != nil || listed.Has("fresh.orders") {
			t.Errorf("check has created a topic: %v, %v", listed, err)
		}
		if code, stdout, stderr := orderwalk(t, "run"); code != 0 {
			t.Errorf("run = %d\n%s%s", code, stdout, stderr)
		}
	})

	t.Run("offsets topic not compacted", func(t *testing.T) {
		g.use(t, "plain")
		if _, err := g.admin.CreateTopic(t.Context(), 4, 1, nil, "plain.offsets"); err != nil {
			t.Fatal(err)
		}
		g.grant(t, append(least("plain"), acl{kadm.OpDescribeConfigs, "topic", "plain.offsets", false}, acl{kadm.OpCreate, "topic", "plain.orders", false})...)
		if code, stdout, _ := orderwalk(t, "check"); code != 1 || !strings.Contains(stdout, "cleanup.policy=compact") {
			t.Errorf("check = %d\n%s", code, stdout)
		}
	})
}

func operationName(o kadm.ACLOperation) string {
	return map[kadm.ACLOperation]string{kadm.OpRead: "Read", kadm.OpWrite: "Write"}[o]
}

// afterLog is what follows the last line of the log.
func afterLog(stderr string) string {
	lines := strings.Split(stderr, "\n")
	for i, line := range lines {
		if !strings.HasPrefix(line, "{") {
			return strings.Join(lines[i:], "\n")
		}
	}
	return ""
}

// What docs/KAFKA.md tells an administrator to grant is what this test uses.
func TestSecurityDocumentHasTheRights(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "docs", "KAFKA.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range least("orderwalk") {
		name := strings.NewReplacer("orderwalk.orders", "wechat.orders").Replace(a.name)
		want := fmt.Sprintf("--operation %s --%s %s", operationName(a.operation), a.resource, name)
		if !strings.Contains(string(data), want) {
			t.Errorf("docs/KAFKA.md has no %s", want)
		}
	}
}
