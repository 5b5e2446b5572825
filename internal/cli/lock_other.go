//go:build !unix

package cli

import "os"

// lockFile does nothing on systems without flock. There, the user must not
// start two processes on one folder, and a running dev is not found.
func lockFile(*os.File, bool) error { return nil }
