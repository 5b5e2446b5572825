package connector

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"orderwalk/simulator"
)

// outdated makes a broker show the ends of the offsets topic as they are now, until the
// next Produce finds the leader: it was cut off from the others and takes itself for the
// leader still. It returns the number of answers.
func (a *testbed) outdated() *int {
	topic := a.name + ".offsets"
	ends := make(map[int32]int64)
	for i := range int32(4) {
		if info := a.cluster.PartitionInfo(topic, i); info != nil {
			ends[i] = info.HighWatermark
		}
	}
	over, answers := false, new(int)
	a.cluster.ControlKey(int16(kmsg.ListOffsets), func(r kmsg.Request) (kmsg.Response, error, bool) {
		a.cluster.KeepControl()
		req := r.(*kmsg.ListOffsetsRequest)
		if over || req.Topics[0].Topic != topic || req.Topics[0].Partitions[0].Timestamp != -1 {
			return nil, nil, false
		}
		*answers++
		res := req.ResponseKind().(*kmsg.ListOffsetsResponse)
		of := kmsg.NewListOffsetsResponseTopic()
		of.Topic = topic
		for _, q := range req.Topics[0].Partitions {
			p := kmsg.NewListOffsetsResponseTopicPartition()
			p.Partition, p.Offset = q.Partition, ends[q.Partition]
			of.Partitions = append(of.Partitions, p)
		}
		res.Topics = append(res.Topics, of)
		return res, nil, true
	})
	a.cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		a.cluster.KeepControl()
		over = over || *answers > 0
		return nil, nil, false
	})
	return answers
}

// A worker that takes a lane over reads its checkpoints from a broker that lacks the
// latest commits. It finds that out before it publishes anything a second time.
func TestCheckpointsReadFromALeaderThatIsNone(t *testing.T) {
	inBubble(t, func(a *testbed) {
		sh, p := backlog("wx1", 3000)
		p.PageSize, p.Concurrency = 20, 1
		a.simulate(simulator.Config{Seed: 1, Shops: []simulator.Shop{sh}, Latency: 50 * time.Millisecond})
		first := a.start(shop{appID: "wx1", policy: p})
		a.until("a part is published", func() bool { return len(a.listed()) > 40 })
		answers := a.outdated()
		a.until("more is published", func() bool { return len(a.listed()) > 90 })
		first.kill()
		second := a.start(shop{appID: "wx1", policy: p})
		if err := second.wait(); err != nil {
			t.Fatal(err)
		}
		if *answers == 0 {
			t.Error("nothing was read from it")
		}
		a.eachOnce("wx1", p.Start, p.End)
	})
}

// So does a worker that reads a single shop's checkpoint again, because it is restarted.
func TestACheckpointReadAgainFromALeaderThatIsNone(t *testing.T) {
	inBubble(t, func(a *testbed) {
		guest, p := backlog("guest", 3000)
		neighbour, q := backlog("neighbour", 3000)
		p.PageSize, p.Concurrency = 20, 1
		q.PageSize, q.Concurrency = 1, 1
		a.simulate(simulator.Config{Seed: 2, Shops: []simulator.Shop{guest, neighbour}, Latency: 50 * time.Millisecond})
		run := a.prepare(shop{appID: "guest", policy: p}, shop{appID: "neighbour", policy: q})
		run.cfg.OffsetsPartitions = 1
		a.run(run)
		a.until("a part is published", func() bool { return run.statusOf("guest").Published > 500 })
		run.Steer(map[string]Wanted{"neighbour": {Paused: true}})
		answers := a.outdated()
		a.until("more is published", func() bool { return run.statusOf("guest").Published > 1500 })
		run.Steer(map[string]Wanted{"guest": {Restarts: 1}})
		if err := run.wait(); err != nil {
			t.Fatal(err)
		}
		if *answers == 0 {
			t.Error("nothing was read from it")
		}
		a.eachOnce("guest", p.Start, p.End)
		a.eachOnce("neighbour", q.Start, q.End)
	})
}
