// Package htpasswd reads user lists as the htpasswd tool writes them, one
// "name:hash" per line, and checks passwords against them.
//
// Three hashes are known: bcrypt ($2y$ and its sisters), MD5-crypt ($apr1$, $1$)
// and SHA-1 ({SHA}). A password in clear is refused. No error here ever contains
// a hash, nor any other part of a line.
package htpasswd

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// Users are the hashes by user name.
type Users map[string]Hash

// Hash is what is kept of a password.
type Hash interface {
	// Matches reports whether password is the one hashed.
	Matches(password string) bool
	// Cost grows with the time Matches takes; it compares hashes of all kinds.
	Cost() int
}

// Add reads one "name:hash" and adds it, or replaces the user of that name.
func (us Users) Add(line string) error {
	name, hash, ok := strings.Cut(strings.TrimSpace(line), ":")
	if !ok || name == "" {
		return errors.New(`not of the form "name:hash"`)
	}
	h, err := parse(hash)
	if err != nil {
		return err
	}
	us[name] = h
	return nil
}

// Read adds every line of a file. Empty lines and those that begin with "#" are
// skipped.
func (us Users) Read(r io.Reader) error {
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		if err := us.Add(line); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	return lines.Err()
}

func parse(hash string) (Hash, error) {
	switch {
	case strings.HasPrefix(hash, "$2"):
		return parseBcrypt(hash)
	case strings.HasPrefix(hash, "$apr1$"), strings.HasPrefix(hash, "$1$"):
		return parseMD5Crypt(hash)
	case strings.HasPrefix(hash, "{SHA}"):
		return parseSHA1(hash)
	case strings.HasPrefix(hash, "$$"):
		return nil, errors.New(`the hash begins with "$$": each $ is written once here, and twice in compose files only`)
	default:
		return nil, errors.New("the hash is of no known kind (bcrypt, MD5-crypt, {SHA}); " +
			"in a compose file every $ is written twice")
	}
}

type bcryptHash struct {
	text string
	cost int
}

func parseBcrypt(hash string) (Hash, error) {
	const length = 60
	cost, err := bcrypt.Cost([]byte(hash))
	if err != nil || len(hash) != length || hash[3] != '$' {
		return nil, errors.New("not a valid bcrypt hash")
	}
	return bcryptHash{hash, cost}, nil
}

func (h bcryptHash) Matches(password string) bool {
	return bcrypt.CompareHashAndPassword([]byte(h.text), []byte(password)) == nil
}

// Cost of bcrypt is 4 at least, hence above that of the other kinds.
func (h bcryptHash) Cost() int { return h.cost }

type sha1Hash [sha1.Size]byte

func parseSHA1(hash string) (Hash, error) {
	sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(hash, "{SHA}"))
	if err != nil || len(sum) != sha1.Size {
		return nil, errors.New("not a valid {SHA} hash")
	}
	return sha1Hash(sum), nil
}

func (h sha1Hash) Matches(password string) bool {
	sum := sha1.Sum([]byte(password))
	return equal(sum[:], h[:])
}

func (sha1Hash) Cost() int { return 1 }
