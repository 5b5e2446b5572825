package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
)

// Component is a third-party platform.
type Component struct {
	// AppID is the platform's app ID; empty = no platform.
	AppID     string
	AppSecret Secret
	// VerifyTicket reads the latest ticket from its file, which need not exist;
	// nil = no file is configured.
	VerifyTicket Secret
}

// Push is the listener for the vendor's pushes.
type Push struct {
	// Listen is its address; empty = none.
	Listen string
	// Token and AESKey are set together. They apply to the platform and to the
	// shops that set neither.
	Token, AESKey Secret
}

// Keys returns the keys of the platform's stored tokens, reading the file at each
// call: the first key encrypts, all decrypt. Nil means that no keys are configured.
type Keys func() ([][]byte, error)

// String hides the keys.
func (Keys) String() string { return hidden }

// GoString hides the keys.
func (Keys) GoString() string { return hidden }

// MarshalText hides the keys in JSON and the like.
func (Keys) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// LogValue hides the keys.
func (Keys) LogValue() slog.Value { return slog.StringValue(hidden) }

const stateKeySize = 32

// keyFile reads base64 keys of 32 bytes, one a line. Its errors never quote the
// contents of the file.
func keyFile(path string) Keys {
	return func() ([][]byte, error) {
		text, err := readSecretFile(path)
		if err != nil {
			return nil, fmt.Errorf("read state keys: %w", err)
		}
		var keys [][]byte
		number := 0
		for line := range strings.Lines(text) {
			number++
			if line = strings.TrimSpace(line); line == "" {
				continue
			}
			key, err := base64.StdEncoding.DecodeString(line)
			switch {
			case err != nil:
				return nil, fmt.Errorf("read state keys: %s, line %d: not base64", shownPath(path), number)
			case len(key) != stateKeySize:
				return nil, fmt.Errorf("read state keys: %s, line %d: %d bytes, not %d", shownPath(path), number, len(key), stateKeySize)
			}
			keys = append(keys, key)
		}
		if len(keys) == 0 {
			return nil, fmt.Errorf("read state keys: %s holds none", shownPath(path))
		}
		return keys, nil
	}
}

// stateKeys returns the keys of the key file; nil if no file is configured or the
// file has a fault.
func (f *faults) stateKeys(env *environment) Keys {
	if env.StateKeyFile == "" {
		return nil
	}
	keys := keyFile(env.StateKeyFile)
	if _, err := keys(); err != nil {
		f.add(variable("STATE_KEY_FILE"), strings.TrimPrefix(err.Error(), "read state keys: "),
			"give a file with one key on each line, as `openssl rand -base64 32` prints it")
		return nil
	}
	return keys
}

// component reads the platform's settings. They are required if a shop uses auth
// component, or if authorised shops are walked.
func (f *faults) component(env *environment, shops []Shop, authorized bool) Component {
	c := Component{
		AppID: env.ComponentAppID,
		AppSecret: f.secret(variable("COMPONENT_APP_SECRET"), env.ComponentAppSecret,
			variable("COMPONENT_APP_SECRET_FILE"), env.ComponentAppSecretFile),
	}
	if env.ComponentVerifyTicketFile != "" {
		c.VerifyTicket = secretFile(env.ComponentVerifyTicketFile)
	}
	if c.AppID != "" {
		f.checkAppID(variable("COMPONENT_APP_ID"), c.AppID, "platform")
	}
	secret := env.ComponentAppSecret + env.ComponentAppSecretFile
	needed, why := authorized, walkAuthorized+" shops need it"
	if slices.ContainsFunc(shops, func(s Shop) bool { return s.Auth == authComponent }) {
		needed, why = true, "auth component needs it"
	}
	for _, s := range shops {
		if s.AppID != "" && s.AppID == c.AppID {
			f.add(variable("COMPONENT_APP_ID"), appID(c.AppID)+" is the app ID of a shop too", "give the platform's own")
		}
	}
	switch {
	case c.AppID == "" && needed:
		f.add(variable("COMPONENT_APP_ID"), "is not set", why)
	case c.AppID == "" && secret+env.ComponentVerifyTicketFile != "":
		f.add(variable("COMPONENT_APP_ID"), "is not set, but other variables of the platform are", "give it, or remove them")
	}
	if secret == "" && (needed || c.AppID != "") {
		f.add(variable("COMPONENT_APP_SECRET"), "is not set", "a platform needs it, or "+variable("COMPONENT_APP_SECRET_FILE"))
	}
	if env.StateKeyFile == "" && needed {
		f.add(variable("STATE_KEY_FILE"), "is not set", why+" to store the platform's tokens encrypted")
	}
	return c
}

// push reads the settings of the push listener and the token and key of the
// pushes.
func (f *faults) push(env *environment) Push {
	p := Push{
		Token:  f.secret(variable("PUSH_TOKEN"), env.PushToken, variable("PUSH_TOKEN_FILE"), env.PushTokenFile),
		AESKey: f.secret(variable("PUSH_AES_KEY"), env.PushAESKey, variable("PUSH_AES_KEY_FILE"), env.PushAESKeyFile),
	}
	f.aesKey(p.AESKey, orText(env.PushAESKey, variable("PUSH_AES_KEY"), variable("PUSH_AES_KEY_FILE")))
	token, key := env.PushToken+env.PushTokenFile, env.PushAESKey+env.PushAESKeyFile
	if (token == "") != (key == "") {
		f.add(variable("PUSH_TOKEN"), "and "+variable("PUSH_AES_KEY")+" go together", "give both or neither")
	}
	if env.PushListen == "" {
		if token+key != "" {
			f.add(variable("PUSH_LISTEN"), "is not set, but "+variable("PUSH_TOKEN")+" is", "give an address such as :8085, or remove that one")
		}
		return p
	}
	p.Listen, _ = f.listen("PUSH_LISTEN", env.PushListen)
	if p.Listen != "" && env.PushListen == env.Listen && !strings.HasSuffix(p.Listen, ":0") { // two free ports are two
		f.add(variable("PUSH_LISTEN"), shownAddress(env.PushListen)+" is that of "+variable("LISTEN")+" too", "give another port: the HTTP listener must not face the internet")
	}
	return p
}

// pushed requires a token and a key for every source of pushes.
func (f *faults) pushed(p Push, c Component, shops []Shop) {
	if p.Listen == "" || p.Token != nil || p.AESKey != nil {
		return
	}
	if c.AppID != "" {
		f.add(variable("PUSH_TOKEN"), "is not set", "the platform's pushes need it, and "+variable("PUSH_AES_KEY"))
		return
	}
	if !slices.ContainsFunc(shops, func(s Shop) bool { return s.PushToken != nil }) {
		f.add(variable("PUSH_TOKEN"), "is not set, and no shop has a push_token", variable("PUSH_LISTEN")+" needs it, and "+variable("PUSH_AES_KEY"))
	}
}

// aesKey requires the 43 characters that the vendor's page generates; where is
// their variable or field. An unreadable key has been reported already.
func (f *faults) aesKey(key Secret, where string) {
	if key == nil {
		return
	}
	text, err := key()
	if text == "" {
		return // reported already
	}
	if err == nil && len(text) != 43 {
		err = fmt.Errorf("has %d characters", len(text))
	}
	if err == nil {
		if _, bad := base64.StdEncoding.DecodeString(text + "="); bad != nil {
			err = errors.New("has characters that are not allowed in it")
		}
	}
	if err != nil {
		f.add(where, err.Error(), "give the EncodingAESKey: 43 letters and digits")
	}
}

// orText returns the variable of a secret that is set as text or as a file.
func orText(text, textName, fileName string) string {
	if text != "" {
		return textName
	}
	return fileName
}
