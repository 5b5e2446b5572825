package kafkatest

import (
	"context"
	_ "embed"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

//go:embed connect.xml
var connectPOM []byte

// ConnectWorker is a running Kafka Connect worker in distributed mode, alone in its
// group, with the file connectors as its only plugins.
type ConnectWorker struct {
	// URL is the base of its REST, such as http://127.0.0.1:20000.
	URL string
	// Dir is a folder for files of the worker's connectors, removed by Stop.
	Dir string

	log  string
	root string
	proc *process
}

// LaunchConnect fetches Kafka Connect if needed, starts a worker on brokers and returns
// when its REST serves. The group and the worker's three topics are named after
// properties' group.id, by default "connect". The worker runs until Stop, or until this
// process ends. Properties are additional lines of its configuration, "name=value".
func LaunchConnect(ctx context.Context, brokers []string, properties ...string) (_ *ConnectWorker, err error) {
	cache, err := fetch(ctx, Version)
	if err != nil {
		return nil, err
	}
	plugins, err := FetchJars(ctx, "connect-"+Version, connectPOM)
	if err != nil {
		return nil, err
	}
	root, err := os.MkdirTemp(filepath.Join(cache, "run"), strconv.Itoa(os.Getpid())+"-connect-")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(root) // as Stop does; the first error counts
		}
	}()
	w := &ConnectWorker{
		Dir:  filepath.Join(root, "worker"),
		log:  filepath.Join(cache, "log", filepath.Base(root)+".log"),
		root: root,
	}
	if err := os.Mkdir(w.Dir, 0o755); err != nil {
		return nil, err
	}
	ports, err := freePorts(1)
	if err != nil {
		return nil, err
	}
	w.URL = "http://" + loopback(ports[0])
	lines := append([]string{
		"bootstrap.servers=" + strings.Join(brokers, ","),
		"listeners=" + w.URL,
		"group.id=connect",
		"config.storage.topic=connect-configs",
		"offset.storage.topic=connect-offsets",
		"status.storage.topic=connect-status",
		"offset.storage.partitions=1",
		"status.storage.partitions=1",
		"config.storage.replication.factor=1",
		"offset.storage.replication.factor=1",
		"status.storage.replication.factor=1",
		"key.converter=org.apache.kafka.connect.json.JsonConverter",
		"value.converter=org.apache.kafka.connect.json.JsonConverter",
		"plugin.path=" + filepath.Join(plugins, "lib"),
		// Not a search through all classes, which takes seconds.
		"plugin.discovery=service_load",
		"scheduled.rebalance.max.delay.ms=0",
		"offset.flush.interval.ms=500",
	}, properties...)
	file := filepath.Join(w.Dir, "worker.properties")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		return nil, err
	}
	// Independent of a context: the caller decides when the worker ends.
	cmd := java(context.Background(), cache, "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
		"org.apache.kafka.connect.cli.ConnectDistributed", file)
	if w.proc, err = run(cmd, w.log, w.Dir); err != nil {
		return nil, fmt.Errorf("start Kafka Connect: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if err := w.ready(ctx); err != nil {
		w.Stop()
		return nil, err
	}
	return w, nil
}

// ready waits until the worker lists its connectors, for which it must have joined its
// group and read its topics.
func (w *ConnectWorker) ready(ctx context.Context) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, w.URL+"/health", nil)
		if err != nil {
			return err
		}
		if answer, err := http.DefaultClient.Do(request); err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-w.proc.ended:
			return fmt.Errorf("the Connect worker ended, the end of its log %s:\n%s", w.log, tail(w.log))
		case <-ctx.Done():
			return fmt.Errorf("the Connect worker does not serve (%w), the end of its log %s:\n%s",
				context.Cause(ctx), w.log, tail(w.log))
		case <-tick.C:
		}
	}
}

// Log returns the path of the file that the worker logs to.
func (w *ConnectWorker) Log() string { return w.log }

// Stop kills the worker and removes its files; the log stays.
func (w *ConnectWorker) Stop() {
	w.proc.kill()
	_ = os.RemoveAll(w.root) // leftovers are in a cache folder
}
