package cli

import (
	"context"
	crand "crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// devData is the folder of `orderwalk dev`: what makes a second start go on
// where the first one ended.
type devData struct {
	dir  string
	lock *os.File
	devWorld
}

// devWorld is the part that is written down, in world.json. Seed and Started
// decide which orders there are and when, so the API shows the same world after
// a restart, as a real one would.
type devWorld struct {
	Seed uint64 `json:"seed"`
	// Started is the unix time of the first start: the backlog lies before it,
	// live orders after it.
	Started int64 `json:"started"`
	// Orders is how long the history of the first shop is.
	Orders int `json:"orders"`
	// Ports of the last run; the next one takes them again if they are free.
	KafkaPort  int `json:"kafka_port"`
	APIPort    int `json:"api_port"`
	ListenPort int `json:"listen_port"`
}

const worldFile = "world.json"

// openDevData opens the folder, or makes a new world in it. Only one process
// may have it open: two brokers would spoil each other's files.
//
// A new world has the given number of orders; 0 = the default.
func openDevData(dir string, orders int) (*devData, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("find data folder: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make data folder: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open data folder: %w", err)
	}
	d := &devData{dir: dir, lock: lock}
	if err := lockFile(lock); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("open data folder: %s is in use by another orderwalk dev; stop that one or give --data another folder", dir)
	}
	text, err := os.ReadFile(filepath.Join(dir, worldFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.devWorld = devWorld{Seed: rand.Uint64N(1_000_000) + 1, Started: time.Now().Unix(), Orders: orders}
		if orders == 0 {
			d.Orders = devHistory
		}
		err = d.save()
	case err == nil:
		if err = json.Unmarshal(text, &d.devWorld); err != nil || d.Started <= 0 {
			err = fmt.Errorf("read %s: it is damaged; delete the folder to begin anew", filepath.Join(dir, worldFile))
		} else if orders != 0 && orders != d.Orders {
			err = &usageError{fmt.Sprintf("--orders: the world in %s was begun with %d; delete the folder or give --data another one", dir, d.Orders)}
		}
	default:
		err = fmt.Errorf("read data folder: %w", err)
	}
	if err != nil {
		_ = lock.Close()
		return nil, err
	}
	return d, nil
}

// save writes world.json in one step, so that a kill leaves the old or the new.
func (d *devData) save() error {
	text, err := json.MarshalIndent(d.devWorld, "", "  ")
	if err != nil {
		return fmt.Errorf("write data folder: %w", err)
	}
	path := filepath.Join(d.dir, worldFile)
	if err := os.WriteFile(path+".new", append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("write data folder: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("write data folder: %w", err)
	}
	return nil
}

// write puts a file into the folder and returns its path.
func (d *devData) write(name, text string) (string, error) {
	path := filepath.Join(d.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return "", fmt.Errorf("write data folder: %w", err)
	}
	return path, nil
}

// stateKey is the path of a key for what is kept of a platform, made once.
func (d *devData) stateKey() (string, error) {
	path := filepath.Join(d.dir, "state.key")
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return path, nil
	}
	key := make([]byte, 32)
	if _, err := crand.Read(key); err != nil {
		return "", fmt.Errorf("make a key: %w", err)
	}
	if err := os.WriteFile(path, []byte(base64.StdEncoding.EncodeToString(key)+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("write data folder: %w", err)
	}
	return path, nil
}

// close lets another process open the folder. A process that dies does so too.
func (d *devData) close() { _ = d.lock.Close() }

// listenLoopback listens on the port of the last run, or on a free one when it
// is 0 or taken meanwhile.
func listenLoopback(ctx context.Context, port int) (net.Listener, int, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil && port != 0 {
		l, err = lc.Listen(ctx, "tcp", "127.0.0.1:0")
	}
	if err != nil {
		return nil, 0, fmt.Errorf("open a port on loopback: %w", err)
	}
	return l, l.Addr().(*net.TCPAddr).Port, nil
}
