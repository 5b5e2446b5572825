//go:build image

package deploy

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"orderwalk/simulator"
	"orderwalk/test/kafkatest"
)

// TestImageAtWork runs the image as Kubernetes would: read-only, as nobody,
// without capabilities, with 64 MiB. It is killed and started again, stopped and
// started again; then everything is on the topic, once.
func TestImageAtWork(t *testing.T) {
	e := newEngine(t)
	image := e.build("work", snapshot(t), nil, withHealth...)
	brokers := kafkatest.Start(t)
	w := newWorkshop(t)

	c := e.start(image, "--volume", w.dir+":/etc/orderwalk:ro",
		"--env", "ORDERWALK_KAFKA_BROKERS="+strings.Join(brokers, ","),
		"--env", "ORDERWALK_SHOPS_FILE=/etc/orderwalk/shops.yaml",
		"--env", "ORDERWALK_API_URL="+w.url,
		"--env", "ORDERWALK_START_TIME="+strconv.FormatInt(w.from, 10),
		"--env", "ORDERWALK_END_TIME="+strconv.FormatInt(w.to, 10),
		"--env", "ORDERWALK_LISTEN="+w.listen,
		"--env", "ORDERWALK_RATE_LIMIT=1000", "--env", "ORDERWALK_LOOKBACK=0",
		"--env", "GOMEMLIMIT=57042534")
	w.served(t, c, 0.15)
	c.confined()
	w.healthy(t)
	e.podman("healthcheck", "run", c.id) // fails unless the image's own command says that it is well
	for _, share := range []float64{0.3, 0.45} {
		w.served(t, c, share)
		t.Logf("killed at %d %%, %s resident at most", int(share*100), c.peak())
		c.kill()
		c.again()
	}
	w.served(t, c, 0.6)
	began := time.Now()
	if code := c.stop(); code != 0 {
		t.Fatalf("SIGTERM: exit %d\n%s", code, c.logs())
	}
	t.Logf("stopped within %v", time.Since(began).Round(10*time.Millisecond))
	w.grow(0, 10*w.orders)
	c.again()
	if code := c.wait(); code != 0 {
		t.Fatalf("at its end: exit %d\n%s", code, c.logs())
	}

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	records, err := kafkatest.ReadCommitted(ctx, brokers, "wechat.orders")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, r := range records {
		seen[string(r.Key)]++
	}
	missing, twice, all := 0, 0, 0
	for _, shop := range w.shops {
		for _, order := range w.api.Orders(shop.AppID, time.Time{}) {
			all++
			switch n := seen[order.ID]; {
			case n == 0:
				missing++
			case n > 1:
				twice++
			}
		}
	}
	if missing > 0 || twice > 0 || len(seen) != all {
		t.Errorf("of %d orders %d are missing and %d are there twice; %d different ones are there", all, missing, twice, len(seen))
	}
	t.Logf("%d orders, each once", all)
}

// workshop is a simulated API with some shops, and the files a container needs.
// It lists orders up to a mark and holds further calls until the mark is moved,
// so that no container comes to its end before it was meant to.
type workshop struct {
	api         *simulator.Server
	shops       []simulator.Shop
	orders      int
	from, to    int64
	url         string
	dir, listen string

	mu           sync.Mutex
	listed, mark int
	changed      chan struct{} // closed and made again when either has grown
}

func newWorkshop(t *testing.T) *workshop {
	t.Helper()
	const shops, orders = 3, 8000
	w := &workshop{orders: shops * orders, dir: t.TempDir(), changed: make(chan struct{})}
	w.to = time.Now().Add(-24 * time.Hour).Unix()
	w.from = w.to - 5*24*3600
	var file strings.Builder
	file.WriteString("shops:\n")
	for i := range shops {
		shop := simulator.Shop{AppID: fmt.Sprintf("wxshop%d", i), Secret: fmt.Sprintf("secret-%d", i),
			Backlog: simulator.Backlog{Orders: orders, From: w.from, To: w.to}}
		w.shops = append(w.shops, shop)
		fmt.Fprintf(&file, "- {app_id: %s, app_secret_file: /etc/orderwalk/%s}\n", shop.AppID, shop.AppID)
		write(t, filepath.Join(w.dir, shop.AppID), shop.Secret)
	}
	write(t, filepath.Join(w.dir, "shops.yaml"), file.String())
	if err := os.Chmod(w.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	w.api = simulator.New(simulator.Config{Seed: 1, Shops: w.shops, Latency: 50 * time.Millisecond,
		OnList: func(c simulator.ListCall) { w.grow(len(c.OrderIDs), 0) }})
	server := httptest.NewServer(w)
	t.Cleanup(server.Close)
	w.url = server.URL
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer free.Close()
	w.listen = free.Addr().String()
	return w
}

func (w *workshop) grow(listed, mark int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.listed += listed
	w.mark = max(w.mark, mark)
	close(w.changed)
	w.changed = make(chan struct{})
}

// await waits until it is true of how many orders are listed, and of the mark.
func (w *workshop) await(ctx context.Context, enough func(listed, mark int) bool) bool {
	for {
		w.mu.Lock()
		ok, changed := enough(w.listed, w.mark), w.changed
		w.mu.Unlock()
		if ok {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// ServeHTTP holds a call while the mark is passed.
func (w *workshop) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if w.await(r.Context(), func(listed, mark int) bool { return listed < mark }) {
		w.api.ServeHTTP(rw, r)
	}
}

// served waits until the API has listed a share of the orders; a little more may
// be listed meanwhile.
func (w *workshop) served(t *testing.T, c *container, share float64) {
	t.Helper()
	wanted := int(share * float64(w.orders))
	w.grow(0, wanted+w.orders/20)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if !w.await(ctx, func(listed, _ int) bool { return listed >= wanted }) {
		t.Fatalf("of %d orders, %d were waited for\n%s", w.orders, wanted, c.logs())
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// healthy asks what probes and scrapes ask.
func (w *workshop) healthy(t *testing.T) {
	t.Helper()
	for _, path := range []string{"/livez", "/readyz", "/metrics"} {
		answer, err := http.Get("http://" + w.listen + path)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", path, answer.Status)
		}
	}
}
