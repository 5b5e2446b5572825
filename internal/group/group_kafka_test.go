//go:build kafka

package group

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"orderwalk/test/kafkatest"
)

// A group's life on a real Kafka, with real kills and freezes. It starts on a new
// cluster, so the first join has to wait for the group's topic.
func TestKafka(t *testing.T) {
	const lanes = 16
	cluster, err := kafkatest.Launch(t.Context(), kafkatest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Stop()
	createTopic(t, cluster.Brokers(), lanes)
	session := 6 * time.Second
	start := func(worker string) *process {
		return startProcess(t, childConfig{cluster.Brokers(), groupID, worker, session})
	}
	a := start("a")
	t.Logf("first join on a fresh cluster: %v", waitFor(t, lanes, a))
	b := start("b")
	t.Logf("second member: %v", waitFor(t, lanes, a, b))
	hadA, _, _, _ := a.state()
	for _, p := range []*process{a, b} {
		p.mu.Lock()
		if !p.current {
			t.Errorf("%s: Current is false right after the assignment", p.name)
		}
		p.mu.Unlock()
	}

	b.signal(syscall.SIGKILL)
	again := start("b")
	t.Logf("killed and started again under its name: %v", waitFor(t, lanes, a, again))
	hasA, _, _, _ := a.state()
	if !slices.Equal(hadA.Lanes, hasA.Lanes) {
		t.Errorf("a had %v, has %v", hadA.Lanes, hasA.Lanes)
	}

	c := start("c")
	t.Logf("third member: %v", waitFor(t, lanes, a, again, c))
	again.signal(syscall.SIGTERM)
	t.Logf("planned stop: %v", waitFor(t, lanes, a, c))

	c.signal(syscall.SIGKILL)
	t.Logf("killed without a replacement, session timeout 6 s: %v", waitFor(t, lanes, a))

	d := start("d")
	waitFor(t, lanes, a, d)
	d.signal(syscall.SIGSTOP)
	t.Logf("frozen, session timeout 6 s: %v", waitFor(t, lanes, a))
	frozen, _, _, _ := d.state()
	d.signal(syscall.SIGCONT)
	t.Logf("woken: %v", waitFor(t, lanes, a, d))
	woken, _, lost, _ := d.state()
	if lost < 1 || woken.Member == frozen.Member {
		t.Errorf("lost %d times; member %s, then %s", lost, frozen.Member, woken.Member)
	}

	// The only broker restarts: a membership outlives that if its session does.
	stop := func(p *process) {
		p.signal(syscall.SIGTERM)
		if err := p.cmd.Wait(); err != nil {
			t.Errorf("%s: %v", p.name, err)
		}
	}
	stop(a)
	stop(d)
	session = 2 * time.Minute
	a, d = start("a"), start("d")
	waitFor(t, lanes, a, d)
	beforeA, toldA, _, _ := a.state()
	beforeD, toldD, _, _ := d.state()
	cluster.StopBroker(0)
	if err := cluster.StartBroker(0); err != nil {
		t.Fatal(err)
	}
	e := start("e")
	t.Logf("a third member after the broker's restart: %v", waitFor(t, lanes, a, d, e))
	nowA, nowToldA, lostA, _ := a.state()
	nowD, nowToldD, lostD, _ := d.state()
	if nowA.Member != beforeA.Member || nowD.Member != beforeD.Member || lostA+lostD > 0 {
		t.Errorf("other member IDs after the restart: %s, %s; lost %d and %d", nowA.Member, nowD.Member, lostA, lostD)
	}
	t.Logf("assigned during the restart: a %d times, d %d times; lost %d and %d", nowToldA-toldA, nowToldD-toldD, lostA, lostD)

	for _, p := range []*process{a, d, e} {
		stop(p)
	}
}

// Two processes with the same worker ID live side by side after the first complaint.
func TestKafkaTwins(t *testing.T) {
	const lanes = 4
	brokers := kafkatest.Start(t)
	createTopic(t, brokers, lanes)
	c := childConfig{brokers, "twins", "same", 6 * time.Second}
	a := startProcess(t, c)
	waitFor(t, lanes, a)
	b := startProcess(t, c)
	t.Logf("both in: %v", waitFor(t, lanes, a, b))
	if !slices.ContainsFunc(a.log(), func(l string) bool { return strings.Contains(l, ErrNamesake.Error()) }) {
		t.Errorf("the first logged %q", a.log())
	}
}

// Real answers to refused requests.
func TestKafkaRefuses(t *testing.T) {
	brokers := kafkatest.Start(t)
	for name, test := range map[string]struct {
		session time.Duration
		group   string
		want    error
	}{
		"session timeout": {time.Second, "refused", kafka.InvalidSessionTimeout},
		"foreign group":   {0, "foreign", kafka.InconsistentGroupProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			foreign, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumerGroup("foreign"), kgo.ConsumeTopics("foreign"))
			if err != nil {
				t.Fatal(err)
			}
			defer foreign.Close()
			admin := kadm.NewClient(foreign)
			if _, err := admin.CreateTopics(t.Context(), 1, -1, nil, "foreign", topic); err != nil {
				t.Fatal(err)
			}
			for joined := false; !joined; {
				poll, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
				foreign.PollFetches(poll)
				cancel()
				member, _ := foreign.GroupMetadata()
				joined = member != ""
			}
			transport := &kafka.Transport{}
			defer transport.CloseIdleConnections()
			m := New(Config{
				Brokers: brokers, Addr: kafka.TCP(brokers...), Transport: transport,
				GroupID: test.group, Topic: topic, Worker: "w", SessionTimeout: test.session,
			})
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			err = m.Run(ctx, func(a Assignment) { t.Errorf("assigned %+v", a) }, func() { t.Error("lost") })
			if !errors.Is(err, test.want) {
				t.Errorf("Run = %v, want %v", err, test.want)
			}
			t.Log(err)
		})
	}
}

// The coordinator's broker is stopped, then killed: the memberships move with
// the group.
func TestKafkaCoordinatorFails(t *testing.T) {
	const lanes = 16
	cluster, err := kafkatest.Launch(t.Context(), kafkatest.Options{Brokers: 3})
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Stop()
	createTopic(t, cluster.Brokers(), lanes)
	start := func(worker string) *process {
		return startProcess(t, childConfig{cluster.Brokers(), groupID, worker, 2 * time.Minute})
	}
	a := start("a")
	t.Logf("first join on a fresh cluster: %v", waitFor(t, lanes, a))
	b := start("b")
	waitFor(t, lanes, a, b)
	before, _, _, _ := a.state()
	transport := &kafka.Transport{}
	defer transport.CloseIdleConnections()
	for how, end := range map[string]func(int){"stopped": cluster.StopBroker, "killed": cluster.KillBroker} {
		was := coordinator(t, cluster.Brokers())
		began := time.Now()
		end(slices.Index(cluster.Brokers(), was))
		for is := was; is == was; is = coordinator(t, cluster.Brokers()) {
		}
		t.Logf("%s: another coordinator after %v", how, time.Since(began))
		m := New(Config{
			Brokers: cluster.Brokers(), Addr: kafka.TCP(cluster.Brokers()...), Transport: transport,
			GroupID: groupID, Topic: topic,
		})
		a, _, _, _ := a.state()
		if is, err := m.Current(t.Context(), a); !is || err != nil || a.Generation != before.Generation {
			t.Errorf("%s: Current of %+v = %v, %v; before it was %+v", how, a, is, err, before)
		}
		if err := cluster.StartBroker(slices.Index(cluster.Brokers(), was)); err != nil {
			t.Fatal(err)
		}
	}
	c := start("c")
	waitFor(t, lanes, a, b, c)
	for _, p := range []*process{a, b, c} {
		now, told, lost, _ := p.state()
		t.Logf("%s: generation %d, assigned %d times, lost %d times; %q", p.name, now.Generation, told, lost, p.log())
		if lost > 0 {
			t.Errorf("%s was lost", p.name)
		}
	}
	if now, _, _, _ := a.state(); now.Member != before.Member {
		t.Errorf("a was %s, is %s", before.Member, now.Member)
	}
}

// coordinator returns the address of the group's coordinator from any broker's answer.
func coordinator(t *testing.T, brokers []string) string {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	answer := kadm.NewClient(client).FindGroupCoordinators(t.Context(), groupID)
	if err := answer.Error(); err != nil {
		return ""
	}
	for _, c := range answer {
		return net.JoinHostPort(c.Host, fmt.Sprint(c.Port))
	}
	return ""
}
