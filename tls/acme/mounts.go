package acme

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Who comes from Traefik may have a single file mounted into the container, as in
// ./acme.json:/acme.json. Certificates are kept in a folder of that name, which is then
// inside of the container, and lost with it.

// inspectMounts looks for that. Only Linux tells.
func (r *Resolver) inspectMounts() {
	if info, err := os.ReadFile("/proc/self/mountinfo"); err == nil {
		r.warning = lostWithContainer(info, r.cfg.Storage, filepath.Dir(r.store.dir))
	}
}

// lostWithContainer is the warning, "" if all is well: file is what storage names, dir the
// folder that is made of it.
func lostWithContainer(mountinfo []byte, file, dir string) string {
	file, dir = resolved(file), resolved(dir)
	mounted, below := false, false
	for _, point := range mountPoints(mountinfo) {
		mounted = mounted || point == file
		below = below || point != "/" && (point == dir || strings.HasPrefix(dir, point+"/"))
	}
	if !mounted || below {
		return ""
	}
	return fmt.Sprintf("%s is mounted by itself, but certificates are kept in the folder %s, which is lost with the container: "+
		"mount a folder instead, as in ./letsencrypt:/letsencrypt, and let storage be a file in it, as in /letsencrypt/acme.json", file, dir)
}

// resolved is the absolute path without links, as far as it exists.
func resolved(path string) string {
	path, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	for rest := ""; ; {
		if found, err := filepath.EvalSymlinks(path); err == nil {
			return filepath.Join(found, rest)
		}
		parent, name := filepath.Split(path)
		if parent = filepath.Clean(parent); parent == path {
			return filepath.Join(path, rest)
		}
		path, rest = parent, filepath.Join(name, rest)
	}
}

// mountPoints are those of /proc/self/mountinfo: the fifth field, in which a blank, a tab, a
// line feed and a backslash are written as octal numbers (proc_pid_mountinfo(5)).
func mountPoints(mountinfo []byte) (points []string) {
	lines := bufio.NewScanner(bytes.NewReader(mountinfo))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 5 {
			continue
		}
		points = append(points, unescape(fields[4]))
	}
	return points
}

func unescape(s string) string {
	var b strings.Builder
	for s != "" {
		if s[0] == '\\' && len(s) >= 4 {
			if c, err := strconv.ParseUint(s[1:4], 8, 8); err == nil {
				_ = b.WriteByte(byte(c))
				s = s[4:]
				continue
			}
		}
		_ = b.WriteByte(s[0])
		s = s[1:]
	}
	return b.String()
}
