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
	// DialTimeout bounds one connection, TLS and login included.
	DialTimeout = 5 * time.Second
	// defaultMaxAge is how soon a rotated certificate is used everywhere. Making
	// a connection costs a few milliseconds of work, so it need not be longer.
	defaultMaxAge = 10 * time.Minute
)

// Config says where Kafka is and how to get in.
type Config struct {
	Brokers  []string // host:port to start from
	ClientID string   // what brokers call this client in logs and quotas
	TLS      *TLS     // nil = no encryption
	SASL     SASL     // zero = no login

	// MaxAge is the life of the Transport's connections. Defaults to 10m.
	MaxAge time.Duration
	// Dial opens the TCP connection. Defaults to the operating system's.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Log hears of connections that cannot be replaced. nil discards.
	Log *slog.Logger
}

// TLS names the files of the encryption; they are read at each new connection.
type TLS struct {
	CAFile            string // authorities to trust; "" = the system's
	CertFile, KeyFile string // our own certificate; both or none
	ServerName        string // to expect in the broker's certificate; "" = the host dialled
}

// Kafka is the connections of one process. Its fields are set by [New] and must
// not be changed; both are safe for concurrent use.
type Kafka struct {
	// Addr are the bootstrap brokers, as kafka-go wants them.
	Addr net.Addr
	// Transport is the pool that writers and readers share.
	Transport *kafka.Transport
	// Dialer makes single connections, for kafka-go's ConsumerGroup.
	Dialer *kafka.Dialer

	cfg    Config
	login  login
	worked atomic.Bool // a connection was made before

	mu     sync.Mutex
	seen   *tls.Certificate // our certificate in the latest connection
	retire *time.Timer      // replaces the Transport's connections; nil = none
	due    time.Time        // when retire fires
	life   time.Duration    // given to the connection that set it
	closed bool
	work   sync.WaitGroup // replacements under way
	cancel context.CancelFunc
	ctx    context.Context // ends at Close
}

// New makes the connections' home; nothing is dialled yet. A SASL that cannot
// work is the error of every connection.
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
	// kafka-go's limit is for all bootstrap addresses together: one that is mute
	// must leave time for the next.
	k.Transport = &kafka.Transport{ClientID: cfg.ClientID, DialTimeout: time.Duration(max(1, len(cfg.Brokers))) * DialTimeout, Dial: k.dialPooled}
	k.Dialer = &kafka.Dialer{ClientID: cfg.ClientID, Timeout: DialTimeout, DialFunc: k.dialSingle}
	return k
}

// Close closes the Transport's idle connections, those in use when their
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

// dialPooled is for the Transport, whose connections are replaced in time.
func (k *Kafka) dialPooled(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, session, err := k.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	k.replaceIn(k.lifeOf(session))
	return conn, nil
}

func (k *Kafka) dialSingle(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, _, err := k.dial(ctx, network, addr)
	return conn, err
}

// dial opens a connection that is ready for requests, and tells for how long
// the broker's session lasts; 0 = without end. Every error is an [*Error].
func (k *Kafka) dial(ctx context.Context, network, addr string) (conn net.Conn, session time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, DialTimeout)
	defer cancel()
	fail := func(step string, err error) (net.Conn, time.Duration, error) {
		if conn != nil {
			_ = conn.Close() // err says what matters
		}
		return nil, 0, k.failure(step, addr, err)
	}
	tcp, err := k.cfg.Dial(ctx, network, addr)
	if err != nil {
		return fail(stepConnect, err)
	}
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
	greeted, err := greet(conn, k.cfg.ClientID)
	if err != nil {
		step := stepGreet
		if isTLS(err) {
			step = stepEncrypt // TLS 1.3 refuses our certificate only now
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
