package acme

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-acme/lego/v4/challenge"
)

// TestLinode_AddsAndRemovesRecords asks a stand-in with the answers that the API's documentation has.
func TestLinode_AddsAndRemovesRecords(t *testing.T) {
	t.Setenv("LEGO_DISABLE_CNAME_SUPPORT", "true") // no DNS here
	var asked []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer t0ken" {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = fmt.Fprint(w, `{"errors": [{"reason": "Invalid Token"}]}`)
			return
		}
		var body struct{ Type, Name, Target string }
		_ = json.NewDecoder(r.Body).Decode(&body)
		asked = append(asked, strings.TrimSpace(strings.Join([]string{r.Method, r.URL.Path, r.Header.Get("X-Filter"), body.Type, body.Name}, " ")))
		switch {
		case r.Method == http.MethodPost && body.Target != "":
			_, _ = fmt.Fprint(w, `{"id": 9, "type": "TXT"}`)
		case r.Header.Get("X-Filter") == `{"domain":"example.com"}`:
			_, _ = fmt.Fprint(w, `{"data": [{"id": 7, "domain": "example.com"}], "page": 1, "pages": 1, "results": 1}`)
		default:
			_, _ = fmt.Fprint(w, `{"data": []}`)
		}
	}))
	defer s.Close()
	t.Setenv("LINODE_TOKEN", "t0ken")
	t.Setenv("LINODE_URL", s.URL)
	p, err := dnsProviders["linode"]()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Present("a.example.com", "", "key"); err != nil {
		t.Fatal(err)
	}
	if err := p.CleanUp("a.example.com", "", "key"); err != nil {
		t.Fatal(err)
	}
	if err := p.CleanUp("a.example.com", "", "key"); err != nil {
		t.Fatal(err)
	}
	want := `GET /v4/domains {"domain":"_acme-challenge.a.example.com"}
GET /v4/domains {"domain":"a.example.com"}
GET /v4/domains {"domain":"example.com"}
POST /v4/domains/7/records  TXT _acme-challenge.a
DELETE /v4/domains/7/records/9`
	if got := strings.Join(asked, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if err := p.Present("a.example.org", "", "key"); err == nil || !strings.Contains(err.Error(), "linode: find the zone of _acme-challenge.a.example.org: the account has none") {
		t.Errorf("got %v", err)
	}
	if timeout, interval := p.(challenge.ProviderTimeout).Timeout(); timeout != 2*time.Minute || interval != 15*time.Second {
		t.Errorf("got %s, %s", timeout, interval)
	}
	t.Setenv("LINODE_TOKEN", "other")
	p, _ = dnsProviders["linode"]()
	if err := p.Present("a.example.com", "", "key"); err == nil || !strings.Contains(err.Error(), "status 401: Invalid Token") {
		t.Errorf("got %v", err)
	}
	t.Setenv("LINODE_TOKEN", "")
	if _, err := dnsProviders["linode"](); err == nil || !strings.Contains(err.Error(), "LINODE_TOKEN") {
		t.Errorf("got %v", err)
	}
}
