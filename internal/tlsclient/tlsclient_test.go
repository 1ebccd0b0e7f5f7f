package tlsclient

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fairway/internal/certtest"
	"fairway/internal/secret"
)

func TestSettings_Mistakes(t *testing.T) {
	ca := certtest.NewAuthority(t, "ca")
	cert, key := ca.Issue(time.Now().Add(time.Hour), "client.test")
	for name, tt := range map[string]struct {
		of   Options
		want string
	}{
		"no file of the authority":   {Options{CA: "/nowhere.pem"}, "ca: open /nowhere.pem"},
		"an empty file":              {Options{CA: file(t, "")}, "ca: there is no certificate in it"},
		"text without a certificate": {Options{CA: "-----BEGIN X"}, "ca: there is no certificate in it"},
		"a certificate alone":        {Options{Cert: cert}, "key: is missing"},
		"a key alone":                {Options{Key: secret.String(key)}, "cert: is missing"},
		"no pair":                    {Options{Cert: ca.PEM(), Key: secret.String(key)}, "cert and key: "},
		"a key that was cut off":     {Options{Cert: cert, Key: "MIGHAgEAMBMGByqGSM49CANARY"}, "key: is neither PEM text"},
	} {
		if _, err := tt.of.Settings(); err == nil || !strings.HasPrefix(err.Error(), tt.want) || strings.Contains(err.Error(), "CANARY") {
			t.Errorf("%s: got %v, want %s", name, err, tt.want)
		}
	}
}

// A server that asks for a certificate believes what the settings show it, whether they are
// given as texts or as files.
func TestSettings_AreBelieved(t *testing.T) {
	ca := certtest.NewAuthority(t, "ca")
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.TLS.PeerCertificates[0].DNSNames[0])
	}))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair(t, ca, "127.0.0.1")}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.Pool(), MinVersion: tls.VersionTLS12}
	s.StartTLS()
	t.Cleanup(s.Close)
	cert, key := ca.Issue(time.Now().Add(time.Hour), "client.test")
	for name, o := range map[string]Options{
		"texts":    {CA: ca.PEM(), Cert: cert, Key: secret.String(key)},
		"files":    {CA: file(t, ca.PEM()), Cert: file(t, cert), Key: secret.String(file(t, key))},
		"any else": {Cert: cert, Key: secret.String(key), InsecureSkipVerify: true},
	} {
		if got, err := ask(t, s.URL, o); err != nil || got != "client.test" {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
	if _, err := ask(t, s.URL, Options{Cert: cert, Key: secret.String(key)}); err == nil {
		t.Error("the authority of the server is unknown, and it was believed")
	}
}

func pair(t *testing.T, ca *certtest.Authority, name string) tls.Certificate {
	t.Helper()
	cert, key := ca.Issue(time.Now().Add(time.Hour), name)
	both, err := tls.X509KeyPair([]byte(cert), []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	return both
}

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file.pem")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func ask(t *testing.T, url string, o Options) (string, error) {
	t.Helper()
	settings, err := o.Settings()
	if err != nil {
		return "", err
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: settings}}
	defer client.CloseIdleConnections()
	res, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return string(text), err
}
