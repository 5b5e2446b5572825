package config

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ConnectorClass is the class of the connectors that shops are to Kafka Connect's tools.
// They look for "Source" in it, and know it by its last part too.
const ConnectorClass = "orderwalk.WeChatOrderSource"

// IsConnectorClass reports whether a name means ConnectorClass, as Kafka Connect looks up
// plugins: by the full name or the simple one.
func IsConnectorClass(name string) bool {
	return name == ConnectorClass || name == ConnectorClass[strings.LastIndexByte(ConnectorClass, '.')+1:]
}

// The keys of a connector's configuration that are not fields of the shops file.
const (
	keyName   = "name" // required here, a field there
	keyClass  = "connector.class"
	keyTasks  = "tasks.max"
	keyTopic  = "kafka.topic"
	mostTasks = 1<<31 - 1
)

// secretFields are the fields of a shop that hold a secret.
var secretFields = []string{"app_secret", "access_token", "access_token_url_secret", "authorizer_refresh_token", "push_token", "push_aes_key"}

// Connectors reads configurations of connectors, each a shop that is sent over HTTP, as
// text by key. The keys are the fields of the shops file, read and checked by the same
// code, and those of Kafka Connect. What a configuration leaves out is as the variables
// say, except for name and app ID.
//
// A secret is given as a reference: see parseReference. References are resolved in the
// fields of secrets only, and only on their way to the API: a configuration is kept and
// shown as it was sent. A secret by value is a fault, which does not quote it.
//
// A Connectors is not changed; several goroutines may use it.
type Connectors struct {
	base         Shop // what a configuration leaves out
	files        secretFiles
	apiURL       string
	offsetsTopic string
	component    Component
	stateKeys    bool // there are keys for the platform's tokens
}

func newConnectors(c *Config, base Shop, dirs []string, env *environment) *Connectors {
	base.Name, base.AppID, base.Created = "", "", true
	return &Connectors{base: base, files: secretFiles{dirs: dirs, own: ownFiles(env)}, apiURL: c.APIURL,
		offsetsTopic: c.OffsetsTopic, component: c.Component, stateKeys: c.StateKeyFile != ""}
}

// ownFiles are the files that the variables, those of the AWS login too, name, except for
// those of shops.
func ownFiles(env *environment) []string {
	shops := []string{variable("APP_SECRET_FILE"), variable("ACCESS_TOKEN_FILE"), variable("CLOUD_TOKEN_FILE")}
	var own []string
	for _, name := range []string{"AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"} {
		if path := os.Getenv(name); path != "" {
			own = append(own, path)
		}
	}
	fields := reflect.ValueOf(env).Elem()
	for i, v := range Variables() {
		if path := fields.Field(i).String(); (v.Type == "file" || v.Type == "path") && path != "" && !slices.Contains(shops, v.Name) {
			own = append(own, path)
		}
	}
	return own
}

// Check returns the shop that a configuration describes, and everything that is wrong with
// it, as Kafka Connect's answer to a validation. The shop is only valid if
// ConfigInfos.Err is nil. It reads the secrets' files.
//
// The others are shops that it must fit to: one with the same name, or the same app ID and
// time range, is a fault, as it is in the shops file. Nil checks the configuration alone.
func (c *Connectors) Check(sent map[string]string, others []Shop) (Shop, ConfigInfos) {
	return c.check(sent, others, true)
}

// Preview is Check without reading the secrets' files: what that says of files is not for
// everybody.
func (c *Connectors) Preview(sent map[string]string, others []Shop) ConfigInfos {
	_, infos := c.check(sent, others, false)
	return infos
}

func (c *Connectors) check(sent map[string]string, others []Shop, test bool) (Shop, ConfigInfos) {
	r := c.read(sent, test)
	r.faults.checkName(keyName, r.shop.Name)
	if r.shop.AppID != "" && r.shop.Name != "" {
		r.fit(others)
	}
	return r.shop, c.infos(sent, r)
}

// Stored is Check for a configuration that another worker has accepted: it does not read
// the secrets' files, since a file that is missing on this worker is a trouble of one shop
// that may end by itself. The shop's secrets return such errors when they are used. With
// an error the shop has its name, app ID and time range, as far as they can be read.
func (c *Connectors) Stored(sent map[string]string) (Shop, error) {
	r := c.read(sent, false)
	texts := r.texts()
	if len(texts) == 0 {
		return r.shop, nil
	}
	return Shop{Name: r.shop.Name, AppID: r.shop.AppID, TimeRange: r.shop.TimeRange}, errors.New("the connector's configuration is not valid: " + strings.Join(texts, "; "))
}

// reading is a configuration that has been read.
type reading struct {
	shop   Shop
	faults faults // each at its key
	// wrong holds, by key, the faults of keys that do not exist, and those of Kafka
	// Connect's own keys in its words.
	wrong map[string][]string
	// unknown are the keys that do not exist, sorted, up to listedFaults.
	unknown []string
	place   func(field string) string
}

// texts are all faults.
func (r *reading) texts() []string {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(r.wrong)) {
		all = append(all, r.wrong[key]...)
	}
	for _, fault := range r.faults {
		all = append(all, fault.String())
	}
	return all
}

// read reads a configuration. test reports whether secrets are read too.
func (c *Connectors) read(sent map[string]string, test bool) *reading {
	r := &reading{wrong: map[string][]string{}}
	given := r.given(sent)
	topic := "topic"
	if given["topic"] == "" {
		topic = keyTopic
	}
	r.place = func(field string) string {
		if field == "topic" {
			return topic
		}
		return field
	}
	r.topics(given)
	r.connectKeys(given)

	f := &r.faults
	r.shop = f.shop(c.base, given, r.place, c.sentSecret(test))
	if topic := r.shop.topicOf(); topic != r.shop.Topic && r.shop.AppID != "" {
		r.shop.Topic = f.topicNameAt(r.place("topic"), topic)
	}
	c.cloudToken(r, given["cloud_token_file"])
	c.sentServer(r, given["access_token_url"])
	f.checkShop(r.shop, func(name string) string { return r.place(strings.ToLower(name)) })
	c.fitWorker(r)
	for _, key := range r.unknown {
		r.wrong[key] = append(r.wrong[key], unknownKey(key))
	}
	return r
}

// given returns the values by field or key, without surrounding blanks, and adds the
// faults of values that cannot be of their key.
func (r *reading) given(sent map[string]string) map[string]string {
	given := make(map[string]string, len(sent))
	for _, key := range slices.Sorted(maps.Keys(sent)) {
		value := strings.TrimSpace(sent[key])
		switch {
		case !isKey(key):
			if len(r.unknown) < listedFaults {
				r.unknown = append(r.unknown, key)
			}
		case len(value) > maxValue:
			r.faults.add(key, fmt.Sprintf("has more than %d bytes", maxValue), "give a shorter value")
		case strings.Contains(value, "${") && !slices.Contains(secretFields, key):
			r.faults.add(key, "holds a reference, which only the fields of secrets may", "give the value itself")
		default:
			given[key] = value
		}
	}
	return given
}

func isKey(key string) bool {
	return key == keyClass || key == keyTasks || key == keyTopic || slices.Contains(shopFields, key)
}

// unknownKey returns the fault of a key that does not exist. A key that looks like a
// secret is not quoted.
func unknownKey(key string) string {
	allowed := "remove it"
	const longest = 64
	if len(key) <= longest {
		keys := append([]string{keyClass, keyTasks, keyTopic}, shopFields...)
		if near := Nearest(key, keys); near != "" {
			allowed = "did you mean " + near + "?"
		}
	}
	return shown(key) + " is not a key of this connector; " + allowed
}

// topics makes one of the two keys of the orders topic.
func (r *reading) topics(given map[string]string) {
	topic, listed := given[keyTopic], given["topic"]
	if topic != "" && listed != "" && topic != listed {
		r.faults.add("topic", "differs from "+keyTopic, "give one of them")
	}
	if listed == "" && topic != "" {
		given["topic"] = topic
	}
	delete(given, keyTopic)
}

// connectKeys checks the keys that Kafka Connect has of its own, in its words: tools know
// them.
func (r *reading) connectKeys(given map[string]string) {
	wrong := func(key, text string) { r.wrong[key] = append(r.wrong[key], text) }
	missing := func(key string) bool {
		refused := slices.ContainsFunc(r.faults, func(f Fault) bool { return f.Where == key })
		if given[key] == "" && !refused {
			wrong(key, fmt.Sprintf("Missing required configuration %q which has no default value.", key))
		}
		return given[key] == ""
	}
	if name := given[keyName]; !missing(keyName) {
		if !utf8.ValidString(name) {
			wrong(keyName, "Invalid value for configuration name: String must be valid UTF-8")
		}
		for _, c := range name {
			if c < ' ' || c >= 0x7f && c < 0xa0 {
				wrong(keyName, fmt.Sprintf("Invalid value for configuration name: String may not contain control sequences but had the following ASCII chars: %d", c))
				break
			}
		}
	}
	if !missing(keyClass) && !IsConnectorClass(given[keyClass]) {
		wrong(keyClass, "Failed to find any class that implements Connector and which name matches the given one, available connectors are: "+ConnectorClass)
	}
	if tasks := given[keyTasks]; tasks != "" {
		switch n, err := strconv.Atoi(tasks); {
		case err != nil || n > mostTasks || n < -mostTasks:
			wrong(keyTasks, "Invalid value "+unquotedValue(tasks)+" for configuration tasks.max: Not a number of type INT")
		case n < 1:
			wrong(keyTasks, fmt.Sprintf("Invalid value %d for configuration tasks.max: Value must be at least 1", n))
		}
	}
	delete(given, keyClass)
	delete(given, keyTasks)
}

// unquotedValue is a value as Kafka Connect's messages have it; one that may be a secret
// is not shown.
func unquotedValue(value string) string {
	text := shownIf(numeric(value), value)
	if plain, err := strconv.Unquote(text); err == nil {
		return plain
	}
	return text
}

// sentSecret reads a secret that is given as a reference, or as the file of one.
func (c *Connectors) sentSecret(test bool) secretReader {
	return func(f *faults, field string, given map[string]string, at func(field string) string) (Secret, string) {
		text, path := given[field], given[field+"_file"]
		where := field
		if text != "" && path != "" {
			f.add(at(field), "and "+at(field+"_file")+" are both set", "give one of them")
			return nil, HiddenSecret
		}
		if path != "" {
			where, text = field+"_file", fileReference(path)
		}
		ref, err := parseReference(text)
		if path != "" { // the path of a file may have a colon
			ref, err = reference{file: path}, nil
		}
		const allowed = "give ${file:/path}, ${file:/path:key} or ${env:NAME}"
		switch {
		case errors.Is(err, errByValue):
			f.add(at(where), "holds a secret by value, which would be stored and shown", allowed)
			return nil, HiddenSecret
		case err != nil:
			f.add(at(where), err.Error(), allowed)
			return nil, HiddenSecret
		}
		if test {
			if _, err := c.files.read(field, ref); err != nil {
				f.add(at(where), err.Error(), "give a secret that every worker can read")
				return nil, text
			}
		}
		return c.files.secret(where, ref), text
	}
}

// cloudToken has the file of a cloud call's token read as the files of secrets are, unless
// it is the worker's own.
func (c *Connectors) cloudToken(r *reading, path string) {
	if path == "" || path == c.base.CloudTokenFile {
		return
	}
	if !c.files.lists(path) {
		err := errElsewhere
		if len(c.files.dirs) == 0 {
			err = errNoDirs
		}
		r.faults.add("cloud_token_file", err.Error(), "give a file of them, or leave it out")
	}
	if r.shop.CloudToken != nil {
		r.shop.CloudToken = c.files.secret("cloud_token_file", reference{file: path})
	}
}
