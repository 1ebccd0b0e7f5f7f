package passtlsclientcert

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"fairway/middlewares"
	"fairway/middlewares/middlewarestest"
)

func TestExamples(t *testing.T) {
	middlewarestest.Golden(t, func() middlewares.Config { return &Config{} })
}

func certificate() *x509.Certificate {
	name := func(n string) pkix.Name {
		return pkix.Name{
			Country: []string{"FR", "DE"}, Province: []string{"P"}, Locality: []string{"L"}, Organization: []string{"O"},
			OrganizationalUnit: []string{"U"}, SerialNumber: "7", CommonName: n,
			Names: []pkix.AttributeTypeAndValue{{Type: domainComponent, Value: "org"}, {Type: domainComponent, Value: "x"}},
		}
	}
	return &x509.Certificate{
		Raw: []byte("der?"), Subject: name("ann"), Issuer: name("ca"), SerialNumber: big.NewInt(4711),
		NotBefore: time.Unix(100, 0), NotAfter: time.Unix(200, 0), DNSNames: []string{"a.test"}, EmailAddresses: []string{"a@b.test"},
		IPAddresses: []net.IP{net.IPv4(192, 0, 2, 1)}, URIs: []*url.URL{{Scheme: "spiffe", Host: "x"}},
	}
}

func TestPassTLSClientCert_TellsWhatIsWanted(t *testing.T) {
	quoted := certificate()
	quoted.Subject.CommonName = `a";Issuer="CN=root\`
	tests := map[string]struct {
		config     Config
		certs      []*x509.Certificate
		pem, infos string
	}{
		"nothing":   {Config{}, []*x509.Certificate{certificate()}, "", ""},
		"pem":       {Config{PEM: true}, []*x509.Certificate{certificate(), certificate()}, "ZGVyPw==,ZGVyPw==", ""},
		"no client": {Config{PEM: true, Info: &Info{SANs: true}}, nil, "", ""},
		"subject": {
			Config{Info: &Info{Subject: &Subject{true, true, true, true, true, true, true, true}}},
			[]*x509.Certificate{certificate()},
			"", `Subject="DC=org,DC=x,C=FR,C=DE,ST=P,L=L,O=O,OU=U,SN=7,CN=ann"`,
		},
		"issuer": {
			Config{Info: &Info{Issuer: &Issuer{true, true, true, true, true, true, true}}},
			[]*x509.Certificate{certificate()},
			"", `Issuer="DC=org,DC=x,C=FR,C=DE,ST=P,L=L,O=O,SN=7,CN=ca"`,
		},
		"the rest, of two": {
			Config{Info: &Info{NotAfter: true, NotBefore: true, SANs: true, SerialNumber: true, Subject: &Subject{CommonName: true}}},
			[]*x509.Certificate{certificate(), {SerialNumber: big.NewInt(1), NotBefore: time.Unix(1, 0), NotAfter: time.Unix(2, 0)}},
			"", `Subject="CN=ann";SerialNumber="4711";NB="100";NA="200";SAN="a.test,a@b.test,192.0.2.1,spiffe://x",SerialNumber="1";NB="1";NA="2";SAN=""`,
		},
		"a name that would be more than one": {
			Config{Info: &Info{Subject: &Subject{CommonName: true}}}, []*x509.Certificate{quoted}, "", `Subject="CN=a\";Issuer=\"CN=root\\"`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var got http.Header
			next := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header })
			h, err := tt.config.New(t.Context(), middlewarestest.Env("test"), next)
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.TLS = &tls.ConnectionState{PeerCertificates: tt.certs}
			for _, forged := range []string{certHeader, infoHeader, "X_Forwarded_Tls_Client_Cert", "X-Forwarded_tls-Client-Cert-Info"} {
				r.Header[forged] = []string{"forged"}
			}
			h.ServeHTTP(httptest.NewRecorder(), r)
			infos, err := url.QueryUnescape(got.Get(infoHeader))
			if err != nil || got.Get(certHeader) != tt.pem || infos != tt.infos {
				t.Errorf("got %q, %q, want %q, %q", got.Get(certHeader), infos, tt.pem, tt.infos)
			}
			want := 0
			for _, s := range []string{tt.pem, tt.infos} {
				if s != "" {
					want++
				}
			}
			if len(got) != want {
				t.Errorf("the service got %v", got)
			}
			if len(r.Header) != 4 {
				t.Error("the caller's request was changed")
			}
		})
	}
}
