package program

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"orderwalk/simulator"
)

// A worker with two shops gets their tokens from a server over TLS, whose certificate
// the environment makes it trust. It asks once for each app ID, although one has two
// ranges, and once more when the API has refused a token.
func TestTokensFromAURL(t *testing.T) {
	t.Parallel()
	const from, to = 1_790_000_000, 1_790_086_400
	dev := start(t, nil, "dev", "--data", t.TempDir(), "--orders", "1")
	brokers := dev.line("Kafka")
	backlog := simulator.Backlog{Orders: 200, From: from, To: to}
	api := httptest.NewServer(simulator.New(simulator.Config{Seed: 3, Shops: []simulator.Shop{
		{AppID: "wxsimulated0000001", Token: "token-of-the-first-shop", Backlog: backlog},
		{AppID: "wxsimulated0000002", Token: "token-of-the-second-shop", Backlog: backlog},
	}}))
	t.Cleanup(api.Close)

	var mu sync.Mutex
	asked := map[string]int{}
	lender := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		appID := r.URL.Query().Get("app")
		mu.Lock()
		defer mu.Unlock()
		asked[user+":"+password+"@"+appID]++
		token := map[string]string{"wxsimulated0000001": "token-of-the-first-shop", "wxsimulated0000002": "token-of-the-second-shop"}[appID]
		if appID == "wxsimulated0000002" && asked["orders:password-of-the-lender@"+appID] == 1 {
			token = "token-that-was-rotated"
		}
		fmt.Fprintf(w, `{"tokens":{%q:{"value":%q,"expires_at":"4102444800"}}}`, appID, token)
	}))
	t.Cleanup(lender.Close)

	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	env := []string{"ORDERWALK_KAFKA_BROKERS=" + brokers, "ORDERWALK_LISTEN=127.0.0.1:0", "ORDERWALK_GROUP=lent", "ORDERWALK_TOPIC=orders.lent",
		"ORDERWALK_LOOKBACK=0", "ORDERWALK_RATE_LIMIT=1000", fmt.Sprint("ORDERWALK_START_TIME=", from), fmt.Sprint("ORDERWALK_END_TIME=", to),
		"ORDERWALK_API_URL=" + api.URL, "SSL_CERT_FILE=" + write("ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: lender.Certificate().Raw}))),
		"ORDERWALK_ACCESS_TOKEN_URL=" + lender.URL + "/wechat?app={app_id}", "ORDERWALK_ACCESS_TOKEN_URL_USERNAME=orders",
		"ORDERWALK_ACCESS_TOKEN_URL_SECRET_FILE=" + write("password", "password-of-the-lender\n"),
		"ORDERWALK_ACCESS_TOKEN_POINTER=/tokens/{app_id}/value", "ORDERWALK_ACCESS_TOKEN_EXPIRY_POINTER=/tokens/{app_id}/expires_at",
		"ORDERWALK_SHOPS_FILE=" + write("shops.yaml", "shops:\n- app_id: wxsimulated0000001\n- {app_id: wxsimulated0000001, name: changes, time_range: update_time, topic: changes.lent}\n- app_id: wxsimulated0000002\n")}
	code, _, stderr := run(t, env, "run")
	if code != 0 {
		t.Fatalf("run = %d\n%s", code, stderr)
	}
	mu.Lock()
	if first, second := asked["orders:password-of-the-lender@wxsimulated0000001"], asked["orders:password-of-the-lender@wxsimulated0000002"]; first != 1 || second != 2 || len(asked) != 2 {
		t.Errorf("asked %v", asked)
	}
	mu.Unlock()
	_, lines, stderr := run(t, []string{"ORDERWALK_KAFKA_BROKERS=" + brokers}, "tail", "--from-beginning", "--topic", "orders.lent")
	ids := map[string]bool{}
	for line := range strings.Lines(lines) {
		ids[strings.Fields(line)[1]+strings.Fields(line)[3]] = true
	}
	if len(ids) != 400 || strings.Count(lines, "\n") != 400 {
		t.Errorf("%d lines, %d order IDs\n%s", strings.Count(lines, "\n"), len(ids), stderr)
	}
	code, stdout, stderr := run(t, env, "check")
	if want := "token of wxsimulated0000002  from " + strings.TrimPrefix(lender.URL, "https://") + "\n"; code != 0 || !strings.Contains(stdout, want) {
		t.Errorf("check = %d\n%s%s", code, stdout, stderr)
	}
}
