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

// Key is a message token and its EncodingAESKey, as set at the vendor's side. Neither
// is shown when the key is printed.
type Key struct {
	token string
	aes   [32]byte
}

// encodedKeySize is the length of an EncodingAESKey: 32 bytes in base64 without
// the last "=".
const encodedKeySize = 43

// NewKey returns the key for a message token and an EncodingAESKey. Its errors contain
// neither.
func NewKey(token, encodingAESKey string) (Key, error) {
	if token == "" {
		return Key{}, errors.New("the message token is empty")
	}
	if len(encodingAESKey) != encodedKeySize {
		return Key{}, errors.New("the EncodingAESKey does not have 43 characters")
	}
	// The last character may have bits beyond the 32 bytes.
	raw, err := base64.StdEncoding.DecodeString(encodingAESKey + "=")
	if err != nil || len(raw) != 32 {
		return Key{}, errors.New("the EncodingAESKey has a character that is not base64")
	}
	return Key{token: token, aes: [32]byte(raw)}, nil
}

// hidden replaces a secret wherever it is printed.
const hidden = "[secret]"

// String hides the key.
func (Key) String() string { return hidden }

// GoString hides the key.
func (Key) GoString() string { return hidden }

// LogValue hides the key.
func (Key) LogValue() slog.Value { return slog.StringValue(hidden) }

// signed reports, in constant time, whether signature is valid for the parts under the
// key's token.
func (k Key) signed(signature string, parts ...string) bool {
	sorted := slices.Sorted(slices.Values(append(parts, k.token)))
	sum := sha1.Sum([]byte(strings.Join(sorted, "")))
	return subtle.ConstantTimeCompare([]byte(signature), []byte(hex.EncodeToString(sum[:]))) == 1
}
