package kafkaconn

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Known answers. The first is from the vendor's documentation of presigned URLs (S3,
// "Authenticating Requests: Using Query Parameters"), the second from the test of
// kafka-go's aws_msk_iam_v2, the third from the vendor's SDK for Go (aws/signer/v4,
// v1.48.0) for a key with a session in a region in China.
func TestPresign(t *testing.T) {
	const example = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	connect := url.Values{"Action": {"kafka-cluster:Connect"}}
	for name, c := range map[string]struct {
		key                                        awsKey
		region, service, host, path, payload, life string
		query                                      url.Values
		at                                         time.Time
		want                                       string
	}{
		"documentation": {
			awsKey{id: "AKIAIOSFODNN7EXAMPLE", secret: example},
			"us-east-1", "s3", "examplebucket.s3.amazonaws.com", "/test.txt", "UNSIGNED-PAYLOAD", "86400", nil,
			time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC),
			"aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
		},
		"kafka-go": {
			awsKey{id: "ACCESS_KEY", secret: "SECRET_KEY"},
			"us-east-1", "kafka-cluster", "localhost", "/", emptyPayload, "300", connect,
			time.Date(2021, 10, 14, 13, 5, 0, 0, time.UTC),
			"6b8d25f9b45b9c7db9da855a49112d80379224153a27fd279c305a5b7940d1a7",
		},
		"session": {
			awsKey{id: "AKIDEXAMPLE", secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", session: "IQoJb3JpZ2luX2VjEXAMPLE//+w==tok en~"},
			"cn-north-1", "kafka-cluster", "b-1.demo.abcdef.c2.kafka.cn-north-1.amazonaws.com.cn", "/", emptyPayload, "900", connect,
			time.Date(2021, 10, 14, 13, 5, 0, 0, time.UTC),
			"cbd16f8b590797be079c98c2154434b4c149da44dbd22ae0449a833bd9c0cd18",
		},
	} {
		got := presign(c.key, c.region, c.service, c.host, c.path, c.payload, c.query, c.at, c.life)
		if s := got.Get("X-Amz-Signature"); s != c.want {
			t.Errorf("%s: signature %s, want %s", name, s, c.want)
		}
		if connect.Has("X-Amz-Date") {
			t.Fatalf("%s: the caller's query was changed", name)
		}
	}
}

// The bytes sent are those of kafka-go's aws_msk_iam_v2, except for the user agent.
func TestMSKPayload(t *testing.T) {
	m := mskIAM{key: awsKey{id: "ACCESS_KEY", secret: "SECRET_KEY"}, region: "us-east-1", host: "localhost",
		at: time.Date(2021, 10, 14, 13, 5, 0, 0, time.UTC), life: "300"}
	conversation, payload, err := m.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"action":"kafka-cluster:Connect","host":"localhost","user-agent":"orderwalk","version":"2020_10_22",` +
		`"x-amz-algorithm":"AWS4-HMAC-SHA256","x-amz-credential":"ACCESS_KEY/20211014/us-east-1/kafka-cluster/aws4_request",` +
		`"x-amz-date":"20211014T130500Z","x-amz-expires":"300",` +
		`"x-amz-signature":"6b8d25f9b45b9c7db9da855a49112d80379224153a27fd279c305a5b7940d1a7","x-amz-signedheaders":"host"}`
	if string(payload) != want {
		t.Errorf("payload\n%s, want\n%s", payload, want)
	}
	if done, _, err := conversation.Next(t.Context(), []byte(`{"version":"2020_10_22","request-id":"r"}`)); !done || err != nil {
		t.Errorf("after the broker's answer: %v, %v", done, err)
	}
	if done, _, err := conversation.Next(t.Context(), nil); done || err == nil {
		t.Error("an empty answer counts as success")
	}
}

func TestRegion(t *testing.T) {
	for host, want := range map[string]string{
		"b-1.demo.abcdef.c2.kafka.us-east-1.amazonaws.com":                  "us-east-1",
		"b-1-public.demo.abcdef.c2.kafka.ap-southeast-1.amazonaws.com":      "ap-southeast-1",
		"boot-abcd.c1.kafka-serverless.cn-northwest-1.amazonaws.com.cn":     "cn-northwest-1",
		"kafka.internal.example.com":                                        "",
		"b-1.demo.abcdef.c2.kafka.us-east-1.amazonaws.com.evil.example.com": "",
	} {
		keys := awsKeys{getenv: func(string) string { return "" }}
		if got := keys.region(host); got != want {
			t.Errorf("region of %s = %q, want %q", host, got, want)
		}
	}
	keys := awsKeys{getenv: func(name string) string { return map[string]string{"AWS_DEFAULT_REGION": "eu-west-1"}[name] }}
	if got := keys.region("b-1.x.c2.kafka.us-east-1.amazonaws.com"); got != "eu-west-1" {
		t.Errorf("region = %q, want the environment's", got)
	}
}

// awsServer serves STS and the agent of a node.
type awsServer struct {
	*httptest.Server
	calls atomic.Int64
	ends  time.Time
	fail  atomic.Bool
}

func newAWSWorld(t *testing.T) *awsServer {
	w := &awsServer{ends: time.Now().Add(time.Hour)}
	w.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		n := w.calls.Add(1)
		switch {
		case w.fail.Load():
			rw.WriteHeader(http.StatusForbidden)
			fmt.Fprintf(rw, "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not with %s</Message></Error></ErrorResponse>", r.FormValue("WebIdentityToken"))
		case r.URL.Path == "/" && r.Method == http.MethodPost && r.FormValue("Action") == "AssumeRoleWithWebIdentity" &&
			r.FormValue("RoleArn") == "arn:aws:iam::1:role/r" && r.FormValue("WebIdentityToken") == "identity-hush":
			fmt.Fprintf(rw, `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
				<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ASIA%d</AccessKeyId><SecretAccessKey>key-hush</SecretAccessKey>
				<SessionToken>session-hush</SessionToken><Expiration>%s</Expiration></Credentials></AssumeRoleWithWebIdentityResult>
				</AssumeRoleWithWebIdentityResponse>`, n, w.ends.UTC().Format(time.RFC3339))
		case r.URL.Path == "/agent" && r.Header.Get("Authorization") == "agent-hush":
			fmt.Fprintf(rw, `{"AccessKeyId":"ASIA%d","SecretAccessKey":"key-hush","Token":"session-hush","Expiration":%q}`, n, w.ends.UTC().Format(time.RFC3339))
		default:
			rw.WriteHeader(http.StatusBadRequest)
		}
	}))
	t.Cleanup(w.Close)
	return w
}

func TestAWSKeysOfAPod(t *testing.T) {
	files := folder{t, t.TempDir()}
	identity := files.put("identity", []byte("identity-hush\n"))
	agent := files.put("agent", []byte("agent-hush"))
	for name, env := range map[string]func(w *awsServer) map[string]string{
		"role": func(w *awsServer) map[string]string {
			return map[string]string{"AWS_ROLE_ARN": "arn:aws:iam::1:role/r", "AWS_WEB_IDENTITY_TOKEN_FILE": identity, "AWS_ENDPOINT_URL_STS": w.URL}
		},
		"agent": func(w *awsServer) map[string]string {
			return map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": w.URL + "/agent", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": agent}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newAWSWorld(t)
			vars := env(w)
			keys := awsKeys{getenv: func(name string) string { return vars[name] }}
			get := func() awsKey {
				t.Helper()
				key, err := keys.get(context.Background(), "us-east-1")
				if err != nil {
					t.Fatal(err)
				}
				return key
			}
			first := get()
			if first.id != "ASIA1" || first.secret != "key-hush" || first.session != "session-hush" || !first.until.Equal(w.ends.Truncate(time.Second)) {
				t.Errorf("key = %+v", first)
			}
			if get() != first || w.calls.Load() != 1 {
				t.Errorf("%d calls for two keys", w.calls.Load())
			}
			keys.forget()
			if get().id != "ASIA2" {
				t.Error("a key that was refused is used again")
			}
			keys.forget()
			w.ends = time.Now().Add(keyMargin / 2)
			get()
			if get().id != "ASIA4" {
				t.Error("a key at its end is used again")
			}
			w.fail.Store(true)
			_, err := keys.get(context.Background(), "us-east-1")
			if !Refused(err) || strings.Contains(err.Error(), "hush") {
				t.Errorf("refused: %v", err)
			}
			if name == "role" && !strings.Contains(err.Error(), "AccessDenied") {
				t.Errorf("refused: %v, want the vendor's code", err)
			}
		})
	}
}

func TestAWSKeysOfTheEnvironment(t *testing.T) {
	vars := map[string]string{"AWS_ACCESS_KEY_ID": "AKIA1", "AWS_SECRET_ACCESS_KEY": "key-hush", "AWS_SESSION_TOKEN": "session-hush", "AWS_REGION": "us-east-1"}
	l := newAWSLogin(func(name string) string { return vars[name] })
	m, secrets, err := l.mechanism(t.Context(), "localhost")
	if err != nil {
		t.Fatal(err)
	}
	if len(secrets) != 2 || secrets[0] != "key-hush" || secrets[1] != "session-hush" {
		t.Errorf("secrets = %q", secrets)
	}
	_, payload, err := m.Start(t.Context())
	var fields map[string]string
	if err != nil || json.Unmarshal(payload, &fields) != nil || fields["x-amz-security-token"] != "session-hush" || strings.Contains(string(payload), "key-hush") {
		t.Errorf("payload = %s, %v", payload, err)
	}
	if p := l.principal(); !strings.Contains(p, "AKIA1") {
		t.Errorf("principal = %q", p)
	}
	for _, missing := range []string{"AWS_ACCESS_KEY_ID", "AWS_REGION"} {
		delete(vars, missing)
		if _, _, err := l.mechanism(t.Context(), "localhost"); !Refused(err) || !strings.Contains(err.Error(), missing) {
			t.Errorf("without %s: %v", missing, err)
		}
		vars[missing] = "x"
	}
}
