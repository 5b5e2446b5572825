package wechat

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	defaultTokenPointer  = "/access_token"
	defaultExpiryPointer = "/expires_in"

	// serverTimeout bounds one request to a token server, its answer included.
	serverTimeout = 10 * time.Second
	// maxServerAnswer is the most bytes of its answer that are read.
	maxServerAnswer = 1 << 20
	// maxAsks bounds the concurrent requests to token servers of a host's clients. A
	// server that hangs does not keep calls of the API waiting.
	maxAsks = 64
	// shortestHidden is the number of bytes from which a value of the URL's query may
	// be a secret.
	shortestHidden = 4
)

// TokenServer is an HTTP server of another system, which renews the access token of an
// app ID and gives it to all who ask. The client keeps a token until shortly before it
// expires, and asks again when the API refuses it.
//
// A request is one GET. Redirects are not followed, because the credentials would go
// along. Connections, proxies and trusted certificates are as for the API.
type TokenServer struct {
	// URL is the address. Its query and path may identify the app ID; no error shows
	// them.
	URL string
	// User and Secret authorize the request: by basic authentication if User is set,
	// otherwise Secret is a bearer token. Secret is called before each request. Nil =
	// the request has no credentials.
	User   string
	Secret func() (string, error)
	// Token is the JSON pointer (RFC 6901) to the token. Defaults to /access_token.
	Token string
	// Expiry is the JSON pointer to its expiry, a number or its text: see expiresIn.
	// Defaults to /expires_in, which may be missing; an Expiry that is set may not.
	Expiry string
}

// serverCalls asks a token server.
type serverCalls struct {
	client *Client
	server TokenServer
	url    *url.URL
	hidden []string // values of the query
	op     string
	// mayLack reports that an answer may lack the expiry.
	mayLack bool
}

func newServerCalls(c *Client, appID string, server TokenServer) (*serverCalls, error) {
	u, err := url.Parse(server.URL)
	switch {
	case err != nil:
		return nil, errors.New("it is malformed") // the error quotes it
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, errors.New("it must begin with http:// or https:// and a host")
	case u.User != nil || u.Fragment != "":
		return nil, errors.New("it must not hold a user or a fragment")
	}
	t := &serverCalls{client: c, server: server, url: u, op: tokenOp + " from " + u.Host, mayLack: server.Expiry == ""}
	t.server.Token = orDefault(server.Token, defaultTokenPointer)
	t.server.Expiry = orDefault(server.Expiry, defaultExpiryPointer)
	for _, values := range u.Query() {
		for _, value := range values {
			if len(value) >= shortestHidden && value != appID {
				t.hidden = append(t.hidden, value)
			}
		}
	}
	return t, nil
}

// ask makes one request.
func (t *serverCalls) ask(ctx context.Context) (tokenResponse, *Error) {
	var clean redactor
	for _, value := range t.hidden {
		clean.hide(value)
	}
	request := &http.Request{
		Method: http.MethodGet, URL: t.url, Host: t.url.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"User-Agent": {"orderwalk"}, "Accept": {"application/json"}},
	}
	if v := t.authorize(request, &clean); v != nil {
		return tokenResponse{}, v
	}
	host := t.client.host
	a, err := host.exchange(ctx, request, host.asks, exchangeLimits{serverTimeout, maxServerAnswer}, nil)
	if err != nil {
		return tokenResponse{}, t.noAnswer(err, &clean)
	}
	if v := t.refusal(a); v != nil {
		return tokenResponse{}, v.withRetryAfter(a)
	}
	answer, v := t.parse(a)
	if v != nil {
		return tokenResponse{}, v
	}
	t.client.redact.hide(answer.token)
	return answer, nil
}

func (t *serverCalls) authorize(request *http.Request, clean *redactor) *Error {
	if t.server.Secret == nil {
		return nil
	}
	secret, err := t.server.Secret()
	secret = strings.TrimSpace(secret)
	if err != nil || secret == "" {
		message := "the secret of the access token URL is empty"
		if err != nil {
			message = clean.text(bare(err).Error())
		}
		return t.error(Error{Class: Wait, Message: message, Hint: "provide the secret of the access token URL", result: "unreadable"})
	}
	clean.hide(secret)
	if t.server.User == "" {
		request.Header["Authorization"] = []string{"Bearer " + secret}
		return nil
	}
	both := base64.StdEncoding.EncodeToString([]byte(t.server.User + ":" + secret))
	clean.hide(both)
	request.Header["Authorization"] = []string{"Basic " + both}
	return nil
}

// error completes an error of this server.
func (t *serverCalls) error(v Error) *Error {
	v.Op, v.elsewhere = t.op, true
	return &v
}

// noAnswer returns the error of a request without a complete answer. net/http quotes
// what it cannot read, which may be a token: the text ends before the quote.
func (t *serverCalls) noAnswer(err error, clean *redactor) *Error {
	text, _, _ := strings.Cut(bare(err).Error(), `"`)
	v := t.error(Error{Class: Retry, Message: strings.TrimRight(clean.text(text), " :"), result: noAnswerLabel(err)})
	switch v.result {
	case "timeout":
		v.Message, v.Hint = "no answer in time", "check that the token server runs, and the network, firewall and proxy (HTTPS_PROXY) on the way to it"
	case "refused":
		v.Hint = "no server listens there: check host and port of the access token URL"
	case "dns":
		v.Hint = "check the host of the access token URL, and this machine's DNS"
	case "tls":
		v.Hint = "check the port of the access token URL and the server's certificate, which this machine must trust"
	case "bad_body":
		v.Class, v.Hint = Wait, hintServerAnswer
	default:
		v.Hint = "check the access token URL and any proxy on the way to it"
	}
	return v
}

const hintServerAnswer = "check the access token URL: it must answer with JSON"

// refusal returns the error for a status other than success.
func (t *serverCalls) refusal(a answer) *Error {
	v := Error{HTTPStatus: a.status, Class: Wait, result: "http_" + strconv.Itoa(a.status)}
	switch status := a.status; {
	case status >= 200 && status < 300:
		return nil
	case status < 200 || status > 599:
		v.Message, v.Hint, v.result = "an unknown status", hintServerAnswer, "http_other"
	case status < 400:
		v.Message = "the server redirects; the credentials are sent nowhere else"
		v.Hint = "give the address it redirects to as the access token URL"
	case (status == http.StatusUnauthorized || status == http.StatusForbidden) && t.server.Secret == nil:
		v.Message, v.Hint = "the server requires credentials", "give the secret of the access token URL"
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		v.Message = "the server refuses the credentials"
		v.Hint = "check the user name and the secret of the access token URL, and that they may read the token of this app ID"
	case status == http.StatusNotFound, status == http.StatusGone:
		v.Message, v.Hint = "the server has no such address", "check the path of the access token URL, and that the server knows this app ID"
	case status >= 500, status == http.StatusTooManyRequests, status == http.StatusRequestTimeout:
		v.Class = Retry
		v.Message, v.Hint = "the server cannot answer now", "see the token server's log if this lasts"
	default:
		v.Message, v.Hint = "the server refuses the request", "check the access token URL"
	}
	return t.error(v)
}
