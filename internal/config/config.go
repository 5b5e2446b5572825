// Package config reads the settings of orderwalk: the ORDERWALK_ variables of
// the environment and the shops file they may name. It applies the defaults,
// checks everything at once and reports all faults together, each with the
// variable or the field of the file it belongs to.
//
// It knows nothing of Kafka, of walking, or of the API but the zone that its days
// are in: it returns plain values, and only internal/cli imports it and hands them
// on. Secrets leave it as functions that read their file again at each call, so
// that a rotated secret is picked up, and never as text that could be logged.
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
	// Topic is where the orders of shops go that name no topic of their own.
	Topic string
	// OrdersTopics are the topics the shops write to, each once, in the order
	// of the shops.
	OrdersTopics []string
	// TopicPartitions, OffsetsPartitions and ReplicationFactor are used only
	// when a topic is created. ReplicationFactor 0 leaves it to the broker.
	TopicPartitions, OffsetsPartitions, ReplicationFactor int

	// APIURL is where lists and tokens come from, without a trailing slash.
	APIURL string
	// Shops are the shops to walk, at least one; ShopsFile, if any, lists them
	// and may change.
	Shops     []Shop
	ShopsFile string

	// Component is the third-party platform, StateKeys what encrypts the tokens
	// that are kept of it.
	Component Component
	StateKeys Keys
	// StateKeyFile is where StateKeys are; empty = there are none.
	StateKeyFile string
	// Push is the listener for the vendor's pushes.
	Push Push
	// QuotaLiveShare is the share of the day's remaining list calls that a
	// backfill leaves to the live walk, 0 to 1.
	QuotaLiveShare float64

	// PageSize is the number of orders asked for in one list call, 1 to 100.
	PageSize int
	// MaxWindow and MinWindow bound the length of a window; whole seconds.
	MaxWindow, MinWindow time.Duration
	// PollInterval is the wait between two looks when caught up.
	PollInterval time.Duration
	// SettleDelay is how far behind now the first pass stays.
	SettleDelay time.Duration
	// Lookback is the age at which a window is read a second time; 0 = never.
	Lookback time.Duration
	// Concurrency is how many windows of one shop are in flight in a backfill.
	Concurrency int

	// WorkerID names this process; empty when the port of Listen is 0 and no
	// name was given.
	WorkerID string
	// SessionTimeout is how long a worker may be unheard of.
	SessionTimeout time.Duration
	// TransactionTimeout is after what time the broker aborts a transaction.
	TransactionTimeout time.Duration
	// Format is the form of the order records: "json".
	Format string
	// Compression is "none", "gzip", "snappy", "lz4" or "zstd".
	Compression string

	// Listen is the address of the HTTP listener.
	Listen string
	// RESTToken is what HTTP calls need that change something; nil = they are
	// for callers on this machine.
	RESTToken Secret
	// LogLevel is the least level that is logged.
	LogLevel slog.Level
	// LogFormat is "json" or "text".
	LogFormat string
}

// Kafka says how to reach the brokers.
type Kafka struct {
	// Brokers are the host:port pairs to start from.
	Brokers []string
	TLS     TLS
	SASL    SASL
}

// TLS is the encryption of the connections to Kafka.
type TLS struct {
	Enable bool
	// CAFile holds the authorities to trust; empty = the system's.
	CAFile string
	// CertFile and KeyFile are the client's own certificate; both or none.
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
	// Token is set with OAUTHBEARER when the token comes from a file, the next
	// four when it comes from TokenURL. Scope may be empty.
	Token        Secret
	TokenURL     string
	ClientID     string
	ClientSecret Secret
	Scope        string
	// Extensions go along with the token; may be empty.
	Extensions map[string]string
}

// Load reads the environment and the shops file. The defaults, keyed by full
// variable names, stand in for variables that are not set and go before the
// built-in defaults; a command that brings its own broker names it this way.
//
// A variable that is set to nothing counts as not set. What is wrong is
// returned as an *Error that holds every fault.
func Load(defaults map[string]string) (*Config, error) { return load(defaults, true) }

// LoadWithoutShops is Load for commands that only talk to Kafka: a shop need
// not be configured, and Shops and OrdersTopics are left empty.
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

// convert returns what the values say, and every fault in them. Quotes around
// values are a fault, and taken away in env.
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
		Lookback:     f.duration("LOOKBACK", env.Lookback, 0, 31*24*time.Hour),
		Concurrency:  f.integer("CONCURRENCY", env.Concurrency, 1, 256),

		StateKeys:      f.stateKeys(env),
		StateKeyFile:   env.StateKeyFile,
		Push:           f.push(env),
		QuotaLiveShare: f.share("QUOTA_LIVE_SHARE", env.QuotaLiveShare),

		SessionTimeout:     f.duration("SESSION_TIMEOUT", env.SessionTimeout, time.Second, 30*time.Minute),
		TransactionTimeout: f.duration("TRANSACTION_TIMEOUT", env.TransactionTimeout, time.Second, 15*time.Minute),
		Format:             f.choice("FORMAT", env.Format, record.Names(), laterFormats),
		Compression:        f.choice("COMPRESSION", env.Compression, []string{"none", "gzip", "snappy", "lz4", "zstd"}, nil),
		RESTToken:          f.secret("", "", variable("REST_TOKEN_FILE"), env.RestTokenFile),
		LogLevel:           f.level("LOG_LEVEL", env.LogLevel),
		LogFormat:          f.choice("LOG_FORMAT", env.LogFormat, []string{"json", "text"}, nil),
	}
	if c.MaxWindow < c.MinWindow && c.MaxWindow > 0 {
		f.add(prefix+"_MAX_WINDOW", quote(env.MaxWindow),
			fmt.Sprintf("give at least %s_MIN_WINDOW, which is %s", prefix, env.MinWindow))
	}
	c.Kafka = readKafka(env, &f)
	c.APIURL = f.apiURL("API_URL", env.APIUrl)
	if withShops {
		c.Shops, c.ShopsFile = readShops(env, &f), env.ShopsFile
		c.OrdersTopics = ordersTopics(c.Shops, c.OffsetsTopic, &f)
		f.ways(c.Shops, c.ShopsFile != "", c.APIURL)
		c.Component = f.component(env, c.Shops)
		f.pushed(c.Push, c.Component, c.Shops)
	} else {
		f.topicName("TOPIC", env.Topic) // the shops' part checks it otherwise
	}

	var port string
	c.Listen, port = f.listen("LISTEN", env.Listen)
	c.WorkerID = workerID(env.WorkerID, port, &f)
	return c, f
}

// Listen is the address of the HTTP listener and nothing else, for whoever asks
// a worker that runs already: what else is set may name files that are away just
// now. A port that the worker was free to choose cannot be known. The defaults are
// as in Load.
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

// fillDefaults trims the values and sets those that are not given.
func fillDefaults(env *environment, defaults map[string]string) {
	fields := reflect.ValueOf(env).Elem()
	for i, v := range Variables() {
		value := strings.TrimSpace(fields.Field(i).String())
		// envconfig has put in the built-in default already where nothing is
		// set; what the caller brings goes before it.
		if strings.TrimSpace(os.Getenv(v.Name)) == "" {
			value = v.builtIn
			if d, ok := defaults[v.Name]; ok {
				value = d
			}
		}
		fields.Field(i).SetString(value)
	}
}

// workerID is the given name, or the host name and the port of the listener:
// stable across restarts of a pod of a StatefulSet or of a process on a host.
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

// LogValue shows what an operator wants to see once at the start. There is no
// secret in it.
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
		slog.Int("shops", len(c.Shops)),
		slog.String("worker_id", c.WorkerID),
	)
}

// String is the text of LogValue.
func (c *Config) String() string { return c.LogValue().String() }
