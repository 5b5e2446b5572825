package connector

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"orderwalk/internal/record"
	"orderwalk/offsets"
	"orderwalk/simulator"
)

// inLane returns app IDs whose shops are in one of the story's four lanes.
func (a *testbed) inLane(number, n int) (ids []string) {
	for i := 0; len(ids) < n; i++ {
		id := fmt.Sprintf("wx%d", i)
		if laneOf(a.name, offsets.Partition{Shop: id, Range: "create_time"}, 4) == number {
			ids = append(ids, id)
		}
	}
	return ids
}

func (a *testbed) createTopic(name string, partitions int32, config map[string]*string) {
	a.Helper()
	a.admin(func(ctx context.Context, admin *kadm.Client) error {
		_, err := admin.CreateTopic(ctx, partitions, 1, config, name)
		return err
	})
}

// impossible has Kafka refuse the name of a topic: kfake accepts any.
func (a *testbed) impossible(name string) {
	if a.bubble {
		a.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Metadata, kmsg.CreateTopics}, Topic: name, Err: kerr.InvalidTopicException, Count: -1})
	}
}

// oneTopicIsRefused: shops of one lane have topics of their own. One topic cannot be
// created and one refuses our batches. Their shops fail and say why. The lane's other
// shop is read whole, although the refusal comes in the middle of transactions with its
// orders. No checkpoint covers an order that is not on a topic, so the refused shop
// loses nothing once its topic works.
func oneTopicIsRefused(a *testbed) {
	small := a.name + ".small"
	topics := []string{"", small, "not a name"}
	var world []simulator.Shop
	var shops []shop
	for i, id := range a.inLane(2, len(topics)) {
		sh, p := backlog(id, 300)
		p.PageSize = 10
		world = append(world, sh)
		shops = append(shops, shop{appID: id, policy: p, topic: topics[i]})
	}
	a.simulate(simulator.Config{Seed: 37, Shops: world, Latency: time.Millisecond})
	a.impossible("not a name")
	bytes := "200" // enough for transaction markers, which Kafka would refuse, too
	a.createTopic(small, 1, map[string]*string{"max.message.bytes": &bytes})

	err := a.start(shops...).wait()
	if err == nil {
		a.Fatal("ended without an error")
	}
	for _, want := range []string{"2 of 3 shops", shops[1].appID + ": failed: Produce to " + small + "/0: Message Size Too Large; " + tryIt, shops[2].appID + `: failed: ensure topics: topic "not a name"`} {
		if !strings.Contains(err.Error(), want) {
			a.Errorf("the error does not say %q:\n%v", want, err)
		}
	}
	a.eachOnce(shops[0].appID, shops[0].policy.Start, shops[0].policy.End)
	coveredOn(a, small, shops[1].appID, shops[1].policy.Start)
	if c := a.checkpoints()[offsets.Partition{Shop: shops[2].appID, Range: "create_time"}]; c != nil {
		a.Errorf("a shop that has never been read has a checkpoint: %+v", c)
	}

	if err := a.start(shops[2]).wait(); err == nil || !strings.Contains(err.Error(), `topic "not a name"`) {
		a.Errorf("a worker that has nothing but an impossible topic ended with %v", err)
	}
	if err := a.start(shops[1]).wait(); err == nil || !strings.Contains(err.Error(), "the shop is not done") {
		a.Errorf("a worker that has nothing but a refused topic ended with %v", err)
	}
	bytes = "1048576"
	a.admin(func(ctx context.Context, admin *kadm.Client) error {
		_, err := admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "max.message.bytes", Value: &bytes}}, small)
		return err
	})
	if err := a.start(shops[:2]...).wait(); err != nil {
		a.Error(err)
	}
	if n := len(a.topic(small)); n != 300 {
		a.Errorf("topic %s has %d records of 300 orders", small, n)
	}
}

// stateOf returns a shop's status at the worker that has it.
func stateOf(appID string, workers ...*process) ShopStatus {
	for _, w := range workers {
		for _, s := range w.Status() {
			if s.AppID == appID && s.State != StateElsewhere {
				return s
			}
		}
	}
	return ShopStatus{State: StateElsewhere}
}

// A topic is deleted while two workers run. Its shops fail, each in a lane with other
// shops; those and both workers continue. When the topic exists again, with another
// partition count, its shops continue without a restart.
func TestATopicThatWasDeletedIsUsedAgainWhenItIsBack(t *testing.T) {
	inBubble(t, func(a *testbed) {
		start := time.Now().Unix() - 60
		ids := slices.Concat(a.inLane(0, 2), a.inLane(1, 2), a.inLane(3, 1))
		bad := []string{ids[0], ids[2], ids[4]} // the last one is the only shop of its lane
		topic := a.name + ".bad"
		p := a.policy()
		p.Start, p.PollInterval = start, 5*time.Second
		var world []simulator.Shop
		var shops []shop
		for _, id := range ids {
			world = append(world, simulator.Shop{AppID: id, Secret: "secret-" + id, Live: simulator.Live{Rate: 2, Since: start}})
			s := shop{appID: id, policy: p}
			if slices.Contains(bad, id) {
				s.topic = topic
			}
			shops = append(shops, s)
		}
		a.simulate(simulator.Config{Seed: 38, Shops: world})
		workers := []*process{a.start(shops...), a.start(shops...)}
		are := func(state State, which ...string) bool {
			return !slices.ContainsFunc(which, func(id string) bool { return stateOf(id, workers...).State != state })
		}
		a.until("all are live", func() bool { return are(StateLive, ids...) })
		time.Sleep(20 * time.Second) // until the whole backlog is committed
		a.deleteTopic(topic)
		a.until("the shops of the deleted topic have failed", func() bool { return are(StateFailed, bad...) })
		if s := stateOf(bad[0], workers...); !strings.Contains(s.Reason, "to "+topic) || !strings.HasSuffix(s.Reason, "; "+tryIt) {
			t.Errorf("the reason is %q", s.Reason)
		}
		time.Sleep(5 * time.Minute) // two checks of the topic
		if !are(StateFailed, bad...) || !are(StateLive, ids[1], ids[3]) {
			t.Fatalf("5 minutes later: %+v", workers[0].Status())
		}
		for _, id := range []string{ids[1], ids[3]} {
			if s := stateOf(id, workers...); s.Lag(time.Now()) > 10*time.Second {
				t.Errorf("shop %s lags %v behind", id, s.Lag(time.Now()))
			}
		}
		a.createTopic(topic, 5, nil)
		time.Sleep(maxWait)
		a.until("the shops go on", func() bool { return are(StateLive, ids...) })
		for i, w := range workers {
			if err := w.stop(); err != nil {
				t.Errorf("worker %d: %v", i, err)
			}
		}
		cs := a.checkpoints()
		for _, id := range []string{ids[1], ids[3]} {
			a.eachOnce(id, start, cs[offsets.Partition{Shop: id, Range: "create_time"}].Watermark-1)
		}
		// The earlier orders were deleted with the topic; no later one is missing.
		count := make(map[string]int)
		first := make(map[string]int64)
		for _, r := range a.topic(topic) {
			v := decodeOrder(t, r)
			count[v.OrderID]++
			if first[v.Shop] == 0 || v.WindowEnd < first[v.Shop] {
				first[v.Shop] = v.WindowEnd
			}
			if want := record.Partition(r.Key, 5); want != r.Partition {
				t.Fatalf("order %s is in partition %d, not %d", r.Key, r.Partition, want)
			}
		}
		for _, id := range bad {
			end := cs[offsets.Partition{Shop: id, Range: "create_time"}].Watermark
			for _, o := range a.api.Orders(id, time.Unix(end-1, 0)) {
				if n := count[o.ID]; o.Created > first[id] && n != 1 || n > 1 {
					t.Fatalf("order %s of %d is there %d times; the first window ends at %d", o.ID, o.Created, n, first[id])
				}
			}
			if first[id] == 0 || first[id] > end-300 {
				t.Errorf("shop %s goes on at %d; the topic was gone from before %d", id, first[id], end-300)
			}
		}
	})
}

// A checkpoint that fits into no batch, here because of the filter stored with each
// window, fails its shop but not the others of its lane.
func TestACheckpointThatDoesNotFitFailsItsShop(t *testing.T) {
	inBubble(t, func(a *testbed) {
		var world []simulator.Shop
		var shops []shop
		for _, id := range a.inLane(1, 2) {
			sh, p := backlog(id, 300)
			p.PageSize = 10
			world = append(world, sh)
			shops = append(shops, shop{appID: id, policy: p})
		}
		shops[0].policy.OpenID = strings.Repeat("o", 1<<20)
		a.simulate(simulator.Config{Seed: 39, Shops: world})
		err := a.start(shops...).wait()
		if err == nil || !strings.Contains(err.Error(), "1 of 2 shops") || !strings.Contains(err.Error(), shops[0].appID+": failed: encode checkpoint") {
			t.Errorf("ended with %v", err)
		}
		a.eachOnce(shops[1].appID, shops[1].policy.Start, shops[1].policy.End)
		time.Sleep(time.Second) // the server closes connections whose requests it has not read
	})
}

// A topic without a leader, or with too few replicas, fails its shops after a while, if
// other shops of the lane can continue without it. Kafka does not refuse it definitely,
// so the lane waits for it first.
func TestATopicThatAilsForLongHoldsUpItsOwnShopsOnly(t *testing.T) {
	for name, ail := range map[string]func(a *testbed, topic string) (recover func()){
		"not enough replicas": func(a *testbed, topic string) func() {
			return a.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: kerr.NotEnoughReplicas, Count: -1}).Remove
		},
		"no leader": func(a *testbed, topic string) func() {
			moved := a.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: kerr.NotLeaderForPartition, Count: -1})
			gone := a.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Topic: topic, Err: kerr.LeaderNotAvailable, Count: -1})
			return func() { moved.Remove(); gone.Remove() }
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(a *testbed) {
				start := time.Now().Unix() - 60
				ids := a.inLane(1, 2)
				topic := a.name + ".ailing"
				p := a.policy()
				p.Start, p.PollInterval = start, 5*time.Second
				var world []simulator.Shop
				for _, id := range ids {
					world = append(world, simulator.Shop{AppID: id, Secret: "secret-" + id, Live: simulator.Live{Rate: 2, Since: start}})
				}
				a.simulate(simulator.Config{Seed: 40, Shops: world})
				run := a.start(shop{appID: ids[0], policy: p, topic: topic}, shop{appID: ids[1], policy: p})
				a.until("both are live", func() bool { return count(run, StateLive) == 2 })
				recover := ail(a, topic)
				time.Sleep(3 * time.Minute)
				if bad, good := stateOf(ids[0], run), stateOf(ids[1], run); bad.State != StateFailed || !strings.Contains(bad.Reason, topic) || good.State != StateLive || good.Lag(time.Now()) > 30*time.Second {
					t.Errorf("three minutes later: %+v, %+v", bad, good)
				}
				recover()
				time.Sleep(maxWait)
				a.until("both are live", func() bool { return count(run, StateLive) == 2 })
				end := min(stateOf(ids[0], run).Watermark, stateOf(ids[1], run).Watermark)
				if err := run.stop(); err != nil {
					t.Error(err)
				}
				a.eachOnce(ids[1], start, end-1)
				coveredOn(a, topic, ids[0], start)
			})
		})
	}
}
