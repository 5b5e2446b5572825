package kafkaconn

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strings"
	"time"
)

// emptyPayload is the SHA-256 of an empty body; a login request has none.
const emptyPayload = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// presign returns the query of a GET request signed with AWS Signature Version 4 in its
// query form; the signature is one of the parameters. The request has only the host
// header. query already contains the action and the other parameters.
func presign(key awsKey, region, service, host, path, payload string, query url.Values, at time.Time, life string) url.Values {
	const format = "20060102T150405Z"
	stamp := at.UTC().Format(format)
	day := stamp[:8]
	scope := strings.Join([]string{day, region, service, "aws4_request"}, "/")

	signed := url.Values{}
	for name, values := range query {
		signed[name] = values
	}
	signed.Set("X-Amz-Algorithm", "AWS4-HMAC-SHA256")
	signed.Set("X-Amz-Credential", key.id+"/"+scope)
	signed.Set("X-Amz-Date", stamp)
	signed.Set("X-Amz-Expires", life)
	signed.Set("X-Amz-SignedHeaders", "host")
	if key.session != "" {
		signed.Set("X-Amz-Security-Token", key.session)
	}
	request := strings.Join([]string{
		"GET", path,
		strings.ReplaceAll(signed.Encode(), "+", "%20"), // sorted by name
		"host:" + host + "\n",
		"host", payload,
	}, "\n")
	digest := sha256.Sum256([]byte(request))
	text := strings.Join([]string{"AWS4-HMAC-SHA256", stamp, scope, hex.EncodeToString(digest[:])}, "\n")

	mac := []byte("AWS4" + key.secret)
	for _, part := range []string{day, region, service, "aws4_request", text} {
		h := hmac.New(sha256.New, mac)
		h.Write([]byte(part))
		mac = h.Sum(nil)
	}
	signed.Set("X-Amz-Signature", hex.EncodeToString(mac))
	return signed
}
