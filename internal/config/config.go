// Package config reads the settings of orderwalk: the ORDERWALK_ variables of
// the environment and the shops file they may name. It applies the defaults,
// checks all values and reports every fault in one error, each with its variable
// or its field of the file.
//
// The package does not depend on Kafka, the connector or the API (except for the
// API's time zone). It returns plain values; only internal/cli imports it and
// passes them on. A secret is returned as a function that reads its file at each
// call, so that a rotated secret takes effect; it is never text that could be
// logged.
package config

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/kelseyhightower/envconfig"

	"orderwalk/internal/record"
)

// Config is a complete and checked configuration.
type Config struct {
	Kafka Kafka

	// Group is the worker group and the prefix of the transactional IDs.
	Group string
	// OffsetsTopic holds the checkpoints.
	OffsetsTopic string
	// Topic receives the orders of the shops that set no topic.
	Topic string
	// OrdersTopics are the topics the shops write to, without duplicates, in the
	// order of the shops.
	OrdersTopics []string
	// TopicPartitions, OffsetsPartitions and ReplicationFactor are used only
	// when a topic is created. ReplicationFactor 0 means the broker's default.
	TopicPartitions, OffsetsPartitions, ReplicationFactor int

	// APIURL is the base URL of list and token calls, without a trailing slash.
	APIURL string
	// Shops are the worker's own shops, at least one unless all are created over HTTP or
	// have authorised the platform.
	// ShopsFile is the file they come from, which may change later; empty = the
	// variables configure one shop.
	Shops     []Shop
	ShopsFile string
	// ShopsFileState is the file as it was just before it was read.
	ShopsFileState FileState
	// Authorized is how shops that have authorised the platform are walked; nil = only
	// those that are listed or created.
	Authorized *Authorized

	// Component is the third-party platform. StateKeys encrypt its tokens in the
	// offsets topic.
	Component Component
	StateKeys Keys
	// StateKeyFile is the file of StateKeys; empty = no keys.
	StateKeyFile string
	// Push is the listener for the vendor's pushes.
	Push Push
	// QuotaLiveShare is the share of the whole day's list calls that a
	// backfill leaves to the live walk, 0 to 1.
	QuotaLiveShare float64

	// PageSize is the number of orders asked for in one list call, 1 to 100.
	PageSize int
	// MaxWindow and MinWindow bound the length of a window; whole seconds.
	MaxWindow, MinWindow time.Duration
	// PollInterval is the wait between two polls of a shop that has caught up.
	PollInterval time.Duration
	// PollIntervalMax is how long polls may stretch while no order comes, or while pushes
	// tell of them; at least PollInterval.
	PollIntervalMax time.Duration
	// SettleDelay is how far behind now the first pass stays.
	SettleDelay time.Duration
	// PublishEarly reports that a live shop's orders are published before SettleDelay is
	// over, too.
	PublishEarly bool
	// Lookback is the age at which a window is read a second time; 0 = never.
	Lookback time.Duration
	// Concurrency is the number of windows of one shop in flight in a backfill.
	Concurrency int

	// WorkerID names this process; empty when the port of Listen is 0 and
	// WORKER_ID is not set.
	WorkerID string
	// SessionTimeout is how long a worker keeps its lanes without a heartbeat.
	SessionTimeout time.Duration
	// TransactionTimeout is the age at which the broker aborts an open
	// transaction.
	TransactionTimeout time.Duration
	// Format is the encoding of the order records, one of record.Names.
	Format string
	// Compression is "none", "gzip", "snappy", "lz4" or "zstd".
	Compression string

	// Listen is the address of the HTTP listener.
	Listen string
	// ListenTLS encrypts it, and names the authorities of its clients.
	ListenTLS ListenTLS
	// RESTToken is the bearer token with which HTTP calls may change state. If it is
	// nil and there are no client authorities, only callers on this machine may.
	RESTToken Secret
	// Connectors reads the configurations of shops that come over HTTP; nil without
	// shops.
	Connectors *Connectors
	// LogLevel is the lowest level that is logged.
	LogLevel slog.Level
	// LogFormat is "json" or "text".
	LogFormat string
}

// Kafka configures the connections to the brokers.
type Kafka struct {
	// Brokers are the host:port pairs of the bootstrap brokers.
	Brokers []string
	TLS     TLS
	SASL    SASL
}

// TLS is the encryption of the connections to Kafka.
type TLS struct {
	Enable bool
	// CAFile holds the trusted certificate authorities; empty = the system's.
	CAFile string
	// CertFile and KeyFile hold the client's certificate and key; both or neither.
	CertFile, KeyFile string
	// ServerName is the name expected in the broker's certificate; empty = the
	// host that is dialled.
	ServerName string
}

// SASL is the authentication to Kafka.
type SASL struct {
	// Mechanism is "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER" or
	// "AWS_MSK_IAM"; empty = none.
	Mechanism string
	// Username and Password are set with PLAIN and SCRAM.
	Username string
	Password Secret
	// Token is set with OAUTHBEARER when the token comes from a file; the next
	// four fields are set when it comes from TokenURL. Scope may be empty.
	Token        Secret
	TokenURL     string
	ClientID     string
	ClientSecret Secret
	Scope        string
	// Extensions are sent with the token; may be empty.
	Extensions map[string]string
}

// Load reads the environment and the shops file. The defaults, keyed by full
// variable names, apply to unset variables and take precedence over the built-in
// defaults; `orderwalk dev` passes the address of its own broker this way.
//
// An empty variable counts as unset. A configuration with faults is returned as an
// *Error that holds all of them.
func Load(defaults map[string]string) (*Config, error) { return load(defaults, true) }

// LoadWithoutShops is Load for commands that only use Kafka. No shop need be
// configured; Shops and OrdersTopics are empty.
func LoadWithoutShops(defaults map[string]string) (*Config, error) { return load(defaults, false) }

func load(defaults map[string]string, withShops bool) (*Config, error) {
	var env environment
	if err := envconfig.Process(prefix, &env); err != nil {
		return nil, fmt.Errorf("read environment: %w", err)
	}
	fillDefaults(&env, defaults)
	c, f := convert(&env, withShops)
	if len(f) > 0 {
		return nil, &Error{Faults: f}
	}
	return c, nil
}

// convert returns the configuration and every fault in the values. Quotes around
// a value are a fault; convert removes them from env.
func convert(env *environment, withShops bool) (*Config, faults) {
	var f faults
	f.unknown(os.Environ())
	f.unquote(env)
	c := &Config{
		Group:             env.Group,
		Topic:             env.Topic,
		OffsetsTopic:      f.topicName("OFFSETS_TOPIC", env.OffsetsTopic),
		TopicPartitions:   f.integer("TOPIC_PARTITIONS", env.TopicPartitions, 1, 10000),
		OffsetsPartitions: f.integer("OFFSETS_PARTITIONS", env.OffsetsPartitions, 1, 1000),
		ReplicationFactor: f.integer("REPLICATION_FACTOR", env.ReplicationFactor, 1, 100),

		PageSize:     f.integer("PAGE_SIZE", env.PageSize, 1, 100),
		MaxWindow:    f.wholeSeconds("MAX_WINDOW", env.MaxWindow, time.Second, 168*time.Hour),
		MinWindow:    f.wholeSeconds("MIN_WINDOW", env.MinWindow, time.Second, 168*time.Hour),
		PollInterval: f.duration("POLL_INTERVAL", env.PollInterval, 100*time.Millisecond, time.Hour),
		SettleDelay:  f.duration("SETTLE_DELAY", env.SettleDelay, 0, 24*time.Hour),
		PublishEarly: f.boolean("PUBLISH_EARLY", env.PublishEarly),
		Lookback:     f.duration("LOOKBACK", env.Lookback, 0, 31*24*time.Hour),
		Concurrency:  f.integer("CONCURRENCY", env.Concurrency, 1, 256),

		StateKeys:      f.stateKeys(env),
		StateKeyFile:   env.StateKeyFile,
		Push:           f.push(env),
		QuotaLiveShare: f.share("QUOTA_LIVE_SHARE", env.QuotaLiveShare),

		SessionTimeout:     f.duration("SESSION_TIMEOUT", env.SessionTimeout, time.Second, 30*time.Minute),
		TransactionTimeout: f.duration("TRANSACTION_TIMEOUT", env.TransactionTimeout, time.Second, 15*time.Minute),
		Format:             f.choice("FORMAT", env.Format, record.Names(), record.Planned()),
		Compression:        f.choice("COMPRESSION", env.Compression, []string{"none", "gzip", "snappy", "lz4", "zstd"}, nil),
		RESTToken:          f.secret("", "", variable("REST_TOKEN_FILE"), env.RestTokenFile),
		ListenTLS:          f.listenTLS(env),
		LogLevel:           f.level("LOG_LEVEL", env.LogLevel),
		LogFormat:          f.choice("LOG_FORMAT", env.LogFormat, []string{"json", "text"}, nil),
	}
	c.PollIntervalMax = c.PollInterval
	if env.PollIntervalMax != "" {
		c.PollIntervalMax = f.duration("POLL_INTERVAL_MAX", env.PollIntervalMax, 100*time.Millisecond, time.Hour)
	}
	if c.PollIntervalMax < c.PollInterval && c.PollIntervalMax > 0 {
		f.add(prefix+"_POLL_INTERVAL_MAX", quote(env.PollIntervalMax),
			fmt.Sprintf("give at least %s_POLL_INTERVAL, which is %s", prefix, env.PollInterval))
	}
	if c.MaxWindow < c.MinWindow && c.MaxWindow > 0 {
		f.add(prefix+"_MAX_WINDOW", quote(env.MaxWindow),
			fmt.Sprintf("give at least %s_MIN_WINDOW, which is %s", prefix, env.MinWindow))
	}
	dirs := f.secretDirs("REST_SECRET_DIRS", env.RestSecretDirs)
	c.Kafka = readKafka(env, &f)
	c.APIURL = f.apiURL("API_URL", env.APIUrl)
	if withShops {
		base := f.baseShop(env)
		shops, file := readShops(env, base, &f)
		c.Shops, c.ShopsFile, c.ShopsFileState = f.ownTopics(shops, env.ShopsFile != ""), env.ShopsFile, file.was
		c.Authorized = f.authorized(env, base, file.authorized)
		c.OrdersTopics = ordersTopics(c.Shops, c.OffsetsTopic, &f)
		f.ways(c.Shops, c.ShopsFile != "", c.APIURL)
		c.Component = f.component(env, c.Shops, c.Authorized != nil)
		f.pushed(c.Push, c.Component, c.Shops)
		file.places.locate(f)
		c.Connectors = newConnectors(c, base, dirs, env)
	} else {
		f.topicTemplateAt(variable("TOPIC"), env.Topic) // the shops' part checks it otherwise
	}

	var port string
	c.Listen, port = f.listen("LISTEN", env.Listen)
	c.WorkerID = workerID(env.WorkerID, port, &f)
	return c, f
}

// Listen returns the address of the HTTP listener, for commands that call a
// running worker. It checks no other variable, since files they name may be
// missing at the moment. Port 0 is a fault: the worker's actual port is not known.
// The defaults are as in Load.
func Listen(defaults map[string]string) (string, error) {
	var env environment
	if err := envconfig.Process(prefix, &env); err != nil {
		return "", fmt.Errorf("read environment: %w", err)
	}
	fillDefaults(&env, defaults)
	var f faults
	address, port := f.listen("LISTEN", env.Listen)
	if len(f) == 0 && port == "0" {
		f.add(variable("LISTEN"), quote(env.Listen), "give the port that the worker listens on")
	}
	if len(f) > 0 {
		return "", &Error{Faults: f}
	}
	return address, nil
}

// fillDefaults trims the values and sets the unset ones to their defaults.
func fillDefaults(env *environment, defaults map[string]string) {
	fields := reflect.ValueOf(env).Elem()
	for i, v := range Variables() {
		value := strings.TrimSpace(fields.Field(i).String())
		// envconfig has already filled in the built-in defaults; those of the
		// caller take precedence.
		if strings.TrimSpace(os.Getenv(v.Name)) == "" {
			value = v.builtIn
			if d, ok := defaults[v.Name]; ok {
				value = d
			}
		}
		fields.Field(i).SetString(value)
	}
}

// workerID returns the given name or, by default, the host name and the port of
// the listener, which stay the same when a StatefulSet's pod or a process restarts.
func workerID(given, port string, f *faults) string {
	if given != "" {
		return given
	}
	if port == "" || port == "0" {
		return ""
	}
	host, err := os.Hostname()
	if err != nil {
		f.add(variable("WORKER_ID"), "is not set and the host has no name", "give a name for this worker")
		return ""
	}
	return net.JoinHostPort(host, port)
}

// LogValue returns the settings that are logged once at the start. It holds no
// secret.
func (c *Config) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("brokers", strings.Join(c.Kafka.Brokers, ",")),
		slog.Bool("tls", c.Kafka.TLS.Enable),
		slog.String("sasl", c.Kafka.SASL.Mechanism),
		slog.String("group", c.Group),
		slog.String("topics", strings.Join(c.OrdersTopics, ",")),
		slog.String("offsets_topic", c.OffsetsTopic),
		slog.String("api_url", c.APIURL),
		slog.String("component", c.Component.AppID),
		slog.String("push_listen", c.Push.Listen),
		slog.Bool("listen_tls", c.ListenTLS.CertFile != ""),
		slog.Int("shops", len(c.Shops)),
		slog.Bool("authorized_shops", c.Authorized != nil),
		slog.String("worker_id", c.WorkerID),
	)
}

// String returns LogValue as text.
func (c *Config) String() string { return c.LogValue().String() }
