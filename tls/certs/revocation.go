package certs

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"fairway/internal/pemtext"
)

// certificatesIn reads all certificates of a PEM text.
func certificatesIn(text []byte) (list []*x509.Certificate, err error) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		list = append(list, cert)
	}
	if len(list) == 0 {
		return nil, errors.New("there is no certificate in it")
	}
	return list, nil
}

// revoke takes in a list of revoked certificates, if one of the issuers has signed it.
func (t *trust) revoke(fileOrText string, issuers []*x509.Certificate) error {
	text, err := pemtext.Read(fileOrText)
	if err != nil {
		return err
	}
	var lists [][]byte
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "X509 CRL" {
			lists = append(lists, block.Bytes)
		}
	}
	if len(lists) == 0 {
		lists = [][]byte{text} // DER
	}
	for _, der := range lists {
		crl, err := x509.ParseRevocationList(der)
		if err != nil {
			return fmt.Errorf("read the list of revoked certificates: %w", err)
		}
		if !signed(crl, issuers) {
			return fmt.Errorf("the list of %s is signed by none of caFiles", crl.Issuer)
		}
		for _, e := range crl.Extensions {
			if e.Critical {
				return fmt.Errorf("the list of %s is of a kind that is not understood (extension %s): whole lists are", crl.Issuer, e.Id)
			}
		}
		if !crl.NextUpdate.IsZero() && time.Now().After(crl.NextUpdate) {
			t.notes = append(t.notes, fmt.Sprintf("the list of revoked certificates of %s is out of date since %s", crl.Issuer, crl.NextUpdate.UTC().Format("2006-01-02")))
		}
		serials := t.revoked[string(crl.RawIssuer)] // an authority may have several
		if serials == nil {
			serials = map[string]bool{}
		}
		for _, entry := range crl.RevokedCertificateEntries {
			serials[entry.SerialNumber.String()] = true
		}
		t.revoked[string(crl.RawIssuer)] = serials
	}
	return nil
}

func signed(crl *x509.RevocationList, issuers []*x509.Certificate) bool {
	for _, issuer := range issuers {
		if bytes.Equal(issuer.RawSubject, crl.RawIssuer) && crl.CheckSignatureFrom(issuer) == nil {
			return true
		}
	}
	return false
}
