package group

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Cut off from Kafka: lost is reported when other workers may take over; the worker gets
// the remaining lanes when it is back.
func TestCutOff(t *testing.T) {
	for name, state := range map[string]wireState{"connections break": wireDown, "nothing arrives": wireMute} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 12, func(t *testing.T, w *fixture) {
				a, b := w.start("a"), w.start("b")
				w.within(2*rebalance, a, b)
				old := b.last()
				b.wire.set(state)
				cut := time.Now()
				w.within(session+rebalance, a)
				time.Sleep(time.Second)
				if n, at := b.timesLost(); n != 1 || at.Sub(cut) > session || at.Sub(cut) < session-b.interval {
					t.Errorf("lost %d times, %v after the cut", n, at.Sub(cut))
				}
				time.Sleep(5 * time.Minute)
				if b.inOutage() == nil {
					t.Error("OnOutage did not hear of it")
				}
				if n, _ := b.timesLost(); n != 1 {
					t.Errorf("lost %d times", n)
				}
				if n := strings.Count(b.log.String(), "cannot reach"); n != 1 {
					t.Errorf("%d lines about one outage:\n%s", n, b.log.String())
				}
				b.wire.set(wireUp)
				w.within(5*time.Second, a, b)
				if b.last().Member == old.Member {
					t.Error("the member ID is the old one")
				}
				if !strings.Contains(b.log.String(), "reached the coordinator") {
					t.Errorf("no word of being back:\n%s", b.log.String())
				}
				if err := b.inOutage(); err != nil {
					t.Errorf("OnOutage did not hear of its end, but of %v", err)
				}
				w.stays(time.Minute, a, b)
				if got := w.inGroup(); !slices.Equal(got, []string{"a", "b"}) {
					t.Errorf("in the group: %v", got)
				}
			})
		})
	}
}

// Answers take a second, and a new connection needs several. An unanswered heartbeat closes
// its connection, so the next ones get more time.
func TestASlowKafka(t *testing.T) {
	inBubble(t, 12, func(t *testing.T, w *fixture) {
		a, b := w.start("a"), w.start("b")
		w.within(2*rebalance, a, b)
		b.wire.set(wireDown)
		b.wire.set(wireSlow)
		w.stays(5*time.Minute, a, b)
		if n, _ := b.timesLost(); n > 0 {
			t.Errorf("lost %d times\n%s", n, b.log.String())
		}
		b.wire.set(wireUp)
		w.stays(time.Minute, a, b)
	})
}

// A join that fails half-way may leave a member behind, even one that leads the group. The
// next join removes it: the group would wait a session for each.
func TestAJoinThatFailsLeavesNoMember(t *testing.T) {
	inBubble(t, 12, func(t *testing.T, w *fixture) {
		a, b := w.start("a"), w.start("b")
		w.within(2*rebalance, a, b)
		w.Cluster.Fault(kfake.Fault{Keys: keys(kmsg.SyncGroup), Group: groupID, Err: kerr.UnknownServerError, Count: 8},
			kfake.Fault{Keys: keys(kmsg.LeaveGroup), Group: groupID, Err: kerr.CoordinatorNotAvailable, Count: 8})
		c := w.start("c")
		w.within(session+session/2, a, b, c)
		if got := w.inGroup(); !slices.Equal(got, []string{"a", "b", "c"}) {
			t.Errorf("in the group: %v", got)
		}
	})
}

// A cut shorter than the session has no effect.
func TestShortCut(t *testing.T) {
	inBubble(t, 12, func(t *testing.T, w *fixture) {
		a, b := w.start("a"), w.start("b")
		w.within(2*rebalance, a, b)
		for _, state := range []wireState{wireDown, wireMute} {
			b.wire.set(state)
			w.stays(5*time.Second, a, b)
			b.wire.set(wireUp)
			w.stays(time.Minute, a, b)
		}
		if n, _ := b.timesLost(); n > 0 || b.count(EventRetry) == 0 {
			t.Errorf("lost %d times, %d retries", n, b.count(EventRetry))
		}
	})
}

// The coordinator is away, for a moment or for so long that all members report lost:
// the memberships it kept stand, without a rebalance.
func TestCoordinatorAway(t *testing.T) {
	for _, code := range []*kerr.Error{kerr.CoordinatorNotAvailable, kerr.NotCoordinator, kerr.CoordinatorLoadInProgress} {
		t.Run(code.Message, func(t *testing.T) {
			inBubble(t, 12, func(t *testing.T, w *fixture) {
				a, b := w.start("a"), w.start("b")
				w.within(2*rebalance, a, b)
				generation := a.last().Generation
				// Sessions do not run while a real coordinator is away.
				w.Cluster.Fault(kfake.Fault{Keys: keys(kmsg.Heartbeat), Group: groupID, Err: code, Count: 20})
				w.stays(8*time.Second, a, b)
				if a.count(EventLost)+b.count(EventLost) != 0 || strings.Count(w.logs(), "reached the coordinator") != 2 {
					t.Errorf("events %v %v\n%s", a.events, b.events, w.logs())
				}
				if a.last().Generation != generation {
					t.Errorf("generation %d, before it was %d", a.last().Generation, generation)
				}
			})
		})
	}
}

func TestCoordinatorMoves(t *testing.T) {
	inBubble(t, 12, func(t *testing.T, w *fixture) {
		a, b := w.start("a"), w.start("b")
		w.within(2*rebalance, a, b)
		for range 10 {
			w.RehashCoordinators()
			w.stays(2*time.Second, a, b)
		}
		w.RehashCoordinators()
		c := w.start("c")
		w.within(2*rebalance, a, b, c)
	})
}

// Lost, yet still a member: the same assignment is reported again.
func TestAssignmentSurvivesLoss(t *testing.T) {
	inBubble(t, 12, func(t *testing.T, w *fixture) {
		// A coordinator with a longer session timeout than the worker's.
		w.ControlKey(int16(kmsg.JoinGroup), func(req kmsg.Request) (kmsg.Response, error, bool) {
			req.(*kmsg.JoinGroupRequest).SessionTimeoutMillis *= 3
			return nil, nil, false
		})
		k := w.start("a")
		w.within(rebalance, k)
		want := k.last()
		k.wire.set(wireDown)
		time.Sleep(session + time.Second)
		k.wire.set(wireUp)
		w.eventually(time.Second, func() string {
			if k.tellings() != 2 {
				return "not told again"
			}
			return ""
		})
		if n, _ := k.timesLost(); n != 1 || k.last().Generation != want.Generation || !slices.Equal(k.has(), want.Lanes) {
			t.Errorf("lost %d times, then %+v; before %+v", n, k.last(), want)
		}
	})
}

// The first join on a cluster that still has to create the group's topic.
func TestFreshCluster(t *testing.T) {
	for _, name := range []string{"a", ""} {
		inBubble(t, 12, func(t *testing.T, w *fixture) {
			fault := w.Cluster.Fault(kfake.Fault{Keys: keys(kmsg.FindCoordinator), Err: kerr.CoordinatorNotAvailable, Count: -1})
			a := w.start(name)
			time.Sleep(700 * time.Millisecond)
			fault.Remove()
			w.within(time.Second, a)
			if strings.Contains(a.log.String(), "cannot reach") {
				t.Errorf("log: %s", a.log.String())
			}
		})
	}
}

// Two live workers have the same ID: the second removes the first, once, and the first
// logs the reason.
func TestTwins(t *testing.T) {
	inBubble(t, 12, func(t *testing.T, w *fixture) {
		a := w.start("same")
		w.within(rebalance, a)
		b := w.start("same")
		w.within(3*time.Second, a, b)
		w.stays(2*time.Minute, a, b)
		if !strings.Contains(a.log.String(), ErrNamesake.Error()) {
			t.Errorf("log of the first: %s", a.log.String())
		}
		if a.count(EventGhostRemoved) != 0 || b.count(EventGhostRemoved) != 1 {
			t.Errorf("removed %d and %d", a.count(EventGhostRemoved), b.count(EventGhostRemoved))
		}
		b.stop()
		w.within(2*rebalance, a)
	})
}

func TestRefusals(t *testing.T) {
	for _, test := range []struct {
		key  kmsg.Key
		code *kerr.Error
	}{
		{kmsg.JoinGroup, kerr.GroupAuthorizationFailed},
		{kmsg.DescribeGroups, kerr.GroupAuthorizationFailed},
		{kmsg.JoinGroup, kerr.InvalidSessionTimeout},
		{kmsg.JoinGroup, kerr.InconsistentGroupProtocol},
		{kmsg.Metadata, kerr.TopicAuthorizationFailed},
	} {
		t.Run(test.key.Name()+" "+test.code.Message, func(t *testing.T) {
			inBubble(t, 12, func(t *testing.T, w *fixture) {
				fault := kfake.Fault{Keys: keys(test.key), Err: test.code, Count: -1}
				if test.key == kmsg.Metadata {
					fault.Topic = topic
				}
				w.Cluster.Fault(fault)
				a := w.start("a").ends()
				var refused *Error
				if !errors.As(a.err, &refused) || refused.Code != kafka.Error(test.code.Code) || !strings.Contains(a.err.Error(), groupID) {
					t.Errorf("Run = %v, want %v", a.err, test.code)
				}
			})
		})
	}
}

// A worker without an ID looks the coordinator up only when it joins.
func TestRefusedByName(t *testing.T) {
	inBubble(t, 12, func(t *testing.T, w *fixture) {
		w.Cluster.Fault(kfake.Fault{Keys: keys(kmsg.FindCoordinator), Err: kerr.GroupAuthorizationFailed, Count: -1})
		a := w.start("").ends()
		if !errors.Is(a.err, kafka.GroupAuthorizationFailed) {
			t.Errorf("Run = %v", a.err)
		}
	})
}

func TestNonsenseConfiguration(t *testing.T) {
	inBubble(t, 12, func(t *testing.T, w *fixture) {
		a := w.start("", func(c *Config) { c.Brokers = nil }).ends()
		if a.err == nil || !strings.Contains(a.err.Error(), "broker") {
			t.Errorf("Run = %v", a.err)
		}
	})
}

// After the first generation a refusal is retried: an operator may be changing ACLs.
func TestRefusedLater(t *testing.T) {
	inBubble(t, 12, func(t *testing.T, w *fixture) {
		a := w.start("a")
		w.within(rebalance, a)
		fault := w.Cluster.Fault(kfake.Fault{Keys: keys(kmsg.Heartbeat, kmsg.JoinGroup, kmsg.LeaveGroup), Group: groupID, Err: kerr.GroupAuthorizationFailed, Count: -1})
		time.Sleep(time.Minute)
		if n := strings.Count(a.log.String(), "Group Authorization Failed"); n != 1 {
			t.Errorf("%d lines with the reason\n%s", n, a.log.String())
		}
		fault.Remove()
		w.within(5*time.Second, a)
	})
}
