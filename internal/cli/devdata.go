package cli

import (
	crand "crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"
)

// devData is the folder of `orderwalk dev`: with it a second start resumes what
// the first one began.
type devData struct {
	dir  string
	lock *os.File
	// created reports that the world began with this process.
	created bool
	// killed reports that the last process in the folder did not end in order.
	killed bool
	devWorld
}

// devWorld is the part that is written down, in world.json. Seed and Started
// decide which orders exist and when, so the API shows the same world after a
// restart, as a real one would.
type devWorld struct {
	Seed uint64 `json:"seed"`
	// Started is the unix time of the first start: the backlog lies before it,
	// live orders after it.
	Started int64 `json:"started"`
	// Orders is how long the history of the first shop is.
	Orders int `json:"orders"`
}

const worldName = "world.json"

// openDevData opens the folder, or creates a new world in it; fresh deletes the
// world that is there. Only one process may have the folder open: two brokers
// would spoil each other's files.
//
// A new world has the given number of orders; 0 = the default.
func openDevData(dir string, orders int, fresh bool) (*devData, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("find data folder: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make data folder: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open data folder: %w", err)
	}
	d := &devData{dir: dir, lock: lock}
	if err := lockFile(lock, false); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("open data folder: %s is in use by another orderwalk dev; stop that one or give --data another folder", dir)
	}
	if fresh {
		err = d.clear()
	}
	if err == nil {
		_, left := os.Stat(filepath.Join(dir, runningName))
		d.killed = left == nil
		err = d.open(orders)
	}
	if err != nil {
		_ = lock.Close()
		return nil, err
	}
	return d, nil
}

// open reads the world, or begins one.
func (d *devData) open(orders int) error {
	text, err := os.ReadFile(filepath.Join(d.dir, worldName))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.created = true
		d.devWorld = devWorld{Seed: rand.Uint64N(1_000_000) + 1, Started: time.Now().Unix(), Orders: orders}
		if orders == 0 {
			d.Orders = devHistory
		}
		return d.writeJSON(worldName, d.devWorld)
	case err != nil:
		return fmt.Errorf("read data folder: %w", err)
	}
	if err := json.Unmarshal(text, &d.devWorld); err != nil || d.Started <= 0 {
		return fmt.Errorf("read data folder: %s is damaged; start again with --fresh", filepath.Join(d.dir, worldName))
	}
	if orders != 0 && orders != d.Orders {
		return &usageError{fmt.Sprintf("--orders: the world in %s was begun with %d; add --fresh for a new one, or give --data another folder", d.dir, d.Orders)}
	}
	return nil
}

// clear deletes what dev has written to the folder, and nothing else.
func (d *devData) clear() error {
	for _, name := range []string{"kafka", "committing", worldName, runningName, "shops.yaml", "state.key", "cloudbase_access_token", "verify_ticket"} {
		if err := os.RemoveAll(filepath.Join(d.dir, name)); err != nil {
			return fmt.Errorf("clear data folder: %w", err)
		}
	}
	return nil
}

// writeJSON writes a file in one step, so that a kill leaves the old or the new.
func (d *devData) writeJSON(name string, content any) error {
	text, err := json.MarshalIndent(content, "", "  ")
	if err != nil {
		return fmt.Errorf("write data folder: %w", err)
	}
	path := filepath.Join(d.dir, name)
	if err := os.WriteFile(path+".new", append(text, '\n'), 0o600); err != nil {
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
