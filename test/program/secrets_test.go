package program

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
)

// noSecret fails the test if a text contains a secret in use.
func (p *process) noSecret(where, text string) {
	p.t.Helper()
	if found := p.leaks.FindSimulated(text); found != "" {
		p.t.Errorf("%s shows %s", where, found)
	}
}

// searched searches all pages of a worker for secrets.
func (p *process) searched(page string) {
	p.t.Helper()
	for _, path := range []string{"/metrics", "/", "/readyz", "/livez", "/health", "/connectors"} {
		code, body := get(p.t, page+path)
		if code == 0 {
			p.t.Errorf("%s: %s", path, body)
		}
		p.noSecret(path, body)
	}
}

// net/http prints bytes beyond an answer's Content-Length to the standard logger. They
// may be a token.
func TestNothingSentUnaskedIsPrinted(t *testing.T) {
	const token = "27_a-token-behind-its-answer"
	api, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer api.Close()
	var calls atomic.Int32
	go func() {
		for {
			c, err := api.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for r := bufio.NewReader(c); ; {
					request, err := http.ReadRequest(r)
					if err != nil {
						return
					}
					if _, err := io.Copy(io.Discard, request.Body); err != nil {
						return
					}
					calls.Add(1)
					if _, err := fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n{\"access_token\":%q,\"expires_in\":7200}", token); err != nil {
						return
					}
				}
			}()
		}
	}()
	p := start(t, []string{"ORDERWALK_API_URL=http://" + api.Addr().String(), "ORDERWALK_APP_ID=wx1", "ORDERWALK_APP_SECRET=secret",
		"ORDERWALK_START_TIME=1793491200", "ORDERWALK_END_TIME=1793577600"}, "plan")
	eventually(t, "some calls for a token", func() bool { return calls.Load() > 3 })
	p.signal(os.Interrupt)
	p.end()
	if said := p.stderr.String() + p.said.String(); strings.Contains(said, token) {
		t.Errorf("a token is printed: %s", said)
	}
}
