package cli

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"orderwalk/internal/config"
)

// TestAShopsFileIsReadAgainAfterAChange: one that is as it was when it was read is not,
// which would take the time and the memory of all shops two seconds after the start; one
// that has changed since, before anything watched it, is.
func TestAShopsFileIsReadAgainAfterAChange(t *testing.T) {
	file := filepath.Join(t.TempDir(), "shops.yaml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("ORDERWALK_KAFKA_BROKERS", "localhost:9092")
	t.Setenv("ORDERWALK_SHOPS_FILE", file)
	write("shops: [{app_id: wx1, app_secret: s}]")
	cfg, err := config.Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.ShopsFileState != config.Look(file) {
		t.Errorf("state %+v after reading", cfg.ShopsFileState)
	}
	loads := func() (n int) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*lookEvery)
			defer cancel()
			watch(ctx, file, cfg.ShopsFileState, slog.New(slog.DiscardHandler), func() error {
				n++
				return nil
			})
		})
		return n
	}
	if n := loads(); n != 0 {
		t.Errorf("an unchanged file was read %d times", n)
	}
	write("shops: [{app_id: wx1, app_secret: s}, {app_id: wx2, app_secret: s}]")
	if n := loads(); n != 1 {
		t.Errorf("a file that changed before it was watched was read %d times", n)
	}
}

// TestAShopsFileIsNotReadWhileItIsWritten: the first lines of one are a valid file with
// fewer shops.
func TestAShopsFileIsNotReadWhileItIsWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "shops.yaml")
	text := "shops:\n"
	write := func() {
		text += "- {app_id: wx1, app_secret: s}\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write()
	synctest.Test(t, func(t *testing.T) {
		var read []int
		ctx, cancel := context.WithTimeout(t.Context(), 6*lookEvery+lookEvery/2)
		defer cancel()
		go func() {
			time.Sleep(lookEvery / 2)
			for range 3 {
				write()
				time.Sleep(lookEvery)
			}
		}()
		watch(ctx, file, config.Look(file), slog.New(slog.DiscardHandler), func() error {
			read = append(read, strings.Count(text, "wx1"))
			return nil
		})
		if len(read) != 1 || read[0] != 4 {
			t.Errorf("the file was read with %v shops, want once with 4", read)
		}
	})
}
