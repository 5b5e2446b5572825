package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net"
	"os"
	"path/filepath"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// devBroker is Kafka inside this process, with its data on disk.
//
// The library it is made of writes every batch to disk, but it does not
// survive a kill in the middle of a transaction as Kafka does:
//
//   - it ends a transaction by writing a marker into one partition after the
//     other; after a kill in between, some partitions have it and others do not;
//   - at its next start it takes a transaction without a marker as aborted
//     without writing one, and then a correct reader skips everything that the
//     same producer commits later.
//
// It also forgets to list aborted transactions in an answer that is as long as
// the client allows.
//
// So the decision on a transaction is noted before the first marker is written
// (decisions), as a coordinator does, and after a kill the missing markers are
// added before the broker starts (repairPartitions). Commits are all or
// nothing, then, whenever the process is killed. And the length of an answer is
// left to what the client allows for each partition.
type devBroker struct {
	addr      string
	cluster   *kfake.Cluster
	decisions *decisions
	clean     string
}

// startBroker starts Kafka with what it has kept in the folder.
func startBroker(ctx context.Context, data *devData) (*devBroker, error) {
	dir := filepath.Join(data.dir, "kafka")
	decided, err := openDecisions(filepath.Join(data.dir, "decisions"))
	if err != nil {
		return nil, fmt.Errorf("start Kafka in this process: %w", err)
	}
	b := &devBroker{decisions: decided, clean: filepath.Join(data.dir, "clean")}
	// What is there after an orderly end needs no repair, and the transactions
	// that were open then go on.
	if err := os.Remove(b.clean); errors.Is(err, fs.ErrNotExist) {
		err = repairPartitions(filepath.Join(dir, "partitions"), decided.committed)
		if err != nil {
			decided.close()
			return nil, fmt.Errorf("repair Kafka's data after a kill: %w", err)
		}
	} else if err != nil {
		decided.close()
		return nil, fmt.Errorf("start Kafka in this process: %w", err)
	}
	b.cluster, err = kfake.NewCluster(
		kfake.NumBrokers(1),
		kfake.ClusterID("orderwalk-dev"),
		kfake.DataDir(dir),
		kfake.SyncWrites(),
		kfake.ListenFn(func(string, string) (net.Listener, error) { return listenAgain(ctx, &data.KafkaPort) }),
	)
	if err != nil {
		decided.close()
		return nil, fmt.Errorf("start Kafka in this process: %w", err)
	}
	b.addr = b.cluster.ListenAddrs()[0]
	for _, key := range []kmsg.Key{kmsg.AddPartitionsToTxn, kmsg.EndTxn, kmsg.Fetch} {
		b.cluster.ControlKey(key.Int16(), b.observe)
	}
	return b, nil
}

// observe notes what a transaction's requests are about to do, and lifts the
// limit of an answer as a whole. It handles no request itself: the broker goes
// on as usual, unless the note cannot be written, which closes the client's
// connection.
func (b *devBroker) observe(request kmsg.Request) (kmsg.Response, error, bool) {
	b.cluster.KeepControl()
	var err error
	switch r := request.(type) {
	case *kmsg.AddPartitionsToTxnRequest:
		err = b.decisions.note(r.ProducerID, r.ProducerEpoch, false)
		for _, t := range r.Transactions {
			err = errors.Join(err, b.decisions.note(t.ProducerID, t.ProducerEpoch, false))
		}
	case *kmsg.EndTxnRequest:
		err = b.decisions.note(r.ProducerID, r.ProducerEpoch, r.Commit)
	case *kmsg.FetchRequest:
		r.MaxBytes = math.MaxInt32
	}
	return nil, err, err != nil
}

// close ends the broker and marks its data as whole.
func (b *devBroker) close() {
	b.cluster.Close()
	b.decisions.close()
	// Without the mark the next start looks for something to repair, and finds
	// nothing.
	_ = os.WriteFile(b.clean, nil, 0o644)
}
