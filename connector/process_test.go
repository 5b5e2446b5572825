package connector

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"

	"orderwalk/test/logtest"
)

// plug is a process's network; once pulled, nothing it sends arrives.
type plug struct {
	dial   func(ctx context.Context, network, address string) (net.Conn, error)
	mu     sync.Mutex
	conns  []net.Conn
	pulled bool
}

func (p *plug) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := p.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pulled {
		conn.Close()
		return nil, errors.New("unplugged")
	}
	p.conns = append(p.conns, conn)
	return conn, nil
}

func (p *plug) pull() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pulled = true
	for _, c := range p.conns {
		c.Close()
	}
}

func (p *plug) mend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pulled, p.conns = false, nil
}

// process is a running connector.
type process struct {
	*Connector
	a         *testbed
	plug      *plug
	cancel    context.CancelFunc
	ended     chan struct{}
	err       error
	transport *kafka.Transport
	host      *http.Transport
	metrics   *scraped
	log       *logtest.Buffer
}

func (p *process) logged() string { return p.log.String() }

// prepare returns a connector over the shops, which run starts.
func (a *testbed) prepare(shops ...shop) *process {
	a.Helper()
	p := &process{a: a, plug: &plug{dial: a.dial}, ended: make(chan struct{}), metrics: &scraped{Registry: prometheus.NewRegistry()}, log: new(logtest.Buffer)}
	log := slog.New(slog.NewTextHandler(p.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	cfg, transport, web := a.config(p.plug, log, p.metrics, shops...)
	p.transport, p.host = transport, web
	p.Connector = New(cfg, p.metrics)
	p.metrics.of = p.Connector
	a.mu.Lock()
	defer a.mu.Unlock()
	a.processes = append(a.processes, p)
	return p
}

// start runs a connector over the shops.
func (a *testbed) start(shops ...shop) *process {
	a.Helper()
	return a.run(a.prepare(shops...))
}

func (a *testbed) run(p *process) *process {
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	go func() {
		defer close(p.ended)
		p.err = p.Run(ctx)
		cancel()
		p.transport.CloseIdleConnections()
		p.host.CloseIdleConnections()
	}()
	return p
}

// wait waits until the connector ends on its own. In a bubble that may take hours: among
// faults, what has to succeed several times in a row may fail for long.
func (p *process) wait() error {
	p.a.Helper()
	limit := 10 * time.Minute
	if p.a.bubble {
		limit = 6 * time.Hour
	}
	select {
	case <-p.ended:
		return p.err
	case <-time.After(limit):
		p.cancel()
		<-p.ended
		p.a.Fatalf("did not come to an end; status %+v\nlog:\n%s", p.Status(), p.log)
		return nil
	}
}

// stop ends the connector as SIGTERM does.
func (p *process) stop() error {
	p.cancel()
	<-p.ended
	return p.err
}

// kill ends the connector as kill −9 does, as far as Kafka and the API can see.
func (p *process) kill() {
	p.plug.pull()
	p.cancel()
	<-p.ended
}
