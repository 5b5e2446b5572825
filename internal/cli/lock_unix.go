//go:build unix

package cli

import (
	"os"
	"syscall"
)

// lockFile locks the file, exclusively or shared, until it is closed or the
// process ends for any reason.
func lockFile(f *os.File, shared bool) error {
	how := syscall.LOCK_EX
	if shared {
		how = syscall.LOCK_SH
	}
	return syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
}
