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

// Keys returns the current state keys, 32 bytes each: the first seals, all can open.
type Keys func() ([][]byte, error)

// A seal begins with its form and the ID of the key; a nonce and the ciphertext follow.
// The first form binds the text to the record's key only. The present form also binds it
// to the rest of its value, so that a writer of the topic cannot make an old token look
// new. Records of the first form are accepted until the keeper has sealed them again, as
// it does with those under a key that is to be removed. Once a record key has been seen
// in the present form, the first form is no longer accepted for it.
const (
	firstForm  = 1
	sealedForm = 2
	keyIDSize  = 5
)

var (
	// ErrNoKeys is a sealed record where no state keys are configured.
	ErrNoKeys    = errors.New("there are no state keys")
	errSealed    = errors.New("sealed with another key than the state keys, damaged, or altered")
	errUnsealed  = errors.New("not sealed")
	errOlderForm = errors.New("sealed in an older form than the record before it")
)

// keyID is the form of a seal and an identifier of its key that reveals nothing about
// it.
type keyID [keyIDSize]byte

func idOf(form byte, key []byte) keyID {
	sum := sha256.Sum256(append([]byte("orderwalk state key "), key...))
	id := keyID{form}
	copy(id[1:], sum[:])
	return id
}

// bound returns the data that a seal is bound to: the record's key and, except in the
// first form, the other fields of its value. New fields are left out of it or need a new
// form, because older programs could not open the seal.
func bound(form byte, record []byte, v value) []byte {
	if form == firstForm {
		return record
	}
	v.Sealed = ""
	return append(append(append([]byte(nil), record...), 0), grouplog.Encode(v)...)
}

// seal encrypts a text and binds it to a record's key and value.
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
	_, _ = rand.Read(nonce) // never returns an error
	out = append(out, nonce...)
	return base64.StdEncoding.EncodeToString(gcm.Seal(out, nonce, text, bound(sealedForm, record, v))), nil
}

// first returns the ID of the key that seals now.
func (k Keys) first() (keyID, error) {
	keys, err := k()
	if err != nil {
		return keyID{}, err
	}
	return idOf(sealedForm, keys[0]), nil
}

// open decrypts a seal of this program or an older one, and returns the ID of its key.
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

// fingerprint distinguishes tokens without revealing them.
func fingerprint(token string) string {
	if token == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:8])
}
