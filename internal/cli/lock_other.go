//go:build !unix

package cli

import "os"

// lockFile does nothing where files cannot be locked in this way: there, two
// processes on one folder are the user's to avoid.
func lockFile(*os.File) error { return nil }
