package lambda

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"maps"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"fairway/internal/claims"
	"fairway/internal/headername"
	"fairway/internal/identity"
	"fairway/internal/record"
)

// API is what events say of the API that a request came to.
type API struct {
	AccountID, ID, Region, Stage string
	Variables                    map[string]string // of the stage
}

// Request is what an event is made of.
type Request struct {
	*http.Request
	Resource string            // the template of the path, as /pets/{id}; empty: none
	Path     map[string]string // its values
	Body     []byte
	Binary   []string // media types whose bodies are always encoded, as image/*
	At       time.Time
}

// ARN names what is asked for, as policies do.
func (a *API) ARN(method, path string) string {
	return "arn:aws:execute-api:" + a.Region + ":" + a.AccountID + ":" + a.ID + "/" + a.Stage + "/" + method + "/" + strings.TrimPrefix(path, "/")
}

// trace is the header by which X-Ray follows requests.
const trace = "X-Amzn-Trace-Id"

// Trace is what functions are told of the trace of a request: what the client says, or else that of the
// gateway's own (the trace of W3C with the form of X-Ray).
func Trace(r *http.Request) string {
	if told := r.Header.Get(trace); told != "" {
		return told
	}
	rec := record.From(r.Context())
	if rec == nil || rec.Trace == nil {
		return ""
	}
	id, span := rec.Trace.TraceID(), rec.Trace.SpanID()
	whole := hex.EncodeToString(id[:])
	return "Root=1-" + whole[:8] + "-" + whole[8:] + ";Parent=" + hex.EncodeToString(span[:]) + ";Sampled=1"
}

// requestID is that of the middleware requestID, or one of its own.
func (r *Request) requestID() string {
	if rec := record.From(r.Context()); rec != nil && rec.RequestID != "" {
		return rec.RequestID
	}
	return rand.Text()
}

// peer is the address of the client, as far as the gateway knows it.
func (r *Request) peer() string {
	if rec := record.From(r.Context()); rec != nil && rec.Peer != "" {
		return rec.Peer
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	return host
}

// domain is the host that was asked, without its port, and the first of its labels.
func (r *Request) domain() (name, prefix string) {
	name = strings.ToLower(r.Host)
	if host, _, err := net.SplitHostPort(name); err == nil {
		name = host
	}
	if _, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		return name, name
	}
	prefix, _, _ = strings.Cut(name, ".")
	return name, prefix
}

// head are the fields that a function gets: without those of one connection, with the host, with the
// client in X-Forwarded-For, and with the trace.
func (r *Request) head() http.Header {
	h := make(http.Header, len(r.Header)+4)
	maps.Copy(h, r.Header)
	headername.RemoveHop(h)
	delete(h, "Expect")
	maps.DeleteFunc(h, func(_ string, values []string) bool { return len(values) == 0 })
	h["Host"] = []string{r.Host}
	if delete(h, "Content-Length"); len(r.Body) > 0 {
		h["Content-Length"] = []string{strconv.Itoa(len(r.Body))}
	}
	if told, named := r.Header["X-Forwarded-For"]; !named || len(told) > 0 { // a middleware may have taken it away
		rec := record.From(r.Context())
		if peer := r.peer(); peer != "" && (rec == nil || !rec.Unlisted) {
			h["X-Forwarded-For"] = []string{strings.Join(append(slices.Clone(told), peer), ", ")}
		}
	}
	if t := Trace(r.Request); t != "" {
		h[trace] = []string{t}
	}
	return h
}

// text is the body, as text if it is one and else by base64.
func (r *Request) text() (body string, encoded bool) {
	if r.isText() {
		return string(r.Body), false
	}
	return base64.StdEncoding.EncodeToString(r.Body), true
}

// isText tells whether the body is text by its type, and in UTF-8. One without a type is what it looks like.
func (r *Request) isText() bool {
	if len(r.Body) == 0 {
		return true
	}
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" || !utf8.Valid(r.Body) {
		return false
	}
	kind := r.Header.Get("Content-Type")
	if kind == "" {
		return !slices.Contains(r.Binary, "*/*")
	}
	media, _, err := mime.ParseMediaType(kind)
	if err != nil {
		return false
	}
	for _, pattern := range r.Binary {
		if ok, _ := path.Match(pattern, media); ok {
			return false
		}
	}
	switch media {
	case "application/json", "application/xml", "application/javascript", "application/x-www-form-urlencoded", "application/x-ndjson", "application/graphql", "application/yaml":
		return true
	}
	return strings.HasPrefix(media, "text/") || strings.HasSuffix(media, "+json") || strings.HasSuffix(media, "+xml")
}

// ClientCert is the certificate of a client, as events have it.
type ClientCert struct {
	ClientCertPem string   `json:"clientCertPem"`
	SubjectDN     string   `json:"subjectDN"`
	IssuerDN      string   `json:"issuerDN"`
	SerialNumber  string   `json:"serialNumber"`
	Validity      validity `json:"validity"`
}

type validity struct {
	NotBefore string `json:"notBefore"`
	NotAfter  string `json:"notAfter"`
}

func (r *Request) clientCert() *ClientCert {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return nil
	}
	return certOf(r.TLS.PeerCertificates[0])
}

func certOf(c *x509.Certificate) *ClientCert {
	const form = "Jan _2 15:04:05 2006 GMT"
	serial := make([]string, 0, 20)
	for _, b := range c.SerialNumber.Bytes() {
		serial = append(serial, hex.EncodeToString([]byte{b}))
	}
	return &ClientCert{
		ClientCertPem: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})),
		SubjectDN:     c.Subject.String(), IssuerDN: c.Issuer.String(), SerialNumber: strings.Join(serial, ":"),
		Validity: validity{c.NotBefore.UTC().Format(form), c.NotAfter.UTC().Format(form)},
	}
}

// Method is that of identities which the middleware authorizer has found out; their claims are the context
// that it was given.
const Method = "authorizer"

// authorizer is what events say of who sends the request, nil: nobody knows.
func (r *Request) authorizer() *identity.Identity { return record.IdentityOf(r.Request) }

// claimTexts are claims as events have them: all of them texts, lists as [a b].
func claimTexts(said map[string]any) map[string]string {
	all := make(map[string]string, len(said))
	for name, v := range said {
		if text, ok := claims.Text(v); ok {
			all[name] = text
		} else if list, ok := v.([]any); ok {
			all[name] = "[" + strings.Join(claims.Texts(list), " ") + "]"
		}
	}
	return all
}

// scopes are those of a token; nil: it has none.
func scopes(said map[string]any) []string {
	if words := claims.Words(said["scope"]); len(words) > 0 {
		return words
	}
	return claims.Words(said["scp"])
}

// clf is a time as in the Common Log Format.
const clf = "02/Jan/2006:15:04:05 -0700"
