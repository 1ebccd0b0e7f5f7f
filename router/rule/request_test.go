package rule

import (
	"net/url"
	"testing"
)

func TestCleanHost(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"plain", "a.example", "a.example"},
		{"case", "A.Example", "a.example"},
		{"port", "a.example:80", "a.example"},
		{"empty port", "a.example:", "a.example"},
		{"dot", "a.example.", "a.example"},
		{"dot and port", "a.example.:80", "a.example"},
		{"IPv4", "10.0.0.1:80", "10.0.0.1"},
		{"IPv6", "[2001:DB8::1]", "2001:db8::1"},
		{"IPv6 and port", "[::1]:80", "::1"},
		{"bare IPv6", "::1", "::1"},
		{"bracket never closed", "[::1", "[::1"},
		{"text after bracket", "[::1]x", "[::1]x"},
		{"empty", "", ""},
		{"only port", ":80", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := CleanHost(tc.in); got != tc.want {
				t.Errorf("CleanHost(%q): got %q, want %q", tc.in, got, tc.want)
			}
		})
	}
}

func TestRoutingPath(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"plain", "/a/b", "/a/b"},
		{"unreserved", "/%61%2D%7e", "/a-~"},
		{"neither reserved nor unreserved", "/%20%7B%C3%A9%5c", "/ {é\\"},
		{"reserved stays", "/%2F%3F%23%5B%5D%40%21%24%26%27%28%29%2A%2B%2C%3B%3D%25%3A", "/%2F%3F%23%5B%5D%40%21%24%26%27%28%29%2A%2B%2C%3B%3D%25%3A"},
		{"reserved digits upper-cased", "/a%2fb", "/a%2Fb"},
		{"mixed", "/%2F%61%2f", "/%2Fa%2F"},
		{"decoded once only", "/%2541", "/%2541"},
		{"cut short", "/a%4", "/a%4"},
		{"cut short after a change", "/%61%", "/a%"},
		{"not hexadecimal", "/%zz%61", "/%zza"},
		{"percent before a sequence", "/%%61", "/%a"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := RoutingPath(tc.in); got != tc.want {
				t.Errorf("RoutingPath(%q): got %q, want %q", tc.in, got, tc.want)
			}
		})
	}
}

func TestRequest_RoutingDoesNotAllocate(t *testing.T) {
	r := mustParse(t, Parse, "Host(`a.example`) && PathPrefix(`/x`) && Method(`GET`) && !Header(`A`, `b`) && Query(`k`, `v`) && ClientIP(`192.0.2.0/24`)")
	req := ask{host: "a.example:8080", path: "/x/y", query: "a=b&k=v"}.request(t)
	req.URL.RawPath = ""
	var q Request
	got := testing.AllocsPerRun(100, func() {
		q.Reset(req)
		if !r.Match(&q) {
			t.Fatal("no match")
		}
	})
	if got != 0 {
		t.Errorf("got %v allocations, want 0", got)
	}
}

func TestRequest_ResetForgetsTheLastRequest(t *testing.T) {
	r := mustParse(t, Parse, "Query(`k`) || ClientIP(`10.0.0.1`)")
	q := NewRequest(ask{query: "k", remote: "10.0.0.1:1"}.request(t))
	if !r.Match(&q) {
		t.Fatal("the first request should match")
	}
	q.Reset(ask{remote: "10.0.0.2:1"}.request(t))
	if r.Match(&q) {
		t.Error("the second request matched by what the first one held")
	}
}

func TestQuery_AgreesWithNetURL(t *testing.T) {
	for _, raw := range []string{"", "&", "=", "a", "a=", "=a", "a=b=c", "a=1&a=2", "%61=%62", "a%=1&b=2", "a;b&c=d", "a+b=c+d"} {
		t.Run(raw, func(t *testing.T) {
			q := NewRequest(ask{query: raw}.request(t))
			got := url.Values{}
			for _, p := range q.parameters() {
				got.Add(p.key, p.value)
			}
			want, _ := url.ParseQuery(raw)
			if got.Encode() != want.Encode() {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}
