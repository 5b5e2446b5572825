package push

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

// vectors come from testdata/vectors.py, which documents them.
func vectors(t testing.TB) (all []vector) {
	t.Helper()
	text, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

type vector struct {
	Name         string
	Token, Key   string
	AppID        string `json:"app_id"`
	Timestamp    string
	Nonce        string
	Pad          int
	Signature    string
	MsgSignature string `json:"msg_signature"`
	Encrypted    string
	Message      string
}

func TestVectors(t *testing.T) {
	all := vectors(t)
	pads := map[int]bool{}
	for _, v := range all {
		k := key(t, v.Token, v.Key)
		if !k.signed(v.Signature, v.Timestamp, v.Nonce) || !k.signed(v.MsgSignature, v.Nonce, v.Timestamp, v.Encrypted) {
			t.Errorf("%s: a good signature is refused", v.Name)
		}
		for _, bad := range []string{"", v.Signature, v.MsgSignature[1:], v.MsgSignature + "0", strings.ToUpper(v.MsgSignature)} {
			if k.signed(bad, v.Timestamp, v.Nonce, v.Encrypted) {
				t.Errorf("%s: signature %q is taken", v.Name, bad)
			}
		}
		message, err := k.open(v.Encrypted, v.AppID)
		if err != nil || string(message) != v.Message {
			t.Errorf("%s: %q, %v", v.Name, message, err)
		}
		for _, other := range []string{"", v.AppID[1:], v.AppID + "0", strings.ToUpper(v.AppID)} {
			if message, err := k.open(v.Encrypted, other); !errors.Is(err, errAppID) || message != nil {
				t.Errorf("%s: for app ID %q: %q, %v", v.Name, other, message, err)
			}
		}
		pads[v.Pad] = true
	}
	for pad := 1; pad <= 32; pad++ {
		if !pads[pad] {
			t.Errorf("no vector with a padding of %d", pad)
		}
	}
}

// plain is a correct plaintext without padding.
func plain(message, appID string) []byte {
	data := append(bytes.Repeat([]byte{'r'}, 16), 0, 0, byte(len(message)>>8), byte(len(message)))
	return append(append(data, message...), appID...)
}

// Every padding, right and wrong, compared with a simple implementation of the rule.
func TestPaddings(t *testing.T) {
	for last := range 256 {
		for wrongAt := range 33 { // 32: no wrong byte
			block := bytes.Repeat([]byte{byte(last)}, 32)
			if wrongAt < 32 {
				block[wrongAt] ^= 1
			}
			pad := int(block[31])
			good := pad >= 1 && pad <= 32 && bytes.Equal(block[32-min(max(pad, 0), 32):], bytes.Repeat([]byte{byte(pad)}, min(pad, 32)))
			size, ok := unpad(append(bytes.Repeat([]byte{7}, 64), block...))
			if ok != good || ok && size != 96-pad {
				t.Fatalf("padding %v: %d, %v, want %v", block, size, ok, good)
			}
		}
	}
}

func TestWhatDoesNotDecrypt(t *testing.T) {
	k := key(t, shopToken, shopAES)
	pad := func(data []byte) []byte {
		n := 32 - len(data)%32
		return append(data, bytes.Repeat([]byte{byte(n)}, n)...)
	}
	long := plain("message", shopID)
	long[18] = 0xff
	longer := plain("message", shopID)
	longer[19] = byte(len("message") + len(shopID) + 1)
	huge := plain("message", shopID)
	huge[16] = 0xff
	sealed := seal(t, shopAES, shopID, []byte("message"))
	raw, _ := base64.StdEncoding.DecodeString(sealed)
	for name, encrypted := range map[string]string{
		"empty":                       "",
		"no base64":                   sealed[:8] + "*" + sealed[9:],
		"cut in its base64":           sealed[:len(sealed)-1],
		"half a block":                base64.StdEncoding.EncodeToString(raw[:40]),
		"a block of AES, not of 32":   base64.StdEncoding.EncodeToString(raw[:48]),
		"the last block is missing":   base64.StdEncoding.EncodeToString(raw[:32]),
		"nothing but padding":         encrypt(t, shopAES, bytes.Repeat([]byte{32}, 32)),
		"shorter than its head":       encrypt(t, shopAES, pad(bytes.Repeat([]byte{'r'}, 19))),
		"a message longer than all":   encrypt(t, shopAES, pad(long)),
		"a message a byte too long":   encrypt(t, shopAES, pad(longer)),
		"a message of 4 GB":           encrypt(t, shopAES, pad(huge)),
		"padding of 0":                encrypt(t, shopAES, append(pad(plain("message", shopID)), make([]byte, 32)...)),
		"padding of 33":               encrypt(t, shopAES, append(pad(plain("message", shopID)), bytes.Repeat([]byte{33}, 32)...)),
		"encrypted with another key":  seal(t, newAES, shopID, []byte("message")),
		"padded for AES's block only": encrypt(t, shopAES, append(plain("message1", shopID), bytes.Repeat([]byte{2}, 2)...)),
	} {
		if message, err := k.open(encrypted, shopID); !errors.Is(err, errEncryption) || message != nil {
			t.Errorf("%s: %q, %v", name, message, err)
		}
	}
	if message, err := k.open(encrypt(t, shopAES, pad(plain("", shopID))), shopID); err != nil || len(message) != 0 {
		t.Errorf("an empty message: %q, %v", message, err)
	}
}

// A ciphertext with any one byte changed decrypts to another message or not at all.
func TestEveryByteOfACiphertext(t *testing.T) {
	k := key(t, shopToken, shopAES)
	message := strings.Repeat("a message ", 9)
	raw, _ := base64.StdEncoding.DecodeString(seal(t, shopAES, shopID, []byte(message)))
	for i := range raw {
		raw[i] ^= 0x40
		got, err := k.open(base64.StdEncoding.EncodeToString(raw), shopID)
		if err == nil && string(got) == message {
			t.Errorf("byte %d: the same message", i)
		}
		raw[i] ^= 0x40
	}
}

func TestKeysThatAreNone(t *testing.T) {
	for _, c := range [][2]string{
		{"", shopAES}, {shopToken, ""}, {shopToken, shopAES[1:]}, {shopToken, shopAES + "A"},
		{shopToken, shopAES + "="}, {shopToken, shopAES + "\n"}, {shopToken, "*" + shopAES[1:]}, {shopToken, "\n\n\n\n" + shopAES[4:]},
	} {
		if _, err := NewKey(c[0], c[1]); err == nil {
			t.Errorf("%q was taken", c)
		} else if strings.Contains(err.Error(), "bcdefg") || strings.Contains(err.Error(), shopToken) {
			t.Errorf("a secret in %q", err)
		}
	}
}

// Printing a secret in any form does not reveal it.
func TestSecretsHide(t *testing.T) {
	for _, v := range []any{
		key(t, shopToken, shopAES), []Key{key(t, shopToken, shopAES)}, Secret(shopToken),
		Ticket{Ticket: Secret(shopToken)}, &Authorization{Code: Secret(shopToken)},
	} {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if all := fmt.Sprintf("%v %+v %#v %s %q %s", v, v, v, v, v, text); strings.Contains(all, shopToken) || strings.Contains(all, "105 183 29") {
			t.Errorf("%s", all)
		}
	}
}
