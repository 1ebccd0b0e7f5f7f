// Package passtlsclientcert tells the service of the certificate that the client has
// shown over TLS. What a client says of it in the same headers never passes.
package passtlsclientcert

import (
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"fairway/internal/headername"
	"fairway/middlewares"
)

// Config is the passTLSClientCert middleware. Certificates of authorities that the
// client has sent along are told of, too, behind its own.
type Config struct {
	// PEM sends the certificates in X-Forwarded-Tls-Client-Cert: each as the base64 text
	// of a PEM file without line breaks, begin and end, joined by commas. Default false.
	PEM bool `json:"pem,omitempty"`
	// Info sends what it lists of the certificates in X-Forwarded-Tls-Client-Cert-Info,
	// escaped as in a query: fields as in Subject="CN=ann" joined by semicolons, and
	// certificates by commas. A quotation mark in a value has a backslash in front.
	Info *Info `json:"info,omitempty"`
}

// Info lists what is told of a certificate.
type Info struct {
	// NotAfter tells when the certificate ends, as NA="seconds since 1970". Default
	// false.
	NotAfter bool `json:"notAfter,omitempty"`
	// NotBefore tells when the certificate begins, as NB="seconds since 1970". Default
	// false.
	NotBefore bool `json:"notBefore,omitempty"`
	// SANs tells the alternative names, as SAN="names, mail addresses, IP addresses and
	// URIs, joined by commas". Default false.
	SANs bool `json:"sans,omitempty"`
	// SerialNumber tells the number of the certificate, as SerialNumber="decimal digits".
	// Default false.
	SerialNumber bool `json:"serialNumber,omitempty"`
	// Subject tells whose certificate it is, as Subject="C=..,CN=..".
	Subject *Subject `json:"subject,omitempty"`
	// Issuer tells who has signed it, as Issuer="C=..,CN=..".
	Issuer *Issuer `json:"issuer,omitempty"`
}

// Subject lists what is told of the owner, in the order DC, C, ST, L, O, OU, SN, CN.
type Subject struct {
	// Country tells C. Default false.
	Country bool `json:"country,omitempty"`
	// Province tells ST. Default false.
	Province bool `json:"province,omitempty"`
	// Locality tells L. Default false.
	Locality bool `json:"locality,omitempty"`
	// Organization tells O. Default false.
	Organization bool `json:"organization,omitempty"`
	// OrganizationalUnit tells OU. Default false.
	OrganizationalUnit bool `json:"organizationalUnit,omitempty"`
	// CommonName tells CN. Default false.
	CommonName bool `json:"commonName,omitempty"`
	// SerialNumber tells SN, the number of the owner. Default false.
	SerialNumber bool `json:"serialNumber,omitempty"`
	// DomainComponent tells DC. Default false.
	DomainComponent bool `json:"domainComponent,omitempty"`
}

// Issuer lists what is told of the authority, in the order DC, C, ST, L, O, SN, CN.
type Issuer struct {
	// Country tells C. Default false.
	Country bool `json:"country,omitempty"`
	// Province tells ST. Default false.
	Province bool `json:"province,omitempty"`
	// Locality tells L. Default false.
	Locality bool `json:"locality,omitempty"`
	// Organization tells O. Default false.
	Organization bool `json:"organization,omitempty"`
	// CommonName tells CN. Default false.
	CommonName bool `json:"commonName,omitempty"`
	// SerialNumber tells SN, the number of the authority. Default false.
	SerialNumber bool `json:"serialNumber,omitempty"`
	// DomainComponent tells DC. Default false.
	DomainComponent bool `json:"domainComponent,omitempty"`
}

const (
	certHeader = "X-Forwarded-Tls-Client-Cert"
	infoHeader = "X-Forwarded-Tls-Client-Cert-Info"
)

type handler struct {
	pem  bool
	info *Info
	next http.Handler
}

// New implements middlewares.Config.
func (c *Config) New(_ context.Context, _ middlewares.Env, next http.Handler) (http.Handler, error) {
	return &handler{pem: c.PEM, info: c.Info, next: next}, nil
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r2 := new(http.Request)
	*r2 = *r
	r2.Header = maps.Clone(r.Header)
	headername.Remove(r2.Header, certHeader)
	headername.Remove(r2.Header, infoHeader)
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		h.tell(r2.Header, r.TLS.PeerCertificates)
	}
	h.next.ServeHTTP(w, r2)
}

func (h *handler) tell(header http.Header, certs []*x509.Certificate) {
	var texts, infos []string
	for _, cert := range certs {
		texts = append(texts, base64.StdEncoding.EncodeToString(cert.Raw))
		if h.info != nil {
			infos = append(infos, h.info.of(cert))
		}
	}
	if h.pem {
		header.Set(certHeader, strings.Join(texts, ","))
	}
	if h.info != nil {
		header.Set(infoHeader, url.QueryEscape(strings.Join(infos, ",")))
	}
}

// of is what is told of one certificate.
func (i *Info) of(cert *x509.Certificate) string {
	var fields []string
	add := func(name, value string) {
		fields = append(fields, name+`="`+strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value)+`"`)
	}
	if i.Subject != nil {
		if name := i.Subject.of(&cert.Subject); name != "" {
			add("Subject", name)
		}
	}
	if s := i.Issuer; s != nil {
		name := (&Subject{
			Country: s.Country, Province: s.Province, Locality: s.Locality, Organization: s.Organization,
			CommonName: s.CommonName, SerialNumber: s.SerialNumber, DomainComponent: s.DomainComponent,
		}).of(&cert.Issuer)
		if name != "" {
			add("Issuer", name)
		}
	}
	if i.SerialNumber && cert.SerialNumber != nil {
		add("SerialNumber", cert.SerialNumber.String())
	}
	if i.NotBefore {
		add("NB", fmt.Sprint(cert.NotBefore.Unix()))
	}
	if i.NotAfter {
		add("NA", fmt.Sprint(cert.NotAfter.Unix()))
	}
	if i.SANs {
		add("SAN", strings.Join(alternativeNames(cert), ","))
	}
	return strings.Join(fields, ";")
}

func alternativeNames(cert *x509.Certificate) []string {
	names := append(append([]string{}, cert.DNSNames...), cert.EmailAddresses...)
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	for _, u := range cert.URIs {
		names = append(names, u.String())
	}
	return names
}

// domainComponent is the attribute of RFC 4519, section 2.4.
var domainComponent = asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 25}

// of is what is told of one name.
func (s *Subject) of(name *pkix.Name) string {
	var parts []string
	add := func(wanted bool, key string, values ...string) {
		for _, value := range values {
			if wanted && value != "" {
				parts = append(parts, key+"="+value)
			}
		}
	}
	for _, attribute := range name.Names {
		if attribute.Type.Equal(domainComponent) {
			add(s.DomainComponent, "DC", fmt.Sprint(attribute.Value))
		}
	}
	add(s.Country, "C", name.Country...)
	add(s.Province, "ST", name.Province...)
	add(s.Locality, "L", name.Locality...)
	add(s.Organization, "O", name.Organization...)
	add(s.OrganizationalUnit, "OU", name.OrganizationalUnit...)
	add(s.SerialNumber, "SN", name.SerialNumber)
	add(s.CommonName, "CN", name.CommonName)
	return strings.Join(parts, ",")
}
