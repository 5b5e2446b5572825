package config

import (
	"reflect"
	"strings"
)

// prefix is what every variable of ours begins with.
const prefix = "ORDERWALK"

// environment has one field for each variable; its tags are the documentation
// that `orderwalk config` and the README show, and that is read from here and
// nowhere else.
//
// Every field is text: envconfig stops at the first value it cannot convert,
// and quotes it, a secret too. The conversion is done by faults, which goes on
// and knows what must not be quoted. The names of the variables come from the
// names of the fields (split_words); a tag that names a variable is not used,
// because envconfig then reads the variable without the prefix as well, and
// GROUP, LISTEN or STATUS may well be set to something else.
//
// Tags: default = built-in value; shown = what the table says where the default
// is no fixed value; type and desc = type and meaning for the reader, where a
// path is a file that need not be there.
type environment struct {
	KafkaBrokers string `split_words:"true" type:"host:port,…" shown:"required" desc:"brokers to start from, separated by commas"`

	Topic             string `split_words:"true" type:"text" default:"wechat.orders" desc:"topic of the order records; created if missing and allowed"`
	OffsetsTopic      string `split_words:"true" type:"text" default:"orderwalk.offsets" desc:"topic of the checkpoints, compacted; created if missing and allowed, refused if not compacted"`
	Group             string `split_words:"true" type:"text" default:"orderwalk" desc:"worker group; also the prefix of the transactional IDs"`
	TopicPartitions   string `split_words:"true" type:"number" default:"6" desc:"partitions of the orders topic, used only when it is created"`
	OffsetsPartitions string `split_words:"true" type:"number" default:"16" desc:"partitions of the offsets topic, which is how many lanes workers can share, used only when it is created"`
	ReplicationFactor string `split_words:"true" type:"number" shown:"the broker's" desc:"replicas of both topics, used only when they are created"`

	KafkaTLSEnable     string `split_words:"true" type:"true, false" default:"false" desc:"encrypt the connections to Kafka"`
	KafkaTLSCaFile     string `split_words:"true" type:"file" shown:"the system's" desc:"PEM file of the authorities to trust; read again when it changes"`
	KafkaTLSCertFile   string `split_words:"true" type:"file" desc:"PEM file of the client's certificate; read again when it changes"`
	KafkaTLSKeyFile    string `split_words:"true" type:"file" desc:"PEM file of the client's key; read again when it changes"`
	KafkaTLSServerName string `split_words:"true" type:"text" shown:"the broker's host" desc:"name to expect in the broker's certificate"`

	KafkaSASLMechanism        string `split_words:"true" type:"text" shown:"none" desc:"PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER or AWS_MSK_IAM (with the standard AWS_ variables)"`
	KafkaSASLUsername         string `split_words:"true" type:"text" desc:"user name, for PLAIN and SCRAM"`
	KafkaSASLPassword         string `split_words:"true" type:"secret" desc:"password, for PLAIN and SCRAM"`
	KafkaSASLPasswordFile     string `split_words:"true" type:"file" desc:"file with the password, read at each new connection"`
	KafkaSASLTokenFile        string `split_words:"true" type:"file" desc:"file with the token for OAUTHBEARER, read at each new connection"`
	KafkaSASLTokenURL         string `split_words:"true" type:"URL" desc:"where to get the token for OAUTHBEARER instead, with the client credentials below"`
	KafkaSASLClientID         string `split_words:"true" type:"text" desc:"client ID for that URL"`
	KafkaSASLClientSecret     string `split_words:"true" type:"secret" desc:"client secret for that URL"`
	KafkaSASLClientSecretFile string `split_words:"true" type:"file" desc:"file with the client secret, read at each token call"`
	KafkaSASLScope            string `split_words:"true" type:"text" desc:"scope to ask that URL for"`
	KafkaSASLExtensions       string `split_words:"true" type:"name=value,…" desc:"SASL extensions to send along with the token, such as logicalCluster=lkc-1,identityPoolId=pool-1"`

	ShopsFile       string `split_words:"true" type:"file" desc:"YAML or JSON file with a list of shops: app_id, name, auth, app_secret or app_secret_file, access_token or access_token_file, cloud_token_file, authorizer_refresh_token or authorizer_refresh_token_file, push_token, push_aes_key, topic, time_range, start_time, end_time, status, openid, rate_limit; what a shop leaves out comes from the variables below"`
	AppID           string `split_words:"true" type:"text" desc:"app ID of the shop, where one shop is enough"`
	AppSecret       string `split_words:"true" type:"secret" desc:"app secret of the shop"`
	AppSecretFile   string `split_words:"true" type:"file" desc:"file with the app secret, read at each token call"`
	AccessToken     string `split_words:"true" type:"secret" desc:"access token that something else keeps fresh (auth static)"`
	AccessTokenFile string `split_words:"true" type:"file" desc:"file with that access token, read again when it changes"`
	APIUrl          string `split_words:"true" type:"URL" default:"https://api.weixin.qq.com" desc:"where the order lists and the tokens come from; auth cloud_open calls the default in plain http"`
	Auth            string `split_words:"true" type:"text" shown:"stable_token" desc:"stable_token (app ID and secret), token (the same by the older call, which ends tokens that others hold), static (a given access token; the default when there is one), cloud_file or cloud_open (cloud call from the vendor's hosting: its token file, or its open-interface service), component (third-party platform)"`
	CloudTokenFile  string `split_words:"true" type:"path" default:"/.tencentcloudbase/wx/cloudbase_access_token" desc:"the hosting's token file, read at each call (auth cloud_file)"`

	ComponentAppID            string `split_words:"true" type:"text" desc:"app ID of the third-party platform (auth component)"`
	ComponentAppSecret        string `split_words:"true" type:"secret" desc:"app secret of the platform"`
	ComponentAppSecretFile    string `split_words:"true" type:"file" desc:"file with the platform's app secret, read at each call that needs it"`
	ComponentVerifyTicketFile string `split_words:"true" type:"path" desc:"file with the platform's latest verify ticket, read again when it changes; the ticket also comes by push, or over HTTP"`
	StateKeyFile              string `split_words:"true" type:"file" desc:"keys of 32 bytes in base64, one a line: the first encrypts the platform's tokens that are kept in the offsets topic, all of them decrypt (auth component)"`

	PushListen     string `split_words:"true" type:"address" shown:"off" desc:"address of a listener of its own for the vendor's pushes, the only one that may face the internet"`
	PushToken      string `split_words:"true" type:"secret" desc:"message token of the pushes"`
	PushTokenFile  string `split_words:"true" type:"file" desc:"file with the message token, read again when it changes"`
	PushAESKey     string `split_words:"true" type:"secret" desc:"EncodingAESKey of the pushes, 43 characters"`
	PushAESKeyFile string `split_words:"true" type:"file" desc:"file with the EncodingAESKey, read again when it changes"`

	QuotaLiveShare string `split_words:"true" type:"number" default:"0.2" desc:"share of the day's remaining list calls that a backfill leaves to the live walk, 0 to 1"`

	TimeRange string `split_words:"true" type:"text" default:"create_time" desc:"create_time: each order once; update_time: one record for each change"`
	StartTime string `split_words:"true" type:"time" shown:"time of the first start" desc:"where the walk begins: unix seconds, RFC 3339 or a date, which is its 00:00 in Asia/Shanghai; counts at a shop's first start only; an earlier one set later has no effect and is reported"`
	EndTime   string `split_words:"true" type:"time" shown:"none" desc:"where the walk ends, and the program with it: unix seconds, RFC 3339 or a date, as above"`
	Status    string `split_words:"true" type:"number" desc:"only orders of this status (passed on as a filter); with create_time an order that reaches it later than LOOKBACK after its creation is never published: use update_time"`
	Openid    string `split_words:"true" type:"text" desc:"only orders of this buyer (passed on as a filter)"`

	PageSize     string `split_words:"true" type:"number" default:"100" desc:"orders asked for in one list call, 1–100"`
	MaxWindow    string `split_words:"true" type:"duration" default:"168h" desc:"longest window, at most 168h; windows adapt between the two"`
	MinWindow    string `split_words:"true" type:"duration" default:"1s" desc:"shortest window, at least 1s"`
	PollInterval string `split_words:"true" type:"duration" default:"10s" desc:"wait between two looks when caught up"`
	SettleDelay  string `split_words:"true" type:"duration" default:"15s" desc:"how far behind now the first pass stays"`
	Lookback     string `split_words:"true" type:"duration" default:"10m" desc:"age at which a window is read a second time for late orders; 0 = never"`
	Concurrency  string `split_words:"true" type:"number" default:"8" desc:"windows of one shop in flight while backfilling"`
	RateLimit    string `split_words:"true" type:"number" default:"50" desc:"list calls a second for each app ID; halved when the API asks for it, recovering"`

	WorkerID           string `split_words:"true" type:"text" shown:"host name and port of ORDERWALK_LISTEN" desc:"names this worker in logs and in the group; a worker that starts removes a dead member of its own name from the group; none when the port is 0"`
	SessionTimeout     string `split_words:"true" type:"duration" default:"10s" desc:"a worker unheard of for so long loses its lanes; brokers take 6s to 30m unless told otherwise"`
	TransactionTimeout string `split_words:"true" type:"duration" default:"30s" desc:"the broker aborts a transaction open for longer; also how long a dead worker can hold back read_committed readers"`
	Format             string `split_words:"true" type:"text" default:"json" desc:"form of the order records: json"`
	Compression        string `split_words:"true" type:"text" default:"none" desc:"none, gzip, snappy, lz4 or zstd"`

	Listen        string `split_words:"true" type:"address" default:":8083" desc:"address of the HTTP listener: health, metrics"`
	RestTokenFile string `split_words:"true" type:"file" desc:"file with the bearer token that HTTP calls need which change something, read at each of them; without it they are for callers on the same machine"`

	LogLevel  string `split_words:"true" type:"text" default:"info" desc:"debug, info, warn or error"`
	LogFormat string `split_words:"true" type:"text" default:"json" desc:"json or text; when it is not set and stderr is a terminal, run logs text and shows a status line"`
}

// Names that the contract knows and this version cannot do yet: they get an
// answer of their own.
var laterFormats = []string{"json_envelope", "avro", "json_schema", "protobuf", "cloudevents"}

// Variable is one row of the documentation.
type Variable struct {
	// Name is the whole name, ORDERWALK_ included.
	Name string
	// Type says what kind of value it takes; "secret" must never be shown.
	Type string
	// Default is the value when it is not set, or in words where that value is
	// not fixed; empty = none.
	Default string
	// Meaning is half a sentence.
	Meaning string

	builtIn string
}

// Variables returns every variable, in the order of the documentation.
func Variables() []Variable {
	t := reflect.TypeFor[environment]()
	all := make([]Variable, t.NumField())
	for i := range all {
		tag := t.Field(i).Tag
		v := Variable{
			Name:    variable(upperWords(t.Field(i).Name)),
			Type:    tag.Get("type"),
			Default: tag.Get("shown"),
			Meaning: tag.Get("desc"),
			builtIn: tag.Get("default"),
		}
		if v.Default == "" {
			v.Default = v.builtIn
		}
		all[i] = v
	}
	return all
}

// variable is the whole name of a variable.
func variable(name string) string { return prefix + "_" + name }

// upperWords turns KafkaTLSCaFile into KAFKA_TLS_CA_FILE, as envconfig's
// split_words does: a word begins at a capital after a small letter, and at the
// last capital of a run that a small letter follows.
func upperWords(name string) string {
	upper := func(i int) bool { return i < len(name) && name[i] >= 'A' && name[i] <= 'Z' }
	var b strings.Builder
	for i := range len(name) {
		if i > 0 && upper(i) && (!upper(i-1) || (i+1 < len(name) && !upper(i+1))) {
			b.WriteByte('_')
		}
		b.WriteByte(name[i])
	}
	return strings.ToUpper(b.String())
}
