//go:build kafka

package kafkaconn

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"testing"
	"time"
)

const jwtName = "https://login.example.com"

// jwtIssuer signs tokens.
type jwtIssuer struct{ key *rsa.PrivateKey }

func newJWTIssuer(t *testing.T) *jwtIssuer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return &jwtIssuer{key}
}

// keys returns the JSON Web Key Set with which a broker verifies signatures.
func (j *jwtIssuer) keys() []byte {
	return fmt.Appendf(nil, `{"keys":[{"kty":"RSA","kid":"k","alg":"RS256","use":"sig","n":%q,"e":%q}]}`,
		base64.RawURLEncoding.EncodeToString(j.key.N.Bytes()),
		base64.RawURLEncoding.EncodeToString(big.NewInt(int64(j.key.E)).Bytes()))
}

func (j *jwtIssuer) token(t *testing.T, sub, audience string, life time.Duration) string {
	t.Helper()
	part := func(v map[string]any) string {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	text := part(map[string]any{"alg": "RS256", "kid": "k", "typ": "JWT"}) + "." +
		part(map[string]any{"iss": jwtName, "sub": sub, "aud": audience, "iat": time.Now().Add(-2 * time.Hour).Unix(), "exp": time.Now().Add(life).Unix()})
	digest := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, j.key, crypto.SHA256, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}
