package acme

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"
)

// record is the file of a certificate: the certificate, or the way to it, with what has
// to outlast a restart so that no authority is bothered.
type record struct {
	Names    []string `json:"names"`
	CAServer string   `json:"caServer,omitempty"`
	OnDemand bool     `json:"onDemand,omitempty"`
	Chain    string   `json:"chain,omitempty"` // PEM, the certificate first
	Key      string   `json:"key,omitempty"`   // PEM

	Issued  time.Time `json:"issued,omitzero"`
	RenewAt time.Time `json:"renewAt,omitzero"`

	// Started is when the order that is under way began. After a crash it is still there,
	// and counts as a failed order.
	Started  time.Time   `json:"started,omitzero"`
	Failures int         `json:"failures,omitempty"` // in a row
	FailedAt []time.Time `json:"failedAt,omitempty"` // the last few
	NextTry  time.Time   `json:"nextTry,omitzero"`
	Error    string      `json:"error,omitempty"`
	Since    time.Time   `json:"since,omitzero"`
	// Pause is what the last refusal means for other certificates.
	Pause *pause `json:"pause,omitempty"`

	ahead bool // NextTry is not as it is stored, see distrust
}

// parseRecord reads a file. The certificate is nil if the record has none.
func parseRecord(data []byte) (record, *tls.Certificate, error) {
	var rec record
	if err := json.Unmarshal(data, &rec); err != nil {
		return record{}, nil, err
	}
	if len(rec.Names) == 0 {
		return record{}, nil, errors.New("it has no names")
	}
	if rec.Chain == "" && rec.Key == "" {
		return rec, nil, nil
	}
	cert, err := pair([]byte(rec.Chain), []byte(rec.Key))
	if err != nil {
		return record{}, nil, err
	}
	return rec, cert, nil
}

// pair is a certificate with its leaf parsed.
func pair(chain, key []byte) (*tls.Certificate, error) {
	cert, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return nil, err
	}
	if cert.Leaf == nil {
		if cert.Leaf, err = x509.ParseCertificate(cert.Certificate[0]); err != nil {
			return nil, err
		}
	}
	return &cert, nil
}

func (rec *record) encode() ([]byte, error) { return json.MarshalIndent(rec, "", "  ") }

// issue puts a new certificate into the record, and ends all failures.
func (rec *record) issue(names []string, ca string, chain, key []byte, now time.Time) (*tls.Certificate, error) {
	cert, err := pair(chain, key)
	if err != nil {
		return nil, fmt.Errorf("the authority's certificate does not fit the key: %w", err)
	}
	for _, name := range names {
		if !signs(cert.Leaf, name) {
			return nil, fmt.Errorf("the authority's certificate is not for %s", name)
		}
	}
	*rec = record{
		Names: names, CAServer: ca, OnDemand: rec.OnDemand, Chain: string(chain), Key: string(key),
		Issued: now, RenewAt: renewal(cert.Leaf), FailedAt: rec.FailedAt,
	}
	return cert, nil
}

// signs tells whether a certificate has a name, a wildcard by itself.
func signs(leaf *x509.Certificate, name string) bool {
	return slices.Contains(leaf.DNSNames, name) ||
		slices.ContainsFunc(leaf.IPAddresses, func(ip net.IP) bool { return ip.String() == name })
}

// fail notes why there is no certificate, and when the next order may be placed:
// in a minute at first, then in twice the time of before, never so soon that a name has
// more failed orders in an hour than it may, and never before the authority allows it.
func (rec *record) fail(o outcome, in pace, now time.Time) {
	rec.Started = time.Time{}
	rec.Failures++
	most := in.most
	if !o.reached {
		most = min(most, in.unreachable)
	}
	wait := min(in.first<<min(rec.Failures-1, 20), most)
	if wait <= 0 {
		wait = most
	}
	wait = max(jitter(wait), o.after)
	if rec.Pause = nil; o.pause != nil {
		p := *o.pause
		p.Since, p.Until, p.Text = now, now.Add(o.after), o.err.Error()
		if o.after <= 0 {
			p.Until = now.Add(in.unreachable)
		}
		rec.Pause = &p
	}
	if o.reached {
		rec.failedOrder(now)
	}
	rec.NextTry = now.Add(wait)
	if text := o.err.Error(); text != rec.Error || rec.Since.IsZero() {
		rec.Error, rec.Since = text, now
	}
}

// failedOrder keeps the times that the limit for an hour is about.
func (rec *record) failedOrder(at time.Time) {
	rec.FailedAt = append(rec.FailedAt, at)
	if many := len(rec.FailedAt) - 16; many > 0 {
		rec.FailedAt = rec.FailedAt[many:]
	}
}

// farthest is the longest time that anybody is made to wait.
const farthest = 7 * 24 * time.Hour

// distrust takes out what a clock has written that was ahead: a name must not wait for years
// because of it.
func (rec *record) distrust(now time.Time) {
	soon := now.Add(time.Minute) // another machine may be ahead a little
	rec.FailedAt = slices.DeleteFunc(rec.FailedAt, soon.Before)
	if rec.Started.After(soon) {
		rec.Started = time.Time{}
	}
	if rec.NextTry.After(now.Add(farthest)) {
		rec.NextTry, rec.ahead = now.Add(farthest), true
	}
	if rec.Pause != nil && rec.Pause.Until.After(now.Add(farthest)) {
		rec.Pause, rec.ahead = nil, true
	}
}
