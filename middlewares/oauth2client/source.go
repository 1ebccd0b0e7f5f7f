package oauth2client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"fairway/internal/headername"
	"fairway/internal/oauthclient"
	"fairway/internal/secret"
)

const (
	// ahead is how long before its end a token is replaced.
	ahead = 30 * time.Second
	// unknown is how long a token is taken whose end is not told.
	unknown = 5 * time.Minute
	// pause is between two questions that failed.
	pause = time.Second
	// doubtPause is between two questions for a token that the service has refused: it may have
	// been the request that it did not like, or it refuses whatever it gets.
	doubtPause = 30 * time.Second
)

// source has the token, and gets another one before its end.
type source struct {
	client   *oauthclient.Client
	endpoint string
	form     url.Values

	mu     sync.Mutex
	value  string
	by     string    // the password that it was got by
	fresh  time.Time // until then it is taken without a thought
	until  time.Time // its end
	doubts bool      // the service has refused it
	asking chan struct{}
	asked  time.Time
	err    error
}

var errNone = errors.New("there is no token that is valid, and the server was asked just now")

// token returns one that is valid. While another one is got the old one is taken, as long as
// it lasts.
func (s *source) token(ctx context.Context) (string, error) {
	s.mu.Lock()
	now := time.Now()
	if s.valid(now) {
		defer s.mu.Unlock()
		switch {
		case s.doubts:
			s.begin(now, doubtPause)
		case !now.Before(s.fresh):
			s.begin(now, pause)
		}
		return s.value, nil
	}
	wait := s.begin(now, pause)
	s.mu.Unlock()
	if wait != nil {
		select {
		case <-wait:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.valid(time.Now()):
		return s.value, nil
	case s.err != nil:
		return "", s.err
	}
	return "", errNone
}

// valid tells whether there is a token that has not ended and goes with the password of now.
func (s *source) valid(now time.Time) bool {
	return s.value != "" && now.Before(s.until) && s.by == s.client.Version()
}

// begin asks for a token, if nobody does and the last question is not too fresh. The channel
// is closed when the answer is there; nil: none is under way.
func (s *source) begin(now time.Time, pause time.Duration) chan struct{} {
	if s.asking == nil && now.Sub(s.asked) >= pause {
		s.asking, s.asked = make(chan struct{}), now
		go s.get(s.asking) // it ends by the client's time: requests that wait may outlive the route
	}
	return s.asking
}

func (s *source) get(over chan struct{}) {
	by := s.client.Version()
	token, lasts, err := s.ask()
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.err = err; err == nil {
		s.value, s.by, s.doubts, s.until, s.fresh = token, by, false, now.Add(lasts), now.Add(lasts-min(ahead, lasts/2))
	}
	s.asking = nil
	close(over)
}

func (s *source) ask() (token string, lasts time.Duration, err error) {
	var got struct {
		Token   string      `json:"access_token"`
		Type    string      `json:"token_type"`
		Expires json.Number `json:"expires_in"`
	}
	form := url.Values{}
	for name, values := range s.form {
		form[name] = slices.Clone(values)
	}
	if err := s.client.Post(context.Background(), s.endpoint, form, &got); err != nil {
		return "", 0, err
	}
	if got.Token == "" || !headername.ValidValue(got.Token) || got.Type != "" && !strings.EqualFold(got.Type, "Bearer") {
		return "", 0, fmt.Errorf("ask %s: it answers no token of the type Bearer", secret.URL(s.endpoint))
	}
	lasts = unknown
	if n, e := got.Expires.Int64(); e == nil && n > 0 {
		lasts = time.Duration(min(n, 1<<31)) * time.Second
	}
	return got.Token, lasts, nil
}

// doubt has another token got aside, for the service has refused this one.
func (s *source) doubt(value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.value == value {
		s.doubts = true
		s.begin(time.Now(), doubtPause)
	}
}
