package kafkaconn

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"
)

const (
	// DialTimeout bounds the opening of one connection, TLS and login included.
	DialTimeout = 5 * time.Second
	// defaultMaxAge bounds how long an old certificate stays in use after rotation.
	// Opening a connection costs a few milliseconds, so it need not be longer.
	defaultMaxAge = 10 * time.Minute
)

// Config configures the connections to Kafka.
type Config struct {
	Brokers  []string // bootstrap brokers, host:port
	ClientID string   // this client's name in brokers' logs and quotas
	TLS      *TLS     // nil = no encryption
	SASL     SASL     // zero = no login

	// MaxAge bounds the age of the Transport's connections. Defaults to 10m.
	MaxAge time.Duration
	// Dial opens the TCP connection. Defaults to net.Dialer.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Log receives failures to replace connections. nil discards.
	Log *slog.Logger
}

// TLS names the TLS files; each new connection reads them.
type TLS struct {
	CAFile            string // trusted authorities; "" = the system's
	CertFile, KeyFile string // client certificate; both or none
	ServerName        string // expected in the broker's certificate; "" = the host dialled
}

// Kafka holds the connections of one process. [New] sets its fields; callers must not
// change them. Transport and Dialer are safe for concurrent use.
type Kafka struct {
	// Addr holds the bootstrap brokers in kafka-go's form.
	Addr net.Addr
	// Transport is the pool that writers and readers share.
	Transport *kafka.Transport
	// Dialer opens single connections, for kafka-go's ConsumerGroup.
	Dialer *kafka.Dialer

	cfg    Config
	login  login
	worked atomic.Bool // a connection has succeeded before

	pooled, single meter

	mu     sync.Mutex
	seen   *tls.Certificate // client certificate of the latest connection
	retire *time.Timer      // replaces the Transport's connections; nil = none
	due    time.Time        // when retire fires
	life   time.Duration    // lifetime that retire was set for
	closed bool
	work   sync.WaitGroup // replacements under way
	cancel context.CancelFunc
	ctx    context.Context // ends at Close
}

// New returns a Kafka without opening a connection. If SASL is invalid, every connection
// fails with that error.
func New(cfg Config) *Kafka {
	if cfg.MaxAge <= 0 {
		cfg.MaxAge = defaultMaxAge
	}
	if cfg.Dial == nil {
		cfg.Dial = (&net.Dialer{Timeout: DialTimeout}).DialContext
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	k := &Kafka{Addr: kafka.TCP(cfg.Brokers...), cfg: cfg, login: newLogin(cfg.SASL)}
	k.ctx, k.cancel = context.WithCancel(context.Background())
	// kafka-go's limit is for all bootstrap addresses together: one that does not
	// answer must leave time for the next.
	k.Transport = &kafka.Transport{ClientID: cfg.ClientID, DialTimeout: time.Duration(max(1, len(cfg.Brokers))) * DialTimeout, Dial: k.dialPooled}
	k.Dialer = &kafka.Dialer{ClientID: cfg.ClientID, Timeout: DialTimeout, DialFunc: k.dialSingle}
	return k
}

// Close closes the Transport's connections, idle ones at once and others when their
// request is answered, and waits for a replacement that is being tried.
func (k *Kafka) Close() {
	k.mu.Lock()
	k.closed = true
	if k.retire != nil {
		k.retire.Stop()
	}
	k.mu.Unlock()
	k.cancel()
	k.work.Wait()
	k.Transport.CloseIdleConnections()
}

// dialPooled dials for the Transport, whose connections are replaced in time.
func (k *Kafka) dialPooled(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, session, err := k.dial(ctx, &k.pooled, network, addr)
	if err != nil {
		return nil, err
	}
	k.replaceIn(k.lifeOf(session))
	return conn, nil
}

func (k *Kafka) dialSingle(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, _, err := k.dial(ctx, &k.single, network, addr)
	return conn, err
}

// dial opens a connection that is ready for requests, and returns how long the broker's
// session lasts; 0 = no limit. Every error is an [*Error].
func (k *Kafka) dial(ctx context.Context, m *meter, network, addr string) (conn net.Conn, session time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, DialTimeout)
	defer cancel()
	fail := func(step string, err error) (net.Conn, time.Duration, error) {
		if conn != nil {
			_ = conn.Close() // err is the error that matters
		}
		return nil, 0, k.failure(step, addr, err)
	}
	tcp, err := k.cfg.Dial(ctx, network, addr)
	if err != nil {
		return fail(stepConnect, err)
	}
	tcp = m.measure(tcp)
	conn = tcp
	// TLS and the exchanges below read and write without a context.
	stop := context.AfterFunc(ctx, func() { _ = tcp.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if k.cfg.TLS != nil {
		secure, cert, err := k.cfg.TLS.encrypt(ctx, conn, addr)
		if err != nil {
			return fail(stepEncrypt, err)
		}
		conn = secure
		k.mu.Lock()
		k.seen = cert
		k.mu.Unlock()
	}
	greeted, err := apiVersions(conn, k.cfg.ClientID)
	if err != nil {
		step := stepGreet
		if isTLS(err) {
			step = stepEncrypt // TLS 1.3 refuses a client certificate at the first exchange
		}
		return fail(step, err)
	}
	if k.cfg.SASL.Mechanism != "" {
		if session, err = authenticate(ctx, k.login, greeted, addr); err != nil {
			return fail(stepLogin, err)
		}
	}
	if !stop() {
		return fail(stepConnect, ctx.Err())
	}
	k.worked.Store(true)
	return conn, session, nil
}
