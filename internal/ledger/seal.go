package ledger

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
)

// Keys returns the state keys as they are now, 32 bytes each: the first seals,
// all open.
type Keys func() ([][]byte, error)

// sealedForm is the first byte of what is sealed. After it come the key's ID, a
// nonce and the ciphertext.
const (
	sealedForm = 1
	keyIDSize  = 4
)

var errSealed = errors.New("sealed with none of the state keys, or damaged")

// keyID finds a key again without telling anything about it.
type keyID [keyIDSize]byte

func idOf(key []byte) keyID {
	sum := sha256.Sum256(append([]byte("orderwalk state key "), key...))
	return keyID(sum[:])
}

// seal encrypts a text that belongs to a record's key and to no other.
func (k Keys) seal(record, text []byte) (string, error) {
	keys, err := k()
	if err != nil {
		return "", err
	}
	gcm, err := newGCM(keys[0])
	if err != nil {
		return "", err
	}
	id := idOf(keys[0])
	out := append([]byte{sealedForm}, id[:]...)
	nonce := make([]byte, gcm.NonceSize())
	_, _ = rand.Read(nonce) // never fails
	out = append(out, nonce...)
	return base64.StdEncoding.EncodeToString(gcm.Seal(out, nonce, text, record)), nil
}

// first is the ID of the key that seals now.
func (k Keys) first() (keyID, error) {
	keys, err := k()
	if err != nil {
		return keyID{}, err
	}
	return idOf(keys[0]), nil
}

// open decrypts what seal has made, and tells by which key.
func (k Keys) open(record []byte, sealed string) (text []byte, by keyID, err error) {
	if k == nil {
		return nil, by, errors.New("there are no state keys: set ORDERWALK_STATE_KEY_FILE")
	}
	keys, err := k()
	if err != nil {
		return nil, by, err
	}
	raw, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil || len(raw) < 1+keyIDSize || raw[0] != sealedForm {
		return nil, by, errSealed
	}
	by, rest := keyID(raw[1:]), raw[1+keyIDSize:]
	for _, key := range keys {
		if idOf(key) != by {
			continue
		}
		gcm, err := newGCM(key)
		if err != nil {
			return nil, by, err
		}
		if len(rest) < gcm.NonceSize() {
			return nil, by, errSealed
		}
		if text, err := gcm.Open(nil, rest[:gcm.NonceSize()], rest[gcm.NonceSize():], record); err == nil {
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
