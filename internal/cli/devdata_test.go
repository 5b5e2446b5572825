package cli

import (
	"errors"
	"io/fs"
	"os"
	"testing"
)

// A folder that cannot be written to says so, and the try leaves nothing in one that can.
func TestAFolderOfDevIsTried(t *testing.T) {
	data := &devData{dir: t.TempDir()}
	if err := data.tryWrite(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(data.dir); err != nil || len(left) > 0 {
		t.Errorf("left are %v, %v", left, err)
	}
	data.dir += "/gone"
	if err := data.tryWrite(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that is gone: %v", err)
	}
}
