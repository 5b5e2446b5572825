//go:build unix

package cli

import (
	"os"
	"syscall"
)

// lockFile takes the file for this process alone, until the file is closed or
// the process ends in whatever way.
func lockFile(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}
