//go:build unix

package cli

import (
	"os"
	"syscall"
)

// lockFile locks the file until it is closed or the process ends in whatever way:
// for this process alone, or shared with others that lock it so.
func lockFile(f *os.File, shared bool) error {
	how := syscall.LOCK_EX
	if shared {
		how = syscall.LOCK_SH
	}
	return syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
}
