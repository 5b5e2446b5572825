package txn

import (
	"context"
	"maps"
	"sync"

	"github.com/segmentio/kafka-go/protocol/listoffsets"
)

// HighWatermarks returns the offset after the last record of each of a topic's
// partitions, committed or not. It asks each leader once; a partition without an answer
// is missing. kafka-go would send a request for each partition.
func (r *Reader) HighWatermarks(ctx context.Context, topic string) map[int32]int64 {
	c := clusterAt(r.Addr, r.Transport)
	known, err := c.leaders(ctx, []string{topic})
	if err != nil {
		return nil
	}
	byLeader := make(map[int32][]listoffsets.RequestPartition)
	for _, p := range known[topic].Partitions {
		if p.LeaderID >= 0 {
			byLeader[p.LeaderID] = append(byLeader[p.LeaderID], listoffsets.RequestPartition{
				Partition: p.PartitionIndex, CurrentLeaderEpoch: -1, Timestamp: latestOffset,
			})
		}
	}
	all := make(map[int32]int64)
	var mu sync.Mutex // guards all
	var asking sync.WaitGroup
	for node, partitions := range byLeader {
		asking.Go(func() {
			said := c.highWatermarks(ctx, node, topic, partitions)
			mu.Lock()
			defer mu.Unlock()
			maps.Copy(all, said)
		})
	}
	asking.Wait()
	return all
}

// highWatermarks asks one leader.
func (c cluster) highWatermarks(ctx context.Context, node int32, topic string, partitions []listoffsets.RequestPartition) map[int32]int64 {
	res, err := c.exchange(ctx, node, coordinatorLimit, &listoffsets.Request{
		ReplicaID: -1,
		Topics:    []listoffsets.RequestTopic{{Topic: topic, Partitions: partitions}},
	})
	if err != nil {
		return nil
	}
	said := make(map[int32]int64)
	for _, t := range res.(*listoffsets.Response).Topics {
		for _, p := range t.Partitions {
			if t.Topic == topic && p.ErrorCode == 0 {
				said[p.Partition] = p.Offset
			}
		}
	}
	return said
}
