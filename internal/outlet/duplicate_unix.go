//go:build unix

package outlet

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// duplicate returns another descriptor for an open file.
func duplicate(f *os.File) (uintptr, error) {
	fd, err := unix.FcntlInt(f.Fd(), syscall.F_DUPFD_CLOEXEC, 0)
	return uintptr(fd), err
}
