package simulator

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// pushTimeout is how long the vendor waits for an answer.
const pushTimeout = 5 * time.Second

// pushWaits are the vendor's waits before each of its ten attempts.
var pushWaits = [...]time.Duration{
	0, 0, 0, 10 * time.Second, time.Minute, 5 * time.Minute, 30 * time.Minute, time.Hour, time.Hour, time.Hour,
}

// pushRequest is a push as an HTTP request.
type pushRequest struct {
	url   string
	query url.Values
	body  string
}

// deliver sends an event as the vendor does, subject to faults.
func (p *Pusher) deliver(ctx context.Context, e pushEvent) {
	faults := p.server.Faults()
	if p.hit(e.draw, "push_drop_rate", faults.PushDropRate) {
		e.At = time.Now()
		p.report(e.Push)
		return
	}
	wait := faults.PushDelay
	if p.hit(e.draw, "push_reorder_rate", faults.PushReorderRate) {
		wait += time.Duration(below(mix(e.draw, mixString("hold")), int64(faults.reorderHold())))
	}
	if !hold(ctx, wait) {
		return
	}
	if p.hit(e.draw, "push_forged_rate", faults.PushForgedRate) {
		p.forge(ctx, e)
	}
	if !p.sendUntilArrived(ctx, e) {
		return
	}
	if e.extra != nil {
		p.server.stats.fault("push_other_rate")
		p.sendUntilArrived(ctx, *e.extra)
	}
	if p.hit(e.draw, "push_duplicate_rate", faults.PushDuplicateRate) {
		e.Again, e.Try = true, 1
		p.send(ctx, e, p.seal(e, e.draw))
	}
}

// sendUntilArrived makes up to ten attempts; it reports whether one arrived.
func (p *Pusher) sendUntilArrived(ctx context.Context, e pushEvent) bool {
	var first pushRequest
	for i, wait := range pushWaits {
		if !hold(ctx, wait) || ctx.Err() != nil {
			return false
		}
		e.Try = i + 1
		draw := mix(e.draw, uint64(e.Try))
		l := p.seal(e, draw)
		if faults := p.server.Faults(); i > 0 && faults.PushRetry == "same" {
			l = first
		} else if i == 0 {
			first = l
		}
		if p.send(ctx, e, l).Arrived() {
			return true
		}
	}
	return false
}

// send makes one attempt and reports it.
func (p *Pusher) send(ctx context.Context, e pushEvent, l pushRequest) Push {
	out := e.Push
	out.At = time.Now()
	ctx, cancel := context.WithTimeout(ctx, pushTimeout)
	defer cancel()
	out.Status = p.post(ctx, l)
	faults := p.server.Faults()
	out.Lost = out.Forged == "" && p.hit(mix(e.draw, uint64(out.Try), 1), "push_lost_rate", faults.PushLostRate)
	p.report(out)
	return out
}

// post returns the status of the answer, 0 if there was none in time.
func (p *Pusher) post(ctx context.Context, l pushRequest) int {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.url, strings.NewReader(l.body))
	if err != nil {
		return 0
	}
	req.URL.RawQuery = l.query.Encode()
	req.Header.Set("Content-Type", "text/xml")
	answer, err := p.client.Do(req)
	if err != nil {
		return 0
	}
	// The text is ignored, but reading it frees the connection.
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, maxBody))
	_ = answer.Body.Close()
	return answer.StatusCode
}

// Check makes the vendor's check of each address, as when an operator enters it, and
// returns an error for the first that does not echo correctly.
func (p *Pusher) Check(ctx context.Context) error {
	faults := p.server.Faults()
	type address struct {
		key *pushKey
		url string
	}
	p.mu.Lock()
	var all []address
	for _, s := range p.sources {
		all = append(all, address{s.key, s.url})
	}
	for _, of := range p.platforms {
		if of.AuthURL != "" {
			all = append(all, address{of.key, of.AuthURL})
		}
	}
	p.mu.Unlock()
	for i, a := range all {
		draw := mix(p.seed, mixString("echo"), uint64(i))
		echo := fmt.Sprint(draw >> 1)
		key := p.keyNow(a.key)
		query := key.sign(p.server.now(&faults), draw, "")
		query.Set("echostr", echo)
		if faults.PushEncryptedEcho {
			sealed := key.encrypt(key.appID, echo, draw)
			query = key.sign(p.server.now(&faults), draw, sealed)
			query.Set("echostr", sealed)
			p.server.stats.fault("push_encrypted_echo")
		}
		if err := p.checkOne(ctx, a.url, query, echo); err != nil {
			return fmt.Errorf("check the push address of %s: %w", key.appID, err)
		}
	}
	return nil
}

func (p *Pusher) checkOne(ctx context.Context, target string, query url.Values, echo string) error {
	ctx, cancel := context.WithTimeout(ctx, pushTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return err
	}
	req.URL.RawQuery = query.Encode()
	answer, err := p.client.Do(req)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxBody))
	switch {
	case err != nil:
		return err
	case answer.StatusCode != http.StatusOK || string(text) != echo:
		return fmt.Errorf("HTTP %d without the echostr", answer.StatusCode)
	}
	return nil
}

// seal signs and encrypts an event with the current time.
func (p *Pusher) seal(e pushEvent, draw uint64) pushRequest {
	faults := p.server.Faults()
	key := p.keyNow(e.key)
	sealed := key.encrypt(key.appID, e.body, draw)
	return pushRequest{url: e.url, query: key.sign(p.server.now(&faults), draw, sealed), body: e.envelope(sealed)}
}

func (p *Pusher) keyNow(k *pushKey) pushKey {
	p.mu.Lock()
	defer p.mu.Unlock()
	return *k
}

// envelope encodes the body around a ciphertext.
func (e *pushEvent) envelope(sealed string) string {
	if e.xml {
		return fmt.Sprintf("<xml>\n    <%s><![CDATA[%s]]></%s>\n    <Encrypt><![CDATA[%s]]></Encrypt>\n</xml>\n", e.head, e.name, e.head, sealed)
	}
	return fmt.Sprintf(`{"%s":"%s","Encrypt":"%s"}`, e.head, e.name, sealed)
}

func newPushKey(appID, token, aesKey string) (*pushKey, error) {
	raw, err := base64.StdEncoding.DecodeString(aesKey + "=")
	if err != nil || len(aesKey) != 43 || len(raw) != 32 {
		return nil, fmt.Errorf("pushes for %q: AESKey: want 43 characters of base64", appID)
	}
	if token == "" {
		return nil, fmt.Errorf("pushes for %q: Token: missing", appID)
	}
	return &pushKey{appID: appID, token: token, aes: [32]byte(raw)}, nil
}

// sign returns the query of a push; sealed is empty if the push is not encrypted.
func (k *pushKey) sign(now time.Time, draw uint64, sealed string) url.Values {
	timestamp, nonce := fmt.Sprint(now.Unix()), fmt.Sprint(1+below(mix(draw, mixString("nonce")), 2147483646))
	query := url.Values{"timestamp": {timestamp}, "nonce": {nonce}, "signature": {sha1Of(k.token, timestamp, nonce)}}
	if sealed != "" {
		query.Set("encrypt_type", "aes")
		query.Set("msg_signature", sha1Of(k.token, timestamp, nonce, sealed))
	}
	return query
}

// sha1Of returns the vendor's signature of some parts.
func sha1Of(parts ...string) string {
	slices.Sort(parts)
	sum := sha1.Sum([]byte(strings.Join(parts, "")))
	return hex.EncodeToString(sum[:])
}

// encrypt encrypts a message for an app ID as the vendor does.
func (k *pushKey) encrypt(appID, message string, draw uint64) string {
	var data bytes.Buffer
	fmt.Fprintf(&data, "%016x", mix(draw, mixString("random")))
	_ = binary.Write(&data, binary.BigEndian, uint32(len(message)))
	data.WriteString(message + appID)
	pad := 32 - data.Len()%32
	data.Write(bytes.Repeat([]byte{byte(pad)}, pad))
	block, _ := aes.NewCipher(k.aes[:]) // fails for other lengths only
	out := data.Bytes()
	cipher.NewCBCEncrypter(block, k.aes[:aes.BlockSize]).CryptBlocks(out, out)
	return base64.StdEncoding.EncodeToString(out)
}

// hit draws whether a fault of this rate affects an event or an attempt, and counts
// it.
func (p *Pusher) hit(draw uint64, name string, rate float64) bool {
	if rate <= 0 || unit(mix(draw, mixString(name))) >= rate {
		return false
	}
	p.server.stats.fault(name)
	return true
}

func (p *Pusher) report(push Push) {
	if p.onPush != nil {
		p.onPush(push)
	}
}
