package kafkaconn

import (
	"cmp"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// awsKey is a key that signs requests.
type awsKey struct {
	id, secret, session string
	until               time.Time // zero = no expiry
}

// awsKeys finds a key in one of three places, in this order: AWS_ACCESS_KEY_ID and
// AWS_SECRET_ACCESS_KEY; a role for a Kubernetes service account (AWS_ROLE_ARN and
// AWS_WEB_IDENTITY_TOKEN_FILE, "IRSA"); the agent of EKS Pod Identity or ECS
// (AWS_CONTAINER_CREDENTIALS_FULL_URI or _RELATIVE_URI). It reads neither profile files
// nor the metadata of an EC2 host.
type awsKeys struct {
	getenv func(string) string

	mu   sync.Mutex // held during a call, so that others share its result
	kept awsKey
}

const (
	// keyMargin is how long before its expiry a key is renewed.
	keyMargin = 5 * time.Minute
	// ecsAgent is the address of the ECS agent (AWS_CONTAINER_CREDENTIALS_RELATIVE_URI).
	ecsAgent = "http://169.254.170.2"
)

// region returns the region of the environment, else the one in the broker's name.
func (k *awsKeys) region(host string) string {
	if r := cmp.Or(k.getenv("AWS_REGION"), k.getenv("AWS_DEFAULT_REGION")); r != "" {
		return r
	}
	if m := mskHost.FindStringSubmatch(host); m != nil {
		return m[1]
	}
	return ""
}

func (k *awsKeys) get(ctx context.Context, region string) (awsKey, error) {
	if id, secret := k.getenv("AWS_ACCESS_KEY_ID"), k.getenv("AWS_SECRET_ACCESS_KEY"); id != "" && secret != "" {
		return awsKey{id: id, secret: secret, session: k.getenv("AWS_SESSION_TOKEN")}, nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.kept.id != "" && time.Now().Add(keyMargin).Before(k.kept.until) {
		return k.kept, nil
	}
	var key awsKey
	var err error
	agent := k.getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI")
	if path := k.getenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"); agent == "" && path != "" {
		agent = ecsAgent + path
	}
	switch file := k.getenv("AWS_WEB_IDENTITY_TOKEN_FILE"); {
	case file != "":
		key, err = k.assumeRole(ctx, region, file)
	case agent != "":
		key, err = k.askAgent(ctx, agent)
	default:
		return awsKey{}, &fileError{errors.New("no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the pod a role")}
	}
	if err != nil {
		return awsKey{}, err
	}
	k.kept = key
	return key, nil
}

func (k *awsKeys) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.kept = awsKey{}
}

// assumeRole exchanges the service account's token for a key (STS,
// AssumeRoleWithWebIdentity).
func (k *awsKeys) assumeRole(ctx context.Context, region, file string) (awsKey, error) {
	token, err := os.ReadFile(file)
	if err != nil {
		return awsKey{}, &fileError{fmt.Errorf("read AWS_WEB_IDENTITY_TOKEN_FILE: %w", err)}
	}
	identity := strings.TrimSpace(string(token))
	endpoint := k.getenv("AWS_ENDPOINT_URL_STS")
	if endpoint == "" {
		endpoint = "https://sts." + region + ".amazonaws.com"
		if strings.HasPrefix(region, "cn-") {
			endpoint += ".cn"
		}
	}
	form := url.Values{
		"Action": {"AssumeRoleWithWebIdentity"}, "Version": {"2011-06-15"},
		"RoleArn":          {k.getenv("AWS_ROLE_ARN")},
		"RoleSessionName":  {cmp.Or(k.getenv("AWS_ROLE_SESSION_NAME"), "orderwalk")},
		"WebIdentityToken": {identity},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint+"/", strings.NewReader(form.Encode()))
	if err != nil {
		return awsKey{}, &fileError{errors.New("invalid STS address: check AWS_ENDPOINT_URL_STS")}
	}
	if req.URL.Scheme != "https" && !loopback(req.URL.Hostname()) {
		return awsKey{}, &fileError{errors.New("AWS_ENDPOINT_URL_STS must begin with https: the service account's token is not sent unencrypted")}
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	status, body, err := fetch(req)
	if err != nil {
		return awsKey{}, fmt.Errorf("assume role at %s: %w", endpoint, err)
	}
	var answer struct {
		ID      string    `xml:"AssumeRoleWithWebIdentityResult>Credentials>AccessKeyId"`
		Secret  string    `xml:"AssumeRoleWithWebIdentityResult>Credentials>SecretAccessKey"`
		Session string    `xml:"AssumeRoleWithWebIdentityResult>Credentials>SessionToken"`
		Until   time.Time `xml:"AssumeRoleWithWebIdentityResult>Credentials>Expiration"`
		Code    string    `xml:"Error>Code"`
		Message string    `xml:"Error>Message"`
	}
	if err := xml.Unmarshal(body, &answer); status != http.StatusOK || err != nil || answer.ID == "" {
		text := fmt.Sprintf("HTTP %d", status)
		if answer.Code != "" {
			text += ", " + clean(answer.Code+": "+answer.Message, []string{identity})
		}
		return awsKey{}, &grantError{endpoint, "assume role: " + text, status >= 400 && status < 500 && status != http.StatusTooManyRequests}
	}
	return awsKey{answer.ID, answer.Secret, answer.Session, answer.Until}, nil
}

// agents lists the link-local addresses of the ECS and EKS Pod Identity agents.
var agents = []string{"169.254.170.2", "169.254.170.23", "fd00:ec2::23"}

// agentAddress reports whether the pod's credentials may be requested at an address:
// over https, or where the request does not leave the node. No proxy is used.
func agentAddress(u *url.URL) bool {
	switch ip, _ := netip.ParseAddr(u.Hostname()); {
	case u.User != nil || u.Host == "":
		return false
	case u.Scheme == "https":
		return true
	default:
		return u.Scheme == "http" && (loopback(u.Hostname()) || slices.Contains(agents, ip.Unmap().String()))
	}
}

func loopback(host string) bool {
	ip, _ := netip.ParseAddr(host)
	return ip.Unmap().IsLoopback() || strings.EqualFold(host, "localhost")
}

// askAgent requests the pod's key from the agent of the node.
func (k *awsKeys) askAgent(ctx context.Context, agent string) (awsKey, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, agent, nil)
	if err != nil {
		return awsKey{}, &fileError{errors.New("invalid address in AWS_CONTAINER_CREDENTIALS_FULL_URI")}
	}
	if !agentAddress(req.URL) {
		return awsKey{}, &fileError{fmt.Errorf("AWS_CONTAINER_CREDENTIALS_FULL_URI names the host %q: give https, a loopback address, or an agent's %s",
			req.URL.Hostname(), strings.Join(agents, ", "))}
	}
	allowed := k.getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN")
	if file := k.getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"); file != "" {
		data, err := os.ReadFile(file)
		if err != nil {
			return awsKey{}, &fileError{fmt.Errorf("read AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: %w", err)}
		}
		allowed = strings.TrimSpace(string(data))
	}
	if allowed != "" {
		req.Header.Set("Authorization", allowed)
	}
	status, body, err := fetchDirectly(req)
	if err != nil {
		return awsKey{}, fmt.Errorf("ask agent at %s: %w", req.URL.Host, err)
	}
	var answer struct {
		ID      string    `json:"AccessKeyId"`
		Secret  string    `json:"SecretAccessKey"`
		Session string    `json:"Token"`
		Until   time.Time `json:"Expiration"`
	}
	if err := json.Unmarshal(body, &answer); status != http.StatusOK || err != nil || answer.ID == "" {
		return awsKey{}, &grantError{req.URL.Host, fmt.Sprintf("HTTP %d from the agent for the pod's credentials", status), status >= 400 && status < 500}
	}
	return awsKey{answer.ID, answer.Secret, answer.Session, answer.Until}, nil
}
