package connect

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Play sends the calls one after the other and returns their answers. A call that is
// answered with 409 or 500 for a rebalance is repeated, as all clients do. Where this or the
// conditions of a call take longer than t.Patience, the last answer counts.
func Play(ctx context.Context, t *Target, calls []Call) ([]Answer, error) {
	client := &http.Client{
		Transport:     &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 1},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       t.Patience,
	}
	defer client.CloseIdleConnections()
	var answers []Answer
	for _, call := range calls {
		answer, err := t.play(ctx, client, call)
		if err != nil {
			return answers, fmt.Errorf("call %q (%s %s): %w", call.Name, call.Method, call.Path, err)
		}
		answers = append(answers, answer)
	}
	return answers, nil
}

func (t *Target) play(ctx context.Context, client *http.Client, call Call) (Answer, error) {
	outer := ctx
	ctx, cancel := context.WithTimeout(ctx, t.Patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	until := slices.Clone(call.Until)
	for i := range until {
		until[i].Value = t.expand(until[i].Value)
	}
	var last raw
	for {
		now, err := t.send(ctx, client, call)
		switch {
		case err == nil && now.missed(until) == "" && (call.Once || !now.rebalance()):
			return t.normalize(call, now), nil
		case err == nil:
			last = now
		case ctx.Err() == nil || last.status == 0:
			return Answer{}, err
		}
		if outer.Err() != nil {
			return Answer{}, outer.Err()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			answer := t.normalize(call, last)
			answer.Missed = cmp.Or(last.missed(until), "the end of a rebalance")
			return answer, nil
		}
	}
}

// raw is an answer as received.
type raw struct {
	status int
	header http.Header
	body   []byte
}

func (t *Target) send(ctx context.Context, client *http.Client, call Call) (raw, error) {
	body := []byte(strings.Repeat(" ", call.Pad) + t.expand(call.Body))
	if call.Gzip {
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		_, err := w.Write(body)
		if err := errors.Join(err, w.Close()); err != nil {
			return raw{}, err
		}
		body = packed.Bytes()
	}
	request, err := http.NewRequestWithContext(ctx, call.Method, t.URL, bytes.NewReader(body))
	if err != nil {
		return raw{}, err
	}
	// Opaque is sent as it is.
	request.URL = &url.URL{Scheme: request.URL.Scheme, Host: request.URL.Host, Opaque: t.expand(call.Path)}
	for key, values := range call.Header {
		for _, value := range values {
			if value != "" {
				request.Header.Add(key, t.expand(value))
			}
		}
	}
	if t.token != "" {
		request.Header.Set("Authorization", "Bearer "+t.token)
	}
	response, err := client.Do(request)
	if err != nil {
		return raw{}, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	return raw{response.StatusCode, response.Header, content}, err
}

// rebalance reports whether the answer only asks to try again. Connect answers 500 where
// the rebalance is still to come.
func (r raw) rebalance() bool {
	return r.status == http.StatusConflict && bytes.Contains(r.body, []byte("Cannot complete request")) ||
		r.status == http.StatusInternalServerError && bytes.Contains(r.body, []byte("because a rebalance is expected"))
}

// missed returns the first condition that does not hold, or "".
func (r raw) missed(conditions []Condition) string {
	for _, c := range conditions {
		got, sign := r.at(c.Path), "="
		holds := got == c.Value
		if c.More {
			has, err := strconv.Atoi(got)
			least, errLeast := strconv.Atoi(c.Value)
			sign, holds = ">", err == nil && errLeast == nil && has > least
		}
		if !holds {
			return fmt.Sprintf("%s %s %s (it is %s)", c.Path, sign, c.Value, got)
		}
	}
	return ""
}

// at returns the value at a Condition's path: a string as it is, others as JSON.
func (r raw) at(path string) string {
	if path == "status" {
		return strconv.Itoa(r.status)
	}
	var value any
	if err := json.Unmarshal(r.body, &value); err != nil {
		return err.Error()
	}
	for _, key := range strings.Split(path, ".") {
		switch at := value.(type) {
		case map[string]any:
			value = at[key]
		case []any:
			if key == "#" {
				value = len(at)
				continue
			}
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(at) {
				return "missing"
			}
			value = at[i]
		default:
			return "missing"
		}
	}
	if text, is := value.(string); is {
		return text
	}
	return compact(value)
}
