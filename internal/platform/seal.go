package platform

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"

	"orderwalk/internal/grouplog"
)

// Keys returns the state keys as they are now, 32 bytes each: the first seals,
// all open.
type Keys func() ([][]byte, error)

// What is sealed begins with the form and the ID of the key; a nonce and the
// ciphertext follow. The first form binds the text to the record's key only, the
// present one to the rest of its value too, so that a writer of the topic cannot
// make an old token a new one. Records of the first form are read until the keeper
// has sealed them again, which it does as with those under a key that is to go,
// and never again after one of the present form has been seen for that key.
const (
	firstForm  = 1
	sealedForm = 2
	keyIDSize  = 5
)

var (
	// ErrNoKeys is a sealed record where no state keys are configured.
	ErrNoKeys    = errors.New("there are no state keys")
	errSealed    = errors.New("sealed with none of the state keys, or damaged or altered")
	errUnsealed  = errors.New("not sealed")
	errOlderForm = errors.New("sealed in an older form than the record before it")
)

// keyID is the form of a seal, and finds its key again without telling anything
// about it.
type keyID [keyIDSize]byte

func idOf(form byte, key []byte) keyID {
	sum := sha256.Sum256(append([]byte("orderwalk state key "), key...))
	id := keyID{form}
	copy(id[1:], sum[:])
	return id
}

// bound is what a text is sealed for: the record's key and, but in the first
// form, what else stands in its value. Fields that come to be there are left out
// of it, or make another form: older programs could not open the seal.
func bound(form byte, record []byte, v value) []byte {
	if form == firstForm {
		return record
	}
	v.Sealed = ""
	return append(append(append([]byte(nil), record...), 0), grouplog.Encode(v)...)
}

// seal encrypts a text that belongs to a record's key and value and to no other.
func (k Keys) seal(record []byte, v value, text []byte) (string, error) {
	keys, err := k()
	if err != nil {
		return "", err
	}
	gcm, err := newGCM(keys[0])
	if err != nil {
		return "", err
	}
	id := idOf(sealedForm, keys[0])
	out := append([]byte(nil), id[:]...)
	nonce := make([]byte, gcm.NonceSize())
	_, _ = rand.Read(nonce) // never fails
	out = append(out, nonce...)
	return base64.StdEncoding.EncodeToString(gcm.Seal(out, nonce, text, bound(sealedForm, record, v))), nil
}

// first is the ID of the key that seals now.
func (k Keys) first() (keyID, error) {
	keys, err := k()
	if err != nil {
		return keyID{}, err
	}
	return idOf(sealedForm, keys[0]), nil
}

// open decrypts what seal has made, or an older program, and tells by which key.
func (k Keys) open(record []byte, v value) (text []byte, by keyID, err error) {
	if k == nil {
		return nil, by, ErrNoKeys
	}
	keys, err := k()
	if err != nil {
		return nil, by, err
	}
	raw, err := base64.StdEncoding.DecodeString(v.Sealed)
	if err != nil || len(raw) < keyIDSize || raw[0] != sealedForm && raw[0] != firstForm {
		return nil, by, errSealed
	}
	by, rest := keyID(raw), raw[keyIDSize:]
	for _, key := range keys {
		if idOf(by[0], key) != by {
			continue
		}
		gcm, err := newGCM(key)
		if err != nil {
			return nil, by, err
		}
		if len(rest) < gcm.NonceSize() {
			return nil, by, errSealed
		}
		if text, err := gcm.Open(nil, rest[:gcm.NonceSize()], rest[gcm.NonceSize():], bound(by[0], record, v)); err == nil {
			return text, by, nil
		}
	}
	return nil, by, errSealed
}

func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("use state key: %w", err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("use state key: %w", err)
	}
	return gcm, nil
}

// fingerprint tells tokens apart without telling them.
func fingerprint(token string) string {
	if token == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:8])
}
