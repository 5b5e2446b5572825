//go:build !unix

package cli

import "os"

// lockFile does nothing where files cannot be locked in this way: there, two
// processes on one folder are the user's to avoid, and a dev that runs is not
// found.
func lockFile(*os.File, bool) error { return nil }
