package kafkaconn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

const (
	// grantTimeout bounds one token request. Connections that wait for it may give
	// up earlier; later ones use its result.
	grantTimeout = 15 * time.Second
	// grantShare is the share of a token's life in which new connections use it.
	grantShare = 0.75
	// defaultTokenLife is how long a token without a stated lifetime is kept.
	defaultTokenLife = time.Minute
	maxAnswer        = 1 << 20 // bytes read of an HTTP answer
)

// Client configures the client credentials grant of an OAuth 2 authorization server
// (RFC 6749, section 4.4).
type Client struct {
	TokenURL string
	ID       string
	Secret   func() (string, error) // called for each token request
	Scope    string                 // "" = the server's default
}

// grants keeps the latest token while it is fresh. A zero value with a client is ready
// to use.
type grants struct {
	client Client
	flight singleflight.Group

	mu    sync.Mutex
	value string // "" = none
	until time.Time
}

// token returns the kept token or requests one; connections that need one at the same
// time share the request.
func (g *grants) token(ctx context.Context) (string, error) {
	g.mu.Lock()
	if g.value != "" && time.Now().Before(g.until) {
		defer g.mu.Unlock()
		return g.value, nil
	}
	g.mu.Unlock()
	done := g.flight.DoChan("", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grantTimeout)
		defer cancel()
		value, life, err := g.client.ask(ctx)
		if err != nil {
			return "", err
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		g.value, g.until = value, time.Now().Add(time.Duration(float64(life)*grantShare))
		return value, nil
	})
	select {
	case r := <-done:
		return r.Val.(string), r.Err
	case <-ctx.Done():
		return "", fmt.Errorf("get token from %s: %w", g.client.TokenURL, ctx.Err())
	}
}

func (g *grants) forget() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.value = ""
}

// ask sends the token request.
func (c *Client) ask(ctx context.Context) (token string, life time.Duration, err error) {
	secret, err := c.Secret()
	if err != nil {
		return "", 0, &fileError{err}
	}
	form := url.Values{"grant_type": {"client_credentials"}}
	if c.Scope != "" {
		form.Set("scope", c.Scope)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.TokenURL, strings.NewReader(form.Encode()))
	if err != nil {
		return "", 0, &fileError{errors.New("invalid token URL")}
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	// Both are encoded before they are joined (RFC 6749, section 2.3.1).
	req.SetBasicAuth(url.QueryEscape(c.ID), url.QueryEscape(secret))
	status, body, err := fetch(req)
	if err != nil {
		return "", 0, fmt.Errorf("get token from %s: %w", c.TokenURL, err)
	}
	var answer struct {
		Token       string      `json:"access_token"`
		Life        json.Number `json:"expires_in"`
		Error       string      `json:"error"`
		Description string      `json:"error_description"`
	}
	parseErr := json.Unmarshal(body, &answer)
	switch {
	case status == http.StatusOK && parseErr == nil && answer.Token != "":
	case status == http.StatusOK:
		return "", 0, &grantError{c.TokenURL, "the answer has no access_token", true}
	default:
		text := fmt.Sprintf("HTTP %d", status)
		if answer.Error != "" {
			text += ", " + clean(answer.Error+" "+answer.Description, []string{secret})
		}
		final := status >= 400 && status < 500 && status != http.StatusTooManyRequests && status != http.StatusRequestTimeout
		return "", 0, &grantError{c.TokenURL, text, final}
	}
	life = defaultTokenLife
	if seconds, err := answer.Life.Float64(); err == nil && seconds > 0 {
		life = time.Duration(min(seconds, 86400) * float64(time.Second))
	}
	return answer.Token, life, nil
}

// grantError is a server's refusal to issue a token.
type grantError struct {
	url, text string
	final     bool
}

func (e *grantError) Error() string { return fmt.Sprintf("get token from %s: %s", e.url, e.text) }

// fetch sends the request and reads the answer. It follows no redirect, which could send
// secrets elsewhere. It uses a proxy for https only, where the proxy sees encrypted data.
// The error does not contain the URL.
func fetch(req *http.Request) (status int, body []byte, err error) {
	if req.URL.Scheme != "https" {
		return fetchDirectly(req)
	}
	return fetchBy(http.DefaultTransport, req)
}

// fetchDirectly is fetch without a proxy.
func fetchDirectly(req *http.Request) (status int, body []byte, err error) {
	return fetchBy(&http.Transport{}, req)
}

func fetchBy(way http.RoundTripper, req *http.Request) (status int, body []byte, err error) {
	client := http.Client{Transport: way, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	req.Close = true // the next call is minutes away
	res, err := client.Do(req)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err
		}
		return 0, nil, err
	}
	defer res.Body.Close()
	body, err = io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	return res.StatusCode, body, err
}
