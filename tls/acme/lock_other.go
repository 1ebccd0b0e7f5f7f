//go:build !unix

package acme

import "os"

// tryLock has no lock to take here: only one instance may use a storage.
func tryLock(*os.File) bool { return true }
