package kafkatest

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Options configure Launch. The zero value is one plain broker.
type Options struct {
	// Version is Version or Older. Defaults to Version.
	Version string
	// Brokers is 1 or 3. With 3, topics have replication factor 3 and need 2 replicas
	// in sync; with 1 they have one replica. Defaults to 1.
	Brokers int
	// Listeners are security protocols, such as "SASL_SSL". Every broker gets an
	// additional listener for each, see Cluster.At. Properties configure them
	// ("listener.name.sasl_ssl.…").
	Listeners []string
	// Properties are additional lines for every server.properties, "name=value"; they
	// come last and so override those of Launch.
	Properties []string
	// JVM are options for the brokers' JVM. Defaults to -XX:TieredStopAtLevel=1, which
	// starts with half the work; benchmarks pass an empty slice instead.
	JVM []string
	// Proxies are each put in front of every broker with a separate listener: clients
	// that bootstrap from a proxy's ProxyBrokers use that proxy for all connections,
	// those that bootstrap from Brokers bypass all of them. The caller closes them.
	Proxies []*Proxy
	// StartTimeout bounds the time until the brokers serve. Defaults to 2 minutes, for
	// machines under load.
	StartTimeout time.Duration
}

// Cluster is a running Kafka.
type Cluster struct {
	id      string
	dir     string
	timeout time.Duration
	nodes   []*node
	direct  []string
	proxied [][]string          // by the indexes of Options.Proxies
	more    map[string][]string // by the names of Options.Listeners

	mu sync.Mutex // one change of a broker at a time
}

// errPortTaken makes Launch retry with other ports.
var errPortTaken = errors.New("a port was taken meanwhile")

// Launch fetches Kafka if needed, starts it and returns when every broker knows every
// other. The cluster runs until Stop, or until this process ends.
func Launch(ctx context.Context, o Options) (*Cluster, error) {
	switch o.Brokers {
	case 0:
		o.Brokers = 1
	case 1, 3:
	default:
		return nil, fmt.Errorf("launch Kafka: %d brokers asked for, 1 or 3 are possible", o.Brokers)
	}
	if o.JVM == nil {
		o.JVM = []string{"-XX:TieredStopAtLevel=1"}
	}
	if o.StartTimeout == 0 {
		o.StartTimeout = 2 * time.Minute
	}
	cache, err := fetch(ctx, cmp.Or(o.Version, Version))
	if err != nil {
		return nil, err
	}
	for attempt := 0; ; attempt++ {
		c, err := launch(ctx, cache, o)
		if err == nil {
			return c, nil
		}
		if attempt == 2 || !errors.Is(err, errPortTaken) {
			return nil, fmt.Errorf("launch Kafka: %w", err)
		}
	}
}

func launch(ctx context.Context, cache string, o Options) (_ *Cluster, err error) {
	id := make([]byte, 16)
	rand.Read(id)
	id[0] &= 0x7f // an ID with a leading dash would be parsed as an option
	dir, err := os.MkdirTemp(filepath.Join(cache, "run"), strconv.Itoa(os.Getpid())+"-")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(dir) // as Stop does; the first error counts
		}
	}()
	c := &Cluster{id: base64.RawURLEncoding.EncodeToString(id), dir: dir, timeout: o.StartTimeout, more: map[string][]string{}}
	each := 2 + len(o.Proxies) + len(o.Listeners)
	ports, err := freePorts(each * o.Brokers)
	if err != nil {
		return nil, err
	}
	c.proxied = make([][]string, len(o.Proxies))
	var portsOf [][]int // by broker: ports for clients, controllers, each proxy, each listener
	for i := range o.Brokers {
		n := &node{
			cache: cache,
			jvm:   o.JVM,
			dir:   filepath.Join(dir, strconv.Itoa(i)),
			log:   filepath.Join(cache, "log", fmt.Sprintf("%s-%d.log", filepath.Base(dir), i)),
		}
		c.nodes = append(c.nodes, n)
		own := ports[i*each : (i+1)*each]
		portsOf = append(portsOf, own)
		c.direct = append(c.direct, loopback(own[0]))
		for j, proxy := range o.Proxies {
			addr, err := proxy.Forward(loopback(own[2+j]))
			if err != nil {
				return nil, err
			}
			c.proxied[j] = append(c.proxied[j], addr)
		}
		for j, protocol := range o.Listeners {
			c.more[protocol] = append(c.more[protocol], loopback(own[2+len(o.Proxies)+j]))
		}
		if err := os.Mkdir(n.dir, 0o755); err != nil {
			return nil, err
		}
	}
	for i, n := range c.nodes {
		if err := os.WriteFile(n.properties(), []byte(c.serverProperties(i, portsOf, o)), 0o644); err != nil {
			return nil, err
		}
	}
	if err := c.each(func(_ int, n *node) error { return n.format(ctx, c.id) }); err != nil {
		c.Stop()
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	err = c.each(func(i int, n *node) error {
		if err := n.start(); err != nil {
			return err
		}
		return c.ready(ctx, i)
	})
	if err != nil {
		c.Stop()
		return nil, err
	}
	return c, nil
}

// serverProperties returns the configuration of broker i.
func (c *Cluster) serverProperties(i int, ports [][]int, o Options) string {
	replicas, inSync := 1, 1
	if o.Brokers == 3 {
		replicas, inSync = 3, 2
	}
	var voters []string
	for k := range o.Brokers {
		voters = append(voters, fmt.Sprintf("%d@%s", k+1, loopback(ports[k][1])))
	}
	listeners := fmt.Sprintf("DIRECT://%s,CONTROLLER://%s", c.direct[i], loopback(ports[i][1]))
	advertised := "DIRECT://" + c.direct[i]
	protocols := "DIRECT:PLAINTEXT,CONTROLLER:PLAINTEXT"
	for j := range o.Proxies {
		name := fmt.Sprintf("PROXIED%d", j)
		listeners += "," + name + "://" + loopback(ports[i][2+j])
		advertised += "," + name + "://" + c.proxied[j][i]
		protocols += "," + name + ":PLAINTEXT"
	}
	for _, protocol := range o.Listeners {
		listeners += "," + protocol + "://" + c.more[protocol][i]
		advertised += "," + protocol + "://" + c.more[protocol][i]
		protocols += "," + protocol + ":" + protocol
	}
	lines := []string{
		"process.roles=broker,controller",
		fmt.Sprintf("node.id=%d", i+1),
		"controller.quorum.voters=" + strings.Join(voters, ","),
		"controller.listener.names=CONTROLLER",
		"listeners=" + listeners,
		"advertised.listeners=" + advertised,
		"inter.broker.listener.name=DIRECT",
		"listener.security.protocol.map=" + protocols,
		"log.dirs=" + filepath.Join(c.nodes[i].dir, "data"),
		"auto.create.topics.enable=false",
		"group.initial.rebalance.delay.ms=0",
		"offsets.topic.num.partitions=4",
		"transaction.state.log.num.partitions=4",
		fmt.Sprintf("default.replication.factor=%d", replicas),
		fmt.Sprintf("min.insync.replicas=%d", inSync),
		fmt.Sprintf("offsets.topic.replication.factor=%d", replicas),
		fmt.Sprintf("transaction.state.log.replication.factor=%d", replicas),
		fmt.Sprintf("transaction.state.log.min.isr=%d", inSync),
	}
	return strings.Join(append(lines, o.Properties...), "\n") + "\n"
}

// ready waits until broker i answers, belongs to this cluster and knows all running
// brokers.
func (c *Cluster) ready(ctx context.Context, i int) error {
	proc := c.nodes[i].running()
	if proc == nil {
		return fmt.Errorf("wait for broker %d: it is down", i)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(c.direct[i]))
	if err != nil {
		return err
	}
	defer client.Close()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		asked, cancel := context.WithTimeout(ctx, time.Second)
		// Ask this broker only, bypassing the client's cache.
		meta, err := kmsg.NewPtrMetadataRequest().RequestWith(asked, client.SeedBrokers()[0])
		cancel()
		if err == nil && meta.ClusterID != nil && *meta.ClusterID == c.id && len(meta.Brokers) >= c.up() {
			return nil
		}
		select {
		case <-proc.ended:
			tail := c.nodes[i].tail()
			if strings.Contains(tail, "already in use") || strings.Contains(tail, "BindException") {
				return fmt.Errorf("broker %d: %w", i, errPortTaken)
			}
			return fmt.Errorf("broker %d ended, the end of its log %s:\n%s", i, c.nodes[i].log, tail)
		case <-ctx.Done():
			return fmt.Errorf("broker %d does not serve (%w), the end of its log %s:\n%s",
				i, context.Cause(ctx), c.nodes[i].log, c.nodes[i].tail())
		case <-tick.C:
		}
	}
}

// up returns the number of running brokers.
func (c *Cluster) up() int {
	count := 0
	for _, n := range c.nodes {
		if n.running() != nil {
			count++
		}
	}
	return count
}

// each calls do for all nodes concurrently and waits.
func (c *Cluster) each(do func(int, *node) error) error {
	errs := make([]error, len(c.nodes))
	var wg sync.WaitGroup
	for i, n := range c.nodes {
		wg.Go(func() { errs[i] = do(i, n) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// freePorts finds unused ports for processes that open them later.
func freePorts(n int) (ports []int, err error) {
	for range n {
		l, err := listen()
		if err != nil {
			return nil, err
		}
		defer l.Close() // when all are found
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// listen listens on an unused port below those that the kernel gives to outgoing
// connections: a client that keeps dialling a stopped broker must neither take its
// port nor connect to itself.
func listen() (net.Listener, error) {
	const low, high, tries = 20000, 32000, 1000
	var last error
	for range tries {
		offset, err := rand.Int(rand.Reader, big.NewInt(high-low))
		if err != nil {
			return nil, err
		}
		l, err := net.Listen("tcp", loopback(low+int(offset.Int64())))
		if err == nil {
			return l, nil
		}
		last = err
	}
	return nil, fmt.Errorf("find a free port: none after %d tries: %w", tries, last)
}
