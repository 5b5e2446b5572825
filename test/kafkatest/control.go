package kafkatest

import (
	"context"
	"fmt"
	"os"
	"time"
)

// stopGrace is the time for a broker to hand over its partitions and flush.
const stopGrace = 20 * time.Second

// Brokers returns the brokers' addresses, in the order of the indexes that the other
// methods take.
func (c *Cluster) Brokers() []string { return append([]string(nil), c.direct...) }

// ProxyBrokers returns the addresses of the i-th of Options.Proxies.
func (c *Cluster) ProxyBrokers(i int) []string { return append([]string(nil), c.proxied[i]...) }

// At returns the addresses of a listener of Options.Listeners.
func (c *Cluster) At(protocol string) []string { return append([]string(nil), c.more[protocol]...) }

// PID returns the process id of broker i, or 0 while it is down.
func (c *Cluster) PID(i int) int {
	if p := c.nodes[i].running(); p != nil {
		return p.cmd.Process.Pid
	}
	return 0
}

// Log returns the path of the file that broker i logs to.
func (c *Cluster) Log(i int) string { return c.nodes[i].log }

// Stop kills all brokers and removes their data; the logs stay.
func (c *Cluster) Stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.each(func(_ int, n *node) error {
		n.stop(0) // the data is not needed any more
		return nil
	})
	_ = os.RemoveAll(c.dir) // leftovers are in a cache folder
}

// StopBroker stops broker i cleanly: it hands over its leaderships first, if another
// broker can take them.
func (c *Cluster) StopBroker(i int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodes[i].stop(stopGrace)
}

// KillBroker kills broker i as a power failure would, except that the kernel keeps
// written data.
func (c *Cluster) KillBroker(i int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodes[i].stop(0)
}

// StartBroker restarts broker i with the same ports and data, and returns when it
// serves and knows all running brokers.
func (c *Cluster) StartBroker(i int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.nodes[i].start(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.timeout)
	defer cancel()
	if err := c.ready(ctx, i); err != nil {
		return fmt.Errorf("start broker %d again: %w", i, err)
	}
	return nil
}
