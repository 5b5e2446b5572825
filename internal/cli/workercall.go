package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"orderwalk/internal/backoff"
	"orderwalk/internal/config"
)

const (
	// callTimeout bounds a call: a change may take the worker 30 s.
	callTimeout = 40 * time.Second
	// conflictTimeout is how long a call is repeated that the worker answers with 409.
	conflictTimeout = 30 * time.Second
	// mostAnswer bounds an answer: ten thousand shops take about 4 MB.
	mostAnswer = 256 << 20
)

// workerFlags are the flags that choose the worker to call.
type workerFlags struct {
	data              devFolderFlag
	url               *string
	caCert, cert, key *string
}

func addWorkerFlags(cmd *cobra.Command) workerFlags {
	flags := cmd.Flags()
	f := workerFlags{url: flags.String("worker", "", "`URL` of any worker of the group (default: this machine's, at ORDERWALK_LISTEN)")}
	f.caCert = flags.String("cacert", "", "PEM `file` of the authorities of the worker's certificate (default: this machine's)")
	f.cert = flags.String("cert", "", "PEM `file` of a client certificate, where the worker wants one for changes")
	f.key = flags.String("key", "", "PEM `file` of that certificate's key")
	f.data = dataFlag(cmd)
	for _, file := range []string{"cacert", "cert", "key"} {
		completesFiles(cmd, file)
	}
	heading(cmd, "Worker", "worker", "cacert", "cert", "key", "data")
	return f
}

// client returns the client of the chosen worker. It reports to w the dev that it found.
func (f workerFlags) client(w io.Writer) (*workerClient, error) {
	var settings map[string]string
	var err error
	given := *f.url
	switch {
	case given == "":
		settings, err = f.data.settings(w, "ORDERWALK_KAFKA_BROKERS", "ORDERWALK_LISTEN")
	case f.data.cmd.Flags().Changed("data"):
		err = &usageError{"--data: --worker is set too; give one of the two"}
	}
	if err != nil {
		return nil, err
	}
	listener, err := config.ListenTLSFiles(settings)
	if err != nil {
		return nil, err
	}
	encrypted := listener.CertFile != "" || *f.caCert+*f.cert+*f.key != ""
	if given == "" {
		address, err := config.Listen(settings)
		if err != nil {
			return nil, err
		}
		given = loopback(address)
	}
	if !strings.Contains(given, "://") {
		given = scheme(encrypted) + "://" + given
	}
	at, err := url.Parse(given)
	if err != nil || at.Host == "" || at.User != nil || at.RawQuery != "" || at.Fragment != "" || at.Scheme != "http" && at.Scheme != "https" {
		return nil, &usageError{"--worker: give a URL such as http://127.0.0.1:8083"}
	}
	encryption, err := f.encryption(at.Hostname(), listener)
	if err != nil {
		return nil, err
	}
	return &workerClient{
		base:      strings.TrimSuffix(at.String(), "/"),
		tokenFile: cmp.Or(os.Getenv(tokenFileVariable), settings[tokenFileVariable]),
		err:       w,
		given:     *f.url != "",
		patience:  conflictTimeout,
		http: &http.Client{
			Transport: &http.Transport{TLSClientConfig: encryption, MaxIdleConnsPerHost: offsetsAtOnce}, // without a proxy
			// The token goes to no other address.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

const tokenFileVariable = "ORDERWALK_REST_TOKEN_FILE"

// workerClient calls one worker over HTTP.
type workerClient struct {
	base      string        // URL without a slash at its end
	tokenFile string        // file with the token for changes; empty = none
	given     bool          // --worker names it
	patience  time.Duration // how long a call is repeated that gets a 409
	http      *http.Client
	err       io.Writer // gets the progress of repeated calls
}

// get reads the answer to a call into a value.
func (c *workerClient) get(ctx context.Context, path string, into any) error {
	return c.insist(ctx, http.MethodGet, path, "", nil, into)
}

// change makes a call that changes state.
func (c *workerClient) change(ctx context.Context, method, path string, body, into any) error {
	token := ""
	if c.tokenFile != "" {
		text, err := os.ReadFile(c.tokenFile)
		if err != nil {
			return fmt.Errorf("read the worker's token: %w", err)
		}
		token = strings.TrimSpace(string(text))
	}
	return c.insist(ctx, method, path, token, body, into)
}

// insist repeats a call while the worker answers that it cannot be made at the moment:
// during a rebalance, and before the worker has reached Kafka.
func (c *workerClient) insist(ctx context.Context, method, path, token string, body, into any) error {
	screen, onTerminal := terminal(c.err)
	line := &statusLine{w: c.err}
	defer line.clear()
	pause := backoff.New(200*time.Millisecond, 2*time.Second)
	until := time.Now().Add(c.patience)
	for {
		err := c.call(ctx, method, path, token, body, into)
		var refused *refusedError
		if !errors.As(err, &refused) || refused.status != http.StatusConflict {
			return err
		}
		unready := c.unready(ctx)
		if time.Now().After(until) {
			return cmp.Or(unready, err)
		}
		if onTerminal {
			why := "The workers are rebalancing"
			if unready != nil {
				why = "The worker is not ready yet"
			}
			line.set(fmt.Sprintf("%s; trying again for %.0f s", why, time.Until(until).Seconds()), width(screen))
		}
		if pause.Sleep(ctx) != nil {
			return errInterrupted
		}
	}
}

// unready returns a *notReadyError if the worker says that it is not ready, else nil.
func (c *workerClient) unready(ctx context.Context) error {
	var refused *refusedError
	err := c.call(ctx, http.MethodGet, "/readyz", "", nil, nil)
	if errors.As(err, &refused) && refused.status == http.StatusServiceUnavailable && refused.message != "" {
		return &notReadyError{c.base, refused.message}
	}
	return nil
}

func (c *workerClient) call(ctx context.Context, method, path, token string, body, into any) error {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return fmt.Errorf("encode the call: %w", err)
		}
	}
	timed, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(timed, method, c.base+path, bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("ask the worker at %s: %w", c.base, err)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return c.lost(ctx, err)
	}
	defer answer.Body.Close()
	got, err := io.ReadAll(io.LimitReader(answer.Body, mostAnswer))
	if err != nil {
		return c.lost(ctx, err)
	}
	if answer.StatusCode/100 != 2 {
		return newRefusedError(c, answer, got)
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(got, into); err != nil {
		return fmt.Errorf("ask the worker at %s: what answers there is not orderwalk run; check the URL of --worker", c.base)
	}
	return nil
}

// lost returns the error of a call without an answer.
func (c *workerClient) lost(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errInterrupted
	}
	return &workerError{c.base, err, c.given}
}
