package config

import (
	"reflect"
	"strings"

	"orderwalk/internal/record"
)

// prefix begins the name of every variable.
const prefix = "ORDERWALK"

// pathList is the type of a list of paths.
const pathList = "directory,…"

// environment has one field for each variable. Its tags are the only source of the
// documentation that `orderwalk config` and the README show.
//
// Every field is text, because envconfig stops at the first value it cannot
// convert and quotes it, even a secret. The methods of faults convert the values:
// they report all faults and quote no secret. The names of the variables derive
// from the names of the fields (split_words). No tag names a variable, because
// envconfig would then also read the variable without the prefix, and GROUP,
// LISTEN or STATUS may be set for another program.
//
// Tags: default = built-in value; shown = the default in words, where it is not a
// fixed value; type and desc = type and meaning in the table. {formats} in a desc
// becomes their names. Type path is a file that need not exist.
type environment struct {
	KafkaBrokers string `split_words:"true" type:"host:port,…" shown:"required" desc:"bootstrap brokers, separated by commas"`

	Topic             string `split_words:"true" type:"text" default:"wechat.orders" desc:"topic of the order records; {app_id} in it stands for the shop's app ID; created if missing and allowed"`
	OffsetsTopic      string `split_words:"true" type:"text" default:"orderwalk.offsets" desc:"topic of the checkpoints, compacted; created if missing and allowed, refused if not compacted"`
	Group             string `split_words:"true" type:"text" default:"orderwalk" desc:"worker group; also the prefix of the transactional IDs"`
	TopicPartitions   string `split_words:"true" type:"number" default:"6" desc:"partitions of the orders topic, used only when it is created"`
	OffsetsPartitions string `split_words:"true" type:"number" default:"16" desc:"partitions of the offsets topic, each one lane that a worker can own; used only when it is created"`
	ReplicationFactor string `split_words:"true" type:"number" shown:"the broker's" desc:"replicas of both topics, used only when they are created"`

	KafkaTLSEnable     string `split_words:"true" type:"true, false" default:"false" desc:"encrypt the connections to Kafka"`
	KafkaTLSCaFile     string `split_words:"true" type:"file" shown:"the system's" desc:"PEM file of the trusted certificate authorities; read again when it changes"`
	KafkaTLSCertFile   string `split_words:"true" type:"file" desc:"PEM file of the client's certificate; read again when it changes"`
	KafkaTLSKeyFile    string `split_words:"true" type:"file" desc:"PEM file of the client's key; read again when it changes"`
	KafkaTLSServerName string `split_words:"true" type:"text" shown:"the broker's host" desc:"name to expect in the broker's certificate"`

	KafkaSASLMechanism        string `split_words:"true" type:"text" shown:"none" desc:"PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER or AWS_MSK_IAM (with the standard AWS_ variables)"`
	KafkaSASLUsername         string `split_words:"true" type:"text" desc:"user name, for PLAIN and SCRAM"`
	KafkaSASLPassword         string `split_words:"true" type:"secret" desc:"password, for PLAIN and SCRAM"`
	KafkaSASLPasswordFile     string `split_words:"true" type:"file" desc:"file with the password, read at each new connection"`
	KafkaSASLTokenFile        string `split_words:"true" type:"file" desc:"file with the token for OAUTHBEARER, read at each new connection"`
	KafkaSASLTokenURL         string `split_words:"true" type:"URL" desc:"address of the token endpoint for OAUTHBEARER, used with the client credentials below instead of a token file"`
	KafkaSASLClientID         string `split_words:"true" type:"text" desc:"client ID for that URL"`
	KafkaSASLClientSecret     string `split_words:"true" type:"secret" desc:"client secret for that URL"`
	KafkaSASLClientSecretFile string `split_words:"true" type:"file" desc:"file with the client secret, read at each token call"`
	KafkaSASLScope            string `split_words:"true" type:"text" desc:"scope to ask that URL for"`
	KafkaSASLExtensions       string `split_words:"true" type:"name=value,…" desc:"SASL extensions to send along with the token, such as logicalCluster=lkc-1,identityPoolId=pool-1"`

	ShopsFile       string `split_words:"true" type:"file" desc:"YAML or JSON file with a list of shops: app_id, name, auth, app_secret or app_secret_file, access_token or access_token_file, access_token_url, access_token_url_username, access_token_url_secret or access_token_url_secret_file, access_token_pointer, access_token_expiry_pointer, cloud_token_file, authorizer_refresh_token or authorizer_refresh_token_file, push_token, push_aes_key, topic, time_range, start_time, end_time, status, openid, rate_limit; the variables below are the defaults for fields a shop does not set"`
	Shops           string `split_words:"true" type:"text" shown:"those that are listed" desc:"authorized: every shop that has authorised the third-party platform is walked, beside those that the shops file lists; the file says which not, how many at most, and what is different for some (docs/CALLS.md)"`
	AppID           string `split_words:"true" type:"text" desc:"app ID of the shop, if only one is read"`
	AppSecret       string `split_words:"true" type:"secret" desc:"app secret of the shop"`
	AppSecretFile   string `split_words:"true" type:"file" desc:"file with the app secret, read at each token call"`
	AccessToken     string `split_words:"true" type:"secret" desc:"access token that another program keeps fresh (auth static)"`
	AccessTokenFile string `split_words:"true" type:"file" desc:"file with that access token, read again when it changes"`

	AccessTokenURL           string `split_words:"true" type:"URL" desc:"address of another system's HTTP server that gives the access token (auth static); {app_id} in it stands for the shop's app ID"`
	AccessTokenURLUsername   string `split_words:"true" type:"text" desc:"user name for that URL (basic authentication)"`
	AccessTokenURLSecret     string `split_words:"true" type:"secret" desc:"password for that URL, or a bearer token if there is no user name"`
	AccessTokenURLSecretFile string `split_words:"true" type:"file" desc:"file with that secret, read at each request"`
	AccessTokenPointer       string `split_words:"true" type:"text" shown:"/access_token" desc:"JSON pointer to the token in that URL's answer; may hold {app_id}"`
	AccessTokenExpiryPointer string `split_words:"true" type:"text" shown:"/expires_in" desc:"JSON pointer to the token's expiry there: seconds from now, or a Unix time from 1000000000 on (in milliseconds from 1000000000000 on)"`

	APIUrl         string `split_words:"true" type:"URL" default:"https://api.weixin.qq.com" desc:"base URL of the order list and token calls; auth cloud_open calls the default in plain http"`
	Auth           string `split_words:"true" type:"text" shown:"stable_token" desc:"stable_token (app ID and secret), token (the same by the older call, which invalidates tokens that other programs hold), static (an access token you provide; the default if one is set), cloud_file or cloud_open (cloud call from the vendor's hosting: its token file, or its open-interface service), component (third-party platform)"`
	CloudTokenFile string `split_words:"true" type:"path" default:"/.tencentcloudbase/wx/cloudbase_access_token" desc:"the hosting's token file, read at each call (auth cloud_file)"`

	ComponentAppID            string `split_words:"true" type:"text" desc:"app ID of the third-party platform (auth component)"`
	ComponentAppSecret        string `split_words:"true" type:"secret" desc:"app secret of the platform"`
	ComponentAppSecretFile    string `split_words:"true" type:"file" desc:"file with the platform's app secret, read at each call that needs it"`
	ComponentVerifyTicketFile string `split_words:"true" type:"path" desc:"file with the platform's latest verify ticket, read again when it changes; the ticket also comes by push, or over HTTP"`
	StateKeyFile              string `split_words:"true" type:"file" desc:"keys of 32 bytes in base64, one a line: the first encrypts the platform's tokens in the offsets topic, all of them decrypt (auth component)"`

	PushListen     string `split_words:"true" type:"address" shown:"off" desc:"address of a separate listener for the vendor's pushes, the only one that may face the internet"`
	PushToken      string `split_words:"true" type:"secret" desc:"message token of the pushes"`
	PushTokenFile  string `split_words:"true" type:"file" desc:"file with the message token, read again when it changes"`
	PushAESKey     string `split_words:"true" type:"secret" desc:"EncodingAESKey of the pushes, 43 characters"`
	PushAESKeyFile string `split_words:"true" type:"file" desc:"file with the EncodingAESKey, read again when it changes"`

	QuotaLiveShare string `split_words:"true" type:"number" default:"0.2" desc:"share of the whole day's list calls that a backfill leaves to the live walk, 0 to 1"`

	TimeRange string `split_words:"true" type:"text" default:"create_time" desc:"create_time: each order once; update_time: one record for each change"`
	StartTime string `split_words:"true" type:"time" shown:"time of the first start" desc:"where the walk begins: unix seconds, RFC 3339 or a date, which is its 00:00 in Asia/Shanghai; counts at a shop's first start only; an earlier one set later has no effect and is reported"`
	EndTime   string `split_words:"true" type:"time" shown:"none" desc:"where the walk ends, and the program with it: unix seconds, RFC 3339 or a date, as above"`
	Status    string `split_words:"true" type:"number" desc:"only orders of this status (passed on as a filter); with create_time an order that reaches it later than LOOKBACK after its creation is never published: use update_time"`
	Openid    string `split_words:"true" type:"text" desc:"only orders of this buyer (passed on as a filter)"`

	PageSize        string `split_words:"true" type:"number" default:"100" desc:"orders asked for in one list call, 1–100"`
	MaxWindow       string `split_words:"true" type:"duration" default:"168h" desc:"longest window, at most 168h; windows adapt between the two"`
	MinWindow       string `split_words:"true" type:"duration" default:"1s" desc:"shortest window, at least 1s"`
	PollInterval    string `split_words:"true" type:"duration" default:"10s" desc:"wait between two polls of a shop that has caught up"`
	PollIntervalMax string `split_words:"true" type:"duration" shown:"ORDERWALK_POLL_INTERVAL" desc:"how far polls of a shop may stretch while no order comes, or while pushes tell of every order; they stretch further only to make the day's list calls last"`
	SettleDelay     string `split_words:"true" type:"duration" default:"15s" desc:"how far behind now the first pass stays"`
	PublishEarly    string `split_words:"true" type:"true, false" default:"false" desc:"a live shop's polls also list the seconds that SETTLE_DELAY is not over for, and publish their orders at once; these seconds are listed again then (create_time without STATUS and END_TIME only)"`
	Lookback        string `split_words:"true" type:"duration" default:"10m" desc:"age at which a window is read a second time for late orders; 0 = never"`
	Concurrency     string `split_words:"true" type:"number" default:"8" desc:"windows of one shop in flight while backfilling"`
	RateLimit       string `split_words:"true" type:"number" default:"50" desc:"list calls a second for each app ID; halved when the API asks for it, recovering"`

	WorkerID           string `split_words:"true" type:"text" shown:"host name and port of ORDERWALK_LISTEN" desc:"names this worker in logs and in the group; a starting worker removes a dead member with its name from the group; none when the port is 0"`
	SessionTimeout     string `split_words:"true" type:"duration" default:"10s" desc:"a worker without an accepted heartbeat for this long loses its lanes; brokers allow 6s to 30m by default"`
	TransactionTimeout string `split_words:"true" type:"duration" default:"30s" desc:"the broker aborts a transaction open for longer; also how long a dead worker can hold back read_committed readers"`
	Format             string `split_words:"true" type:"text" default:"json" desc:"encoding of the order records: {formats}"`
	Compression        string `split_words:"true" type:"text" default:"none" desc:"none, gzip, snappy, lz4 or zstd"`

	Listen                string `split_words:"true" type:"address" default:":8083" desc:"address of the HTTP listener: health, metrics, log levels"`
	RestTokenFile         string `split_words:"true" type:"file" desc:"file with the bearer token with which HTTP calls may change state, read at each call; if neither this nor ORDERWALK_LISTEN_TLS_CLIENT_CA_FILE is set, only local callers may"`
	ListenTLSCertFile     string `split_words:"true" type:"file" desc:"PEM file of the HTTP listener's certificate, which turns TLS on for all calls; read again when it changes"`
	ListenTLSKeyFile      string `split_words:"true" type:"file" desc:"PEM file of that certificate's key; read again when it changes"`
	ListenTLSClientCaFile string `split_words:"true" type:"file" desc:"PEM file of authorities: HTTP calls with a client certificate that they signed may change state; read again when it changes"`
	RestSecretDirs        string `split_words:"true" type:"directory,…" shown:"none" desc:"directories, separated by commas, whose files ${file:…} in a configuration sent over HTTP may name; the files of the worker's own settings are refused even there"`

	LogLevel  string `split_words:"true" type:"text" default:"info" desc:"debug, info, warn or error"`
	LogFormat string `split_words:"true" type:"text" default:"json" desc:"json or text; when it is not set and stderr is a terminal, run logs text and shows a status line"`
}

// Variable is one row of the documentation.
type Variable struct {
	// Name is the full name, including ORDERWALK_.
	Name string
	// Type is the type in words; values of type "secret" must never be shown.
	Type string
	// Default is the value when the variable is unset, in words if that value is
	// not fixed; empty = none.
	Default string
	// Meaning is a phrase without a full stop.
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
			Meaning: strings.ReplaceAll(tag.Get("desc"), "{formats}", orList(record.Names())),
			builtIn: tag.Get("default"),
		}
		if v.Default == "" {
			v.Default = v.builtIn
		}
		all[i] = v
	}
	return all
}

// variable returns the full name of a variable.
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
