//go:build kafka

package kafkatest_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"orderwalk/test/kafkatest"
)

// childVariable makes the test binary start a broker, print its process ID and wait to
// be killed.
const childVariable = "KAFKATEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		c, err := kafkatest.Launch(context.Background(), kafkatest.Options{})
		fmt.Println(c.PID(0), c.Log(0), err)
		select {}
	}
	os.Exit(m.Run())
}

func TestStart(t *testing.T) {
	if a, b := kafkatest.Start(t), kafkatest.Start(t); a[0] != b[0] {
		t.Errorf("two brokers %v and %v, want one for the process", a, b)
	}
	testReadCommitted(t, kafkatest.Start(t))
}

func TestBrokerDiesWithItsParent(t *testing.T) {
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childVariable+"=1")
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	var log string
	if _, err := fmt.Sscan(line, &pid, &log); err != nil || pid == 0 || !strings.HasSuffix(line, "<nil>\n") {
		t.Fatalf("the child says %q", line)
	}
	if err := syscall.Kill(pid, 0); err != nil {
		t.Fatalf("the broker does not run: %v", err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	child.Wait()
	data := filepath.Join(filepath.Dir(log), "..", "run", strings.TrimSuffix(filepath.Base(log), "-0.log"))
	eventually(t, "the broker ends", func() bool { return syscall.Kill(pid, 0) != nil })
	eventually(t, "its data is removed", func() bool {
		_, err := os.Stat(data)
		return os.IsNotExist(err)
	})
	if _, err := os.Stat(log); err != nil {
		t.Errorf("the log is gone: %v", err)
	}
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !is() {
		if time.Now().After(deadline) {
			t.Fatalf("not within 30 s: %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestThreeBrokersBehindAProxy(t *testing.T) {
	p := kafkatest.NewProxy(1)
	defer p.Close()
	c, err := kafkatest.Launch(t.Context(), kafkatest.Options{
		Brokers: 3, Proxies: []*kafkatest.Proxy{p}, Properties: []string{"message.max.bytes=5000"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	const produce, topic = 0, "through-the-proxy"
	client, err := kgo.NewClient(
		kgo.SeedBrokers(c.ProxyBrokers(0)...),
		kgo.DefaultProduceTopic(topic),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.MetadataMinAge(100*time.Millisecond),
		kgo.ProducerBatchCompression(kgo.NoCompression()),
	)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	made, err := kadm.NewClient(client).CreateTopic(ctx, 3, -1, nil, topic)
	if err != nil {
		t.Fatal(err)
	}
	if made.ReplicationFactor != 3 {
		t.Errorf("replication factor %d, want 3", made.ReplicationFactor)
	}
	sent := 0
	round := func() {
		t.Helper()
		before := p.Requests(produce)
		for partition := range int32(3) {
			r := &kgo.Record{Partition: partition, Value: []byte(fmt.Sprint(sent))}
			if err := client.ProduceSync(ctx, r).FirstErr(); err != nil {
				t.Fatal(err)
			}
			sent++
		}
		if p.Requests(produce) == before {
			t.Error("records went past the proxy")
		}
	}
	round()
	if err := client.ProduceSync(ctx, &kgo.Record{Value: make([]byte, 10_000)}).FirstErr(); err == nil {
		t.Error("a record above message.max.bytes was taken: the extra property is not in force")
	}
	p.Cut()
	round()
	p.SetRules(kafkatest.Rule{API: produce, Do: kafkatest.CutAnswer, Probability: 1, Limit: 2})
	round()
	if n := p.Hits(produce, kafkatest.CutAnswer); n != 2 {
		t.Errorf("%d answers cut, want 2", n)
	}
	c.KillBroker(0)
	if pid := c.PID(0); pid != 0 {
		t.Errorf("the killed broker has pid %d", pid)
	}
	round()
	if err := c.StartBroker(0); err != nil {
		t.Fatal(err)
	}
	if err := c.StartBroker(0); err == nil {
		t.Error("a broker that runs can be started")
	}
	c.StopBroker(1)
	round()
	if err := c.StartBroker(1); err != nil {
		t.Fatal(err)
	}
	records, err := kafkatest.ReadCommitted(ctx, c.Brokers(), topic)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, r := range records {
		seen[string(r.Value)]++
	}
	for i := range sent {
		if n := seen[fmt.Sprint(i)]; n != 1 {
			t.Errorf("record %d is there %d times, want once", i, n)
		}
	}
	pid := c.PID(2)
	c.Stop()
	if err := syscall.Kill(pid, 0); err == nil {
		t.Error("a broker runs after Stop")
	}
}

// Two concurrent fetches download the jars once.
func TestFetchTwiceAtOnce(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module empty\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			cache, err := kafkatest.Fetch(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			jars, _ := filepath.Glob(filepath.Join(cache, "lib", "kafka_*.jar"))
			if len(jars) != 1 {
				t.Errorf("jars of the broker: %v, want one", jars)
			}
			if _, err := os.Stat(filepath.Join(cache, "lib.part")); err == nil {
				t.Error("a partial download is left")
			}
		})
	}
	wg.Wait()
	t.Setenv("PATH", javaOnly(t))
	if _, err := kafkatest.Fetch(t.Context()); err != nil {
		t.Errorf("fetch what is there already, without Maven: %v", err)
	}
}

// javaOnly returns a PATH with java only.
func javaOnly(t *testing.T) string {
	java, err := exec.LookPath("java")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(java, filepath.Join(dir, "java")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestLaunchRefusesTwoBrokers(t *testing.T) {
	if _, err := kafkatest.Launch(t.Context(), kafkatest.Options{Brokers: 2}); err == nil {
		t.Error("two brokers can be launched")
	}
}
