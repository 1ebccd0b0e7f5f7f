package dockerengine

import (
	"fmt"
	"net/url"
	"os"
	"strings"
	"syscall"
)

// WithAdvice tells what to do about the trap that newcomers meet first: a socket
// that fairway's user may not open.
func WithAdvice(err error, address string) error {
	u, parseErr := url.Parse(address)
	if err == nil || parseErr != nil || u.Scheme != "unix" || !strings.Contains(err.Error(), "permission denied") {
		return err
	}
	group := "the group of the socket"
	if info, statErr := os.Stat(u.Path); statErr == nil {
		if stat, ok := info.Sys().(*syscall.Stat_t); ok {
			group = fmt.Sprintf("group %d", stat.Gid)
		}
	}
	return fmt.Errorf("%s may not be opened by this user: add %s (group_add in compose), run as user 0, or use a socket proxy (see SECURITY.md): %w", u.Path, group, err)
}
