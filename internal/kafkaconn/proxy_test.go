package kafkaconn

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
)

// A pod's credentials are requested on the node only, or over https.
func TestAgentAddresses(t *testing.T) {
	for address, want := range map[string]bool{
		"https://agent.example/x": true, "http://127.0.0.1:1/x": true, "http://localhost/x": true, "http://[::1]/x": true,
		"http://169.254.170.2/x": true, "http://169.254.170.23/v1/credentials": true, "http://[fd00:ec2::23]/x": true,
		"http://[::ffff:169.254.170.23]/x": true, "http://[::ffff:127.0.0.1]/x": true,
		"http://169.254.169.254/x": false, "http://10.0.0.1/x": false, "http://agent.example/x": false,
		"http://169.254.170.2@agent.example/x": false, "http://169.254.170.2.example/x": false,
		"http://localhost.example/x": false, "http://[fd00:ec2::254]/x": false, "ftp://127.0.0.1/x": false, "/x": false,
	} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if got := agentAddress(u); got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
	for _, vars := range []map[string]string{
		{"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://agent.invalid/x"},
		{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "@agent.invalid/x"},
		{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": ".agent.invalid/x"},
		{"AWS_WEB_IDENTITY_TOKEN_FILE": os.DevNull, "AWS_ENDPOINT_URL_STS": "http://sts.invalid"},
	} {
		keys := awsKeys{getenv: func(name string) string { return vars[name] }}
		if _, err := keys.get(t.Context(), "us-east-1"); !Refused(err) || !strings.Contains(err.Error(), "https") {
			t.Errorf("%v: %v", vars, err)
		}
	}
}

// Unencrypted requests use no proxy, which could read them. (net/http reads the variable
// once per process, so the test starts another one.)
func TestNoProxyForWhatIsInClear(t *testing.T) {
	if os.Getenv("HTTP_PROXY") != "" {
		request, err := http.NewRequest(http.MethodGet, "http://tokens.invalid/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if status, _, err := fetch(request); err == nil {
			t.Errorf("HTTP %d", status)
		}
		return
	}
	var calls atomic.Int64
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls.Add(1) }))
	defer proxy.Close()
	cmd := exec.Command(os.Args[0], "-test.run=^TestNoProxyForWhatIsInClear$")
	cmd.Env = append(os.Environ(), "HTTP_PROXY="+proxy.URL, "NO_PROXY=")
	if out, err := cmd.CombinedOutput(); err != nil || calls.Load() != 0 {
		t.Errorf("%d calls by the proxy, %v\n%s", calls.Load(), err, out)
	}
}
