package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// devBroker is Kafka inside this process, with its data on disk.
//
// The library ends a transaction by writing a marker to one partition after the
// other. A kill in between leaves some partitions without the marker, and an open
// transaction hides all later commits of its producer. So the broker stores which
// transaction it is about to commit, and after a kill recoverPartitions writes the
// missing markers.
type devBroker struct {
	addr       string
	cluster    *kfake.Cluster
	committing *os.File
	// recovered is the state that the last process left.
	recovered recovery
}

// transaction is one transaction of one producer, until the next one begins.
type transaction struct {
	producerID int64
	epoch      int16
}

// startBroker starts Kafka on the listener with the data in the folder.
func startBroker(listener net.Listener, data *devData) (_ *devBroker, err error) {
	dir := filepath.Join(data.dir, "kafka")
	b := &devBroker{addr: listener.Addr().String()}
	b.committing, err = os.OpenFile(filepath.Join(data.dir, "committing"), os.O_CREATE|os.O_RDWR|os.O_SYNC, 0o644)
	if err != nil {
		return nil, fmt.Errorf("start Kafka in this process: %w", err)
	}
	defer func() {
		if err != nil {
			_ = b.committing.Close()
		}
	}()
	b.recovered, err = recoverPartitions(filepath.Join(dir, "partitions"), data.killed, b.noted())
	if err != nil {
		return nil, err
	}
	b.cluster, err = kfake.NewCluster(
		kfake.NumBrokers(1),
		kfake.ClusterID("orderwalk-dev"),
		kfake.DataDir(dir),
		kfake.SyncWrites(),
		kfake.BrokerConfigs(map[string]string{
			// recoverPartitions reads one file a partition.
			"log.segment.bytes": "1000000000000",
			// The library deletes a partition's file before it writes the compacted
			// one: a kill in between would lose checkpoints. So never compact: the
			// interval is 100 years.
			"log.cleaner.backoff.ms": "3155760000000",
		}),
		kfake.ListenFn(func(string, string) (net.Listener, error) { return listener, nil }),
	)
	var damaged *json.SyntaxError
	if errors.As(err, &damaged) {
		return nil, fmt.Errorf("read Kafka's data: %s is damaged: %w; start again with --fresh", dir, err)
	}
	if err != nil {
		return nil, fmt.Errorf("start Kafka in this process: %w", err)
	}
	for _, key := range []kmsg.Key{kmsg.AddPartitionsToTxn, kmsg.EndTxn, kmsg.Fetch} {
		b.cluster.ControlKey(key.Int16(), b.observe)
	}
	return b, nil
}

// observe is called with each request of these kinds before the broker handles
// it, one at a time. It leaves the request to the broker. If the note cannot be
// written, it returns the error, which closes the client's connection.
func (b *devBroker) observe(request kmsg.Request) (kmsg.Response, error, bool) {
	b.cluster.KeepControl()
	var err error
	switch r := request.(type) {
	case *kmsg.AddPartitionsToTxnRequest: // begins a transaction
		err = b.note(transaction{})
	case *kmsg.EndTxnRequest:
		if r.Commit {
			err = b.note(transaction{r.ProducerID, r.ProducerEpoch})
		}
	case *kmsg.FetchRequest:
		// The library does not list aborted transactions in an answer that is as
		// long as the client allows. The limit of each partition remains.
		r.MaxBytes = math.MaxInt32
	}
	return nil, err, err != nil
}

// note replaces the noted transaction in a single write.
func (b *devBroker) note(t transaction) error {
	if _, err := b.committing.WriteAt(fmt.Appendf(nil, "%019d %05d\n", t.producerID, t.epoch), 0); err != nil {
		return fmt.Errorf("record the transaction to commit: %w", err)
	}
	return nil
}

// noted returns the transaction that the last process was committing, if any.
func (b *devBroker) noted() (t transaction) {
	_, _ = fmt.Fscanf(b.committing, "%d %d", &t.producerID, &t.epoch) // a new file is empty
	return t
}

// close stops the broker, which writes its in-memory state to disk.
func (b *devBroker) close() {
	b.cluster.Close()
	_ = b.committing.Close()
}
