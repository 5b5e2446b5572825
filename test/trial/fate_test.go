//go:build kafka

package trial

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// fate says what became of lost orders: whether Kafka has their records, and which marker
// ended the transaction that they were in.
func (w *fixture) fate(lost []string) string {
	client, err := kgo.NewClient(kgo.SeedBrokers(w.brokers...), kgo.ConsumeTopics(w.orders()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadUncommitted()), kgo.KeepControlRecords())
	if err != nil {
		return err.Error()
	}
	defer client.Close()
	type found struct {
		id string
		*kgo.Record
	}
	var open []found
	seen := make(map[string]bool)
	var out strings.Builder
	for {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		fetched := client.PollFetches(ctx)
		cancel()
		if fetched.NumRecords() == 0 {
			break // all has been read
		}
		fetched.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				if slices.Contains(lost, string(r.Key)) {
					seen[string(r.Key)] = true
					open = append(open, found{string(r.Key), r})
				}
				return
			}
			open = slices.DeleteFunc(open, func(f found) bool {
				ends := f.Partition == r.Partition && f.ProducerID == r.ProducerID
				if ends {
					marker := "abort"
					if len(r.Key) >= 4 && binary.BigEndian.Uint16(r.Key[2:]) == 1 {
						marker = "commit"
					}
					fmt.Fprintf(&out, "%s in %d/%d by producer %d, epoch %d, at %s: ended by the %s at %d, epoch %d, at %s\n", f.id, f.Partition, f.Offset, f.ProducerID, f.ProducerEpoch,
						f.Timestamp.UTC().Format("15:04:05.000"), marker, r.Offset, r.ProducerEpoch, r.Timestamp.UTC().Format("15:04:05.000"))
				}
				return ends
			})
		})
	}
	for _, f := range open {
		fmt.Fprintf(&out, "%s in %d/%d by producer %d, epoch %d: still open\n", f.id, f.Partition, f.Offset, f.ProducerID, f.ProducerEpoch)
	}
	for _, id := range lost {
		if !seen[id] {
			fmt.Fprintf(&out, "%s: Kafka has no record of it\n", id)
		}
	}
	return out.String()
}
