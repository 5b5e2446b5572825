package program

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"orderwalk/simulator"
)

const restToken = "the-token-for-calls-that-change-something"

// give sends a verify ticket to a worker.
func give(t *testing.T, page, component, ticket, token string) (status int) {
	t.Helper()
	r, err := http.NewRequest(http.MethodPut, page+"/components/"+component+"/verify-ticket", strings.NewReader(fmt.Sprintf(`{"component_verify_ticket":%q}`, ticket)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	return answer.StatusCode
}

// A platform without pushes starts with a ticket that an operator sends, and a restart
// keeps it. The older ticket in the file does not replace it.
func TestAPlatformLivesByATicketGivenByHand(t *testing.T) {
	t.Parallel()
	api := simulator.New(simulator.Config{Seed: 43, Platform: simulator.Platform{AppID: platformID, Secret: "secret-of-the-platform"},
		Shops:  []simulator.Shop{{AppID: pushedShop, RefreshToken: "refresh-from-the-start"}},
		Faults: simulator.Faults{TokenTTL: 4 * time.Second}})
	dir := t.TempDir()
	path := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	const stale = "ticket-of-a-file-that-nobody-writes"
	env := []string{"ORDERWALK_WORKER_ID=by-hand", "ORDERWALK_AUTH=component", "ORDERWALK_APP_ID=" + pushedShop, "ORDERWALK_STATE_KEY_FILE=" + path("state.key", stateKey),
		"ORDERWALK_COMPONENT_APP_ID=" + platformID, "ORDERWALK_COMPONENT_APP_SECRET=secret-of-the-platform",
		"ORDERWALK_COMPONENT_VERIFY_TICKET_FILE=" + path("ticket", stale), "ORDERWALK_REST_TOKEN_FILE=" + path("rest.token", restToken+"\n")}
	worker, page, _, brokers := pushed(t, api, env...)
	tickets := func(code string) int {
		return api.Stats().Calls["/cgi-bin/component/api_component_token"][code]
	}
	eventually(t, "the file's ticket is refused", func() bool { return tickets("61006") > 0 })
	for token, want := range map[string]int{"": 401, "guessed": 401} {
		if status := give(t, page, platformID, api.VerifyTicket(time.Now()), token); status != want {
			t.Errorf("with token %q: %d", token, status)
		}
	}
	if status := give(t, page, "wxother", api.VerifyTicket(time.Now()), restToken); status != 404 {
		t.Errorf("of another platform: %d", status)
	}
	live := func(page string) func() bool {
		return func() bool {
			return metric(t, page, fmt.Sprintf("orderwalk_backfill_progress_ratio{shop=%q}", pushedShop)) == 1
		}
	}
	if n := tickets("0"); n > 0 {
		t.Fatalf("%d platform tokens without a ticket", n)
	}
	asked := time.Now()
	if status := give(t, page, platformID, api.VerifyTicket(time.Now()), restToken); status != 204 {
		t.Fatalf("the ticket: %d", status)
	}
	eventually(t, "a platform token", func() bool { return tickets("0") > 0 })
	eventually(t, "the shop is live", live(page))
	t.Logf("live %v after the ticket was given", time.Since(asked).Round(10*time.Millisecond))

	// Tokens expire every few seconds here: each renewal needs the ticket.
	refused := tickets("61006")
	had := tickets("0")
	eventually(t, "more platform tokens", func() bool { return tickets("0") >= had+2 })
	worker.searched(page)
	worker.signal(syscall.SIGKILL)
	worker.end()
	again := start(t, worker.cmd.Env, "run")
	next := "http://" + again.logged("orderwalk starts", "listen")
	had = tickets("0")
	eventually(t, "a platform token after a restart", func() bool { return tickets("0") > had })
	eventually(t, "the shop is live again", live(next))
	if n := tickets("61006"); n != refused {
		t.Errorf("the ticket was refused %d times after the good one was given", n-refused)
	}
	again.searched(next)
	again.signal(syscall.SIGTERM)
	if code := again.end(); code != 0 {
		t.Errorf("run = %d\n%s", code, again.stderr.String())
	}
	again.leaks.Hide("a verify ticket", "ticket@@@", stale)
	if n, err := again.leaks.CheckTopics(t.Context(), t, "", []string{brokers}); n < 2 || err != nil {
		t.Errorf("%d records were searched for secrets: %v", n, err)
	}
}
