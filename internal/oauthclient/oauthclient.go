// Package oauthclient asks authorisation servers, as the client of theirs that this gateway is
// (RFC 6749).
package oauthclient

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"fairway/internal/freshfile"
	"fairway/internal/secret"
)

// Client is who asks.
type Client struct {
	id        string
	secret    func() string // nil: it has none
	form      bool          // credentials go into the form, not into a header
	http      *http.Client
	transport *http.Transport
}

// New returns a Client, whose connections are closed when ctx ends. style is "basic" (RFC 6749,
// section 2.3.1), the default, or "post".
func New(ctx context.Context, id string, password secret.String, file, style string, log logrus.FieldLogger) (*Client, error) {
	c := NewPublic(ctx, id)
	switch {
	case id == "":
		return nil, errors.New("clientID is required")
	case password != "" && file != "":
		return nil, errors.New("only one of clientSecret and clientSecretFile can be given")
	case password == "" && file == "":
		return nil, errors.New("clientSecret or clientSecretFile is required")
	case file != "":
		f, err := freshfile.Open(file, trimmed, log)
		if err != nil {
			return nil, fmt.Errorf("clientSecretFile: %w", err)
		}
		c.secret = f.Value
	default:
		c.secret = password.Reveal
	}
	switch style {
	case "", "basic":
	case "post":
		c.form = true
	default:
		return nil, fmt.Errorf("authStyle: %q is neither basic nor post", style)
	}
	return c, nil
}

// Trust has servers believed by other authorities than those of the system, before anything
// is asked. nil changes nothing.
func (c *Client) Trust(settings *tls.Config) { c.transport.TLSClientConfig = settings }

// NewPublic returns a Client without a password (RFC 6749, section 2.1), which only names
// itself.
func NewPublic(ctx context.Context, id string) *Client {
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, TLSHandshakeTimeout: 5 * time.Second, IdleConnTimeout: time.Minute, MaxIdleConnsPerHost: 16,
	}
	context.AfterFunc(ctx, transport.CloseIdleConnections)
	return &Client{id: id, transport: transport, http: &http.Client{Transport: transport, Timeout: 10 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // what is asked here has credentials with it
	}}}
}

// InForm returns the same client, which sends its credentials in the form.
func (c *Client) InForm() *Client {
	other := *c
	other.form = true
	return &other
}

func trimmed(text []byte) (string, error) {
	if s := strings.TrimRight(string(text), "\r\n"); s != "" {
		return s, nil
	}
	return "", errors.New("is empty")
}

// Version is another text when the credentials are others.
func (c *Client) Version() string {
	if c.secret == nil {
		return ""
	}
	return c.secret()
}

const mostBytes = 1 << 20

// Post sends a form to an endpoint and reads the object that it answers. The errors of RFC
// 6749, section 5.2, are told by their name.
func (c *Client) Post(ctx context.Context, endpoint string, form url.Values, into any) error {
	if c.form || c.secret == nil {
		form.Set("client_id", c.id)
	}
	if c.form && c.secret != nil {
		form.Set("client_secret", c.secret())
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return errors.New("the endpoint is no URL")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	if !c.form && c.secret != nil {
		req.SetBasicAuth(url.QueryEscape(c.id), url.QueryEscape(c.secret()))
	}
	res, err := c.http.Do(req)
	if err != nil {
		if inner, ok := errors.AsType[*url.Error](err); ok {
			err = inner.Err
		}
		return fmt.Errorf("ask %s: %w", secret.URL(endpoint), err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(res.Body, mostBytes))
	if err != nil {
		return fmt.Errorf("ask %s: %w", secret.URL(endpoint), err)
	}
	if res.StatusCode != http.StatusOK {
		var said struct {
			Error string `json:"error"`
		}
		_ = json.Unmarshal(text, &said)
		return &RefusedError{endpoint: secret.URL(endpoint), Status: res.StatusCode, Code: printable(said.Error)}
	}
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("ask %s: the answer is no object of JSON", secret.URL(endpoint))
	}
	return nil
}

// RefusedError is an answer other than 200.
type RefusedError struct {
	endpoint string
	Status   int
	Code     string // as invalid_client
}

func (e *RefusedError) Error() string {
	if e.Code == "" {
		return fmt.Sprintf("ask %s: it answers %d", e.endpoint, e.Status)
	}
	return fmt.Sprintf("ask %s: it answers %d, %s", e.endpoint, e.Status, e.Code)
}

func printable(code string) string {
	if len(code) > 64 || strings.ContainsFunc(code, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return ""
	}
	return code
}

// ValidEndpoint tells what is wrong with the address of an endpoint.
func ValidEndpoint(address string) error {
	if u, err := url.Parse(address); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return fmt.Errorf("%q is no URL that begins with http:// or https://", secret.URL(address))
	}
	return nil
}
