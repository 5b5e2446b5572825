package cli

import (
	"errors"
	"io/fs"
	"net"
	"syscall"
)

// localHint returns what to try if this machine causes the error: an address
// that cannot be listened on, or a file or folder that cannot be used.
func localHint(err error) string {
	var network *net.OpError
	var path *fs.PathError
	var worker *workerError
	var refused *refusedError
	var unready *notReadyError
	var shop *shopError
	var running *notStoppedError
	switch {
	case errors.As(err, &worker):
		return worker.hint()
	case errors.As(err, &refused):
		return refused.hint()
	case errors.As(err, &unready):
		return unready.hint()
	case errors.As(err, &shop):
		return shop.hint
	case errors.As(err, &running):
		return running.hint()
	case errors.As(err, &network) && network.Op == "listen":
		return listenHint(network)
	case errors.Is(err, syscall.ENOSPC):
		return "the disk is full"
	case errors.Is(err, syscall.EROFS):
		return "that file system is read-only; give a path on a writable one"
	case !errors.As(err, &path):
		return ""
	case errors.Is(err, fs.ErrPermission):
		return "this user may not use " + path.Path + ": change its owner or mode, or give another path"
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, fs.ErrExist):
		return path.Path + " is a file, not a folder; give another path"
	case errors.Is(err, fs.ErrNotExist):
		return path.Path + " does not exist; check the path"
	}
	return ""
}

func listenHint(err *net.OpError) string {
	var dns *net.DNSError
	const where = "set ORDERWALK_LISTEN (or --listen) to "
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return "another program listens there; " + where + "a free port"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "that is not an address of this machine; " + where + ":port for all of its addresses, or 127.0.0.1:port for this machine alone"
	case errors.Is(err, syscall.EACCES):
		return "this user may not listen there, ports below 1024 are often reserved; " + where + "a higher port"
	case errors.As(err, &dns):
		return "that name has no address here; " + where + ":port or an IP address of this machine"
	}
	return ""
}
