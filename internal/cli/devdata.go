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

// devData is the folder of `orderwalk dev`, from which the next start resumes.
type devData struct {
	dir  string
	lock *os.File
	// created reports that this process created the world.
	created bool
	// killed reports that the last process in the folder did not end in order.
	killed bool
	devWorld
}

// devWorld is the content of world.json. Seed and Started determine which orders
// exist and when, so the API lists the same orders after a restart, as the real
// API would.
type devWorld struct {
	Seed uint64 `json:"seed"`
	// Started is the unix time of the first start: the backlog lies before it,
	// live orders after it.
	Started int64 `json:"started"`
	// Orders is the number of orders in the history of the first shop.
	Orders int `json:"orders"`
}

const worldName = "world.json"

// openDevData opens the folder, or creates a new world in it; fresh deletes the
// existing world. Only one process may open the folder: two brokers would corrupt
// each other's files.
//
// A new world has the given number of orders; 0 = the default.
func openDevData(dir string, orders int, fresh bool) (*devData, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("find data folder: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("create data folder: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open data folder: %w", err)
	}
	d := &devData{dir: dir, lock: lock}
	if err := lockFile(lock, false); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("open data folder: %s is in use by another orderwalk dev; stop it, or give --data another folder", dir)
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

// open reads the world, or creates one.
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
		return fmt.Errorf("read data folder: %s is damaged; start over with --fresh", filepath.Join(d.dir, worldName))
	}
	if orders != 0 && orders != d.Orders {
		return &usageError{fmt.Sprintf("--orders: the world in %s was created with %d; add --fresh to create a new one, or give --data another folder", d.dir, d.Orders)}
	}
	return nil
}

// clear deletes the files that dev writes to the folder, and no others.
func (d *devData) clear() error {
	for _, name := range []string{"kafka", "committing", worldName, runningName, "shops.yaml", "state.key", "cloudbase_access_token", "verify_ticket"} {
		if err := os.RemoveAll(filepath.Join(d.dir, name)); err != nil {
			return fmt.Errorf("clear data folder: %w", err)
		}
	}
	return nil
}

// writeJSON replaces a file atomically: a kill leaves the old or the new one.
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

// write writes a file in the folder and returns its path.
func (d *devData) write(name, text string) (string, error) {
	path := filepath.Join(d.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return "", fmt.Errorf("write data folder: %w", err)
	}
	return path, nil
}

// tryWrite returns why nothing can be written to the folder; nil = it can.
func (d *devData) tryWrite() error {
	path := filepath.Join(d.dir, "try")
	err := os.WriteFile(path, make([]byte, 64<<10), 0o600)
	_ = os.Remove(path)
	if err != nil {
		return fmt.Errorf("write data folder: %w", err)
	}
	return nil
}

// stateKey returns the path of the key file for a platform's stored tokens, which
// it creates once.
func (d *devData) stateKey() (string, error) {
	path := filepath.Join(d.dir, "state.key")
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return path, nil
	}
	key := make([]byte, 32)
	if _, err := crand.Read(key); err != nil {
		return "", fmt.Errorf("create a state key: %w", err)
	}
	if err := os.WriteFile(path, []byte(base64.StdEncoding.EncodeToString(key)+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("write data folder: %w", err)
	}
	return path, nil
}

// close releases the folder's lock, as the end of the process does.
func (d *devData) close() { _ = d.lock.Close() }
