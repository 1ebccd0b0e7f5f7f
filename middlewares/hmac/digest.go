package hmac

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"errors"
	"io"
	"net/http"

	"github.com/dunglas/httpsfv"
)

// errTooLong is a body of which more would have to be held than may be.
var errTooLong = errors.New("the body is longer than what is compared with a digest")

// compare reads the body and compares it with the header Content-Digest (RFC 9530). It returns
// the request to go on with.
func compare(r *http.Request, most int64) (*http.Request, error) {
	if r.ContentLength > most {
		return nil, errTooLong
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, most+1))
	switch {
	case err != nil:
		return nil, err
	case int64(len(body)) > most:
		return nil, errTooLong
	}
	said, err := httpsfv.UnmarshalDictionary(r.Header["Content-Digest"])
	if err != nil {
		return nil, errors.New("the header Content-Digest cannot be read")
	}
	sum256, sum512 := sha256.Sum256(body), sha512.Sum512(body)
	known := 0
	for name, sum := range map[string][]byte{"sha-256": sum256[:], "sha-512": sum512[:]} {
		member, ok := said.Get(name)
		if !ok {
			continue
		}
		item, _ := member.(httpsfv.Item)
		digest, _ := item.Value.([]byte)
		if subtle.ConstantTimeCompare(digest, sum) != 1 {
			return nil, errors.New("the body is not that of Content-Digest")
		}
		known++
	}
	if known == 0 {
		return nil, errors.New("the header Content-Digest has neither sha-256 nor sha-512")
	}
	held := new(http.Request)
	*held = *r
	held.Body, held.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return held, nil
}
