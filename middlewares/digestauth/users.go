package digestauth

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/sirupsen/logrus"

	"fairway/internal/freshfile"
)

// users has the hashes (HA1 of RFC 7616, section 3.4.2) by algorithm and user.
type users struct {
	hashes map[string]map[string]string
	decoy  string // for users who are not there, so that they take as long
}

// open returns the function that has the users at any time.
func (c *Config) open(log logrus.FieldLogger) (func() *users, error) {
	if c.UsersFile == "" {
		us, err := c.read(nil)
		return func() *users { return us }, err
	}
	if err := c.addOwn(newUsers()); err != nil {
		return nil, err // and is no mistake of the file
	}
	file, err := freshfile.Open(c.UsersFile, c.read, log)
	if err != nil {
		return nil, fmt.Errorf("usersFile: %w", err)
	}
	return file.Value, nil
}

func newUsers() *users {
	return &users{hashes: map[string]map[string]string{"MD5": {}, "SHA-256": {}}, decoy: strings.Repeat("0", 64)}
}

// read makes the users of the content of usersFile and of those beside it. Empty
// lines and those that begin with "#" are skipped.
func (c *Config) read(file []byte) (*users, error) {
	us := newUsers()
	n := 0
	for line := range bytes.Lines(file) {
		n++
		text := strings.TrimSpace(string(line))
		if text == "" || text[0] == '#' {
			continue
		}
		if err := us.add(text, c.realm()); err != nil && !errors.Is(err, errOtherRealm) {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	if err := c.addOwn(us); err != nil {
		return nil, err
	}
	if len(us.hashes["MD5"])+len(us.hashes["SHA-256"]) == 0 {
		return nil, fmt.Errorf("users or usersFile must name one user of the realm %q at least", c.realm())
	}
	return us, nil
}

func (c *Config) addOwn(us *users) error {
	for i, line := range c.Users {
		if err := us.add(line.Reveal(), c.realm()); err != nil {
			return fmt.Errorf("users: entry %d: %w", i+1, err)
		}
	}
	return nil
}

var errOtherRealm = errors.New("the realm is not that of the option realm")

// add reads one "name:realm:hash". The name and the hash hold no colon. No error
// contains a part of the line.
func (us *users) add(line, realm string) error {
	name, rest, ok := strings.Cut(strings.TrimSpace(line), ":")
	at := strings.LastIndexByte(rest, ':')
	if !ok || at < 0 || name == "" {
		return errors.New(`not of the form "name:realm:hash"`)
	}
	hash := strings.ToLower(rest[at+1:])
	algorithm := map[int]string{32: "MD5", 64: "SHA-256"}[len(hash)]
	if _, err := hex.DecodeString(hash); err != nil || algorithm == "" {
		return errors.New("the hash has neither 32 (MD5) nor 64 (SHA-256) hexadecimal digits")
	}
	if rest[:at] != realm {
		return errOtherRealm
	}
	us.hashes[algorithm][name] = hash
	return nil
}
