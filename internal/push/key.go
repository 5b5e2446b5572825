package push

import (
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"log/slog"
	"slices"
	"strings"
)

// Key is a message token and the EncodingAESKey that goes with it, as set at
// the vendor's side. It shows neither when printed.
type Key struct {
	token string
	aes   [32]byte
}

// encodedKeySize is the length of an EncodingAESKey: 32 bytes in base64 without
// the last "=".
const encodedKeySize = 43

// NewKey takes a message token and an EncodingAESKey. Its errors name neither.
func NewKey(token, encodingAESKey string) (Key, error) {
	if token == "" {
		return Key{}, errors.New("the message token is empty")
	}
	if len(encodingAESKey) != encodedKeySize {
		return Key{}, errors.New("the EncodingAESKey does not have 43 characters")
	}
	// Its last character may have bits that the 32 bytes do not need.
	raw, err := base64.StdEncoding.DecodeString(encodingAESKey + "=")
	if err != nil || len(raw) != 32 {
		return Key{}, errors.New("the EncodingAESKey has a character that base64 does not have")
	}
	return Key{token: token, aes: [32]byte(raw)}, nil
}

// hidden is what a secret looks like wherever it is printed.
const hidden = "[secret]"

// String hides the key.
func (Key) String() string { return hidden }

// GoString hides the key.
func (Key) GoString() string { return hidden }

// LogValue hides the key.
func (Key) LogValue() slog.Value { return slog.StringValue(hidden) }

// signed tells, in a time that does not depend on it, whether a signature is
// that of the parts under the key's token.
func (k Key) signed(signature string, parts ...string) bool {
	sorted := slices.Sorted(slices.Values(append(parts, k.token)))
	sum := sha1.Sum([]byte(strings.Join(sorted, "")))
	return subtle.ConstantTimeCompare([]byte(signature), []byte(hex.EncodeToString(sum[:]))) == 1
}
