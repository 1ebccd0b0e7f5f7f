package server

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/sirupsen/logrus"
)

// Sockets that systemd has opened are handed over as descriptors from 3 on, and
// told of by variables, as in sd_listen_fds(3): fairway can be started by the first
// connection, needs no right to bind low ports, and loses no connection when it is
// started again.

// firstSocket is SD_LISTEN_FDS_START.
const firstSocket = 3

// sockets are the listeners that were handed over, by the name of each.
type sockets map[string]net.Listener

// takeSockets takes the sockets that were handed over to the process pid. The
// variables end with it: they are for no child.
func takeSockets(pid int, log logrus.FieldLogger) sockets {
	meant := os.Getenv("LISTEN_PID") == strconv.Itoa(pid)
	count, err := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	names := strings.Split(os.Getenv("LISTEN_FDNAMES"), ":")
	for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		_ = os.Unsetenv(name)
	}
	taken := sockets{}
	if !meant || err != nil {
		return taken
	}
	for i := range count {
		name := "unknown" // as in sd_listen_fds_with_names(3)
		if i < len(names) && names[i] != "" {
			name = names[i]
		}
		l, err := takeSocket(firstSocket+i, name)
		if err == nil && taken[name] != nil {
			err = errors.Join(errors.New("there is another of that name"), l.Close())
		}
		if err != nil {
			log.WithError(err).Warnf("the socket %q of systemd is not used", name)
			continue
		}
		taken[name] = l
	}
	return taken
}

// takeSocket makes a listener of a descriptor, which it closes: the listener has
// one of its own.
func takeSocket(fd int, name string) (net.Listener, error) {
	syscall.CloseOnExec(fd)
	file := os.NewFile(uintptr(fd), name)
	if file == nil {
		return nil, fmt.Errorf("there is no descriptor %d", fd)
	}
	defer file.Close()
	l, err := net.FileListener(file)
	if err != nil {
		return nil, fmt.Errorf("listen on descriptor %d: %w", fd, err)
	}
	if _, ok := l.(*net.TCPListener); !ok {
		return nil, errors.Join(fmt.Errorf("descriptor %d is no TCP socket", fd), l.Close())
	}
	return l, nil
}

// closeRest closes the sockets that no entry point has taken.
func (s sockets) closeRest(log logrus.FieldLogger) {
	for name, l := range s {
		_ = l.Close()
		log.Warnf("the socket %q of systemd is not used: there is no entry point of that name", name)
	}
}
