package push

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
)

// errEncryption covers every fault of a ciphertext. errAppID means that the ciphertext
// is intact but for another account.
var (
	errEncryption = errors.New("does not decrypt")
	errAppID      = errors.New("is meant for another app ID")
)

const (
	// padBlock is the block size of the padding, twice that of AES.
	padBlock = 32
	// The plaintext is 16 random bytes, the message's length in 4 bytes, the message,
	// and the receiver's app ID.
	randomSize = 16
	headSize   = randomSize + 4
)

// open decrypts a message for an app ID.
func (k Key) open(encrypted, appID string) ([]byte, error) {
	data, err := base64.StdEncoding.DecodeString(encrypted)
	if err != nil || len(data) == 0 || len(data)%padBlock != 0 {
		return nil, errEncryption
	}
	block, err := aes.NewCipher(k.aes[:])
	if err != nil {
		return nil, errEncryption // impossible with 32 bytes
	}
	cipher.NewCBCDecrypter(block, k.aes[:aes.BlockSize]).CryptBlocks(data, data)

	size, ok := unpad(data)
	if !ok || size < headSize {
		return nil, errEncryption
	}
	rest := data[headSize:size]
	length := int64(binary.BigEndian.Uint32(data[randomSize:headSize]))
	if length > int64(len(rest)) {
		return nil, errEncryption
	}
	if subtle.ConstantTimeCompare(rest[length:], []byte(appID)) != 1 {
		return nil, errAppID
	}
	return rest[:length], nil
}

// unpad returns the size of data without its PKCS#7 padding. It reads the whole last
// block in any case, so that its duration reveals nothing.
func unpad(data []byte) (size int, ok bool) {
	pad := int(data[len(data)-1])
	good := subtle.ConstantTimeLessOrEq(1, pad) & subtle.ConstantTimeLessOrEq(pad, padBlock)
	for i, b := range data[len(data)-padBlock:] {
		padding := subtle.ConstantTimeLessOrEq(padBlock-i, pad)
		good &= subtle.ConstantTimeSelect(padding, subtle.ConstantTimeByteEq(b, byte(pad)), 1)
	}
	return len(data) - pad, good == 1
}
