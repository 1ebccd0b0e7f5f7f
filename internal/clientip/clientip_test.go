package clientip

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"fairway/internal/record"
)

func TestResolver_FindsTheClient(t *testing.T) {
	tests := map[string]struct {
		strategy  *Strategy
		forwarded []string
		remote    string
		want      string
	}{
		"no strategy is the peer":               {nil, []string{"1.1.1.1"}, "10.0.0.9:1234", "10.0.0.9"},
		"empty strategy is the peer":            {&Strategy{}, []string{"1.1.1.1"}, "10.0.0.9:1234", "10.0.0.9"},
		"peer over IPv6":                        {nil, nil, "[2001:db8::1]:80", "2001:db8::1"},
		"peer with a zone":                      {nil, nil, "[fe80::1%eth0]:80", "fe80::1"},
		"peer mapped into IPv6":                 {nil, nil, "[::ffff:10.0.0.9]:80", "10.0.0.9"},
		"peer unknown":                          {nil, nil, "@", ""},
		"depth 1 is the last entry":             {&Strategy{Depth: 1}, []string{"1.1.1.1, 2.2.2.2,3.3.3.3"}, "", "3.3.3.3"},
		"depth 3 is the third from the right":   {&Strategy{Depth: 3}, []string{"1.1.1.1, 2.2.2.2,3.3.3.3"}, "", "1.1.1.1"},
		"depth beyond the list":                 {&Strategy{Depth: 4}, []string{"1.1.1.1, 2.2.2.2,3.3.3.3"}, "10.0.0.9:1", ""},
		"depth without the header":              {&Strategy{Depth: 1}, nil, "10.0.0.9:1", ""},
		"depth over two header lines":           {&Strategy{Depth: 2}, []string{"9.9.9.9", "2.2.2.2,3.3.3.3"}, "", "2.2.2.2"},
		"depth at no address":                   {&Strategy{Depth: 1}, []string{"1.1.1.1, unknown"}, "", ""},
		"depth at an empty entry":               {&Strategy{Depth: 1}, []string{"1.1.1.1,"}, "", ""},
		"depth at an address with port":         {&Strategy{Depth: 1}, []string{"1.1.1.1:4711"}, "", "1.1.1.1"},
		"depth at IPv6 with port":               {&Strategy{Depth: 1}, []string{"[2001:db8::1]:4711"}, "", "2001:db8::1"},
		"depth at IPv6 in brackets":             {&Strategy{Depth: 1}, []string{"[2001:db8::1]"}, "", "2001:db8::1"},
		"depth wins over excluded":              {&Strategy{Depth: 2, ExcludedIPs: []string{"1.1.1.1"}}, []string{"1.1.1.1,2.2.2.2"}, "", "1.1.1.1"},
		"excluded proxies are skipped":          {&Strategy{ExcludedIPs: []string{"10.0.0.0/8", "3.3.3.3"}}, []string{"1.1.1.1,2.2.2.2,10.1.2.3,3.3.3.3"}, "", "2.2.2.2"},
		"excluded without any other":            {&Strategy{ExcludedIPs: []string{"10.0.0.0/8"}}, []string{"10.1.2.3"}, "", ""},
		"excluded stops at what is no address":  {&Strategy{ExcludedIPs: []string{"10.0.0.0/8"}}, []string{"1.1.1.1,junk,10.1.2.3"}, "", ""},
		"excluded compares mapped addresses":    {&Strategy{ExcludedIPs: []string{"10.0.0.0/8"}}, []string{"1.1.1.1,::ffff:10.1.2.3"}, "", "1.1.1.1"},
		"subnet cuts IPv6":                      {&Strategy{Depth: 1, IPv6Subnet: 64}, []string{"2001:db8:1:2:3:4:5:6"}, "", "2001:db8:1:2::"},
		"subnet cuts the peer too":              {&Strategy{IPv6Subnet: 56}, nil, "[2001:db8:1:2ff:3:4:5:6]:9", "2001:db8:1:200::"},
		"subnet leaves IPv4":                    {&Strategy{Depth: 1, IPv6Subnet: 64}, []string{"1.2.3.4"}, "", "1.2.3.4"},
		"subnet of no address is no address":    {&Strategy{Depth: 1, IPv6Subnet: 64}, nil, "", ""},
		"full subnet keeps the address":         {&Strategy{Depth: 1, IPv6Subnet: 128}, []string{"2001:db8::5"}, "", "2001:db8::5"},
		"excluded with a subnet cuts the found": {&Strategy{ExcludedIPs: []string{"::1"}, IPv6Subnet: 32}, []string{"2001:db8:9::5,::1"}, "", "2001:db8::"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			find, err := tt.strategy.Resolver()
			if err != nil {
				t.Fatal(err)
			}
			r := &http.Request{Header: http.Header{forwardedFor: tt.forwarded}, RemoteAddr: tt.remote}
			want := netip.Addr{}
			if tt.want != "" {
				want = netip.MustParseAddr(tt.want)
			}
			if got := find(r); got != want {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

func TestPeer_PrefersTheRecord(t *testing.T) {
	rec := &record.Record{ClientIP: netip.MustParseAddr("::ffff:192.0.2.7")}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r = r.WithContext(record.With(r.Context(), rec))
	if got := Peer(r).String(); got != "192.0.2.7" {
		t.Errorf("got %s, want 192.0.2.7", got)
	}
}

func TestResolver_NamesTheFaultyOption(t *testing.T) {
	tests := map[string]*Strategy{
		"depth":       {Depth: -1},
		"ipv6Subnet":  {IPv6Subnet: 129},
		"excludedIPs": {ExcludedIPs: []string{"10.0.0.0/33"}},
	}
	for option, strategy := range tests {
		t.Run(option, func(t *testing.T) {
			_, err := strategy.Resolver()
			if err == nil || !strings.Contains(err.Error(), option) {
				t.Errorf("got %v, want an error about %s", err, option)
			}
		})
	}
}

func TestRanges(t *testing.T) {
	ranges, err := ParseRanges([]string{"10.0.0.1/8", "192.0.2.1", "::ffff:198.51.100.0/120", " 2001:db8::/32 ", "::ffff:203.0.113.9"})
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]bool{
		"10.255.0.1": true, "11.0.0.1": false, "192.0.2.1": true, "192.0.2.2": false, "198.51.100.77": true,
		"2001:db8:ffff::1": true, "2001:db9::": false, "203.0.113.9": true, "::ffff:10.0.0.1": true, "fe80::1": false,
	} {
		if got := ranges.Contains(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: got %v, want %v", addr, got, want)
		}
	}
	all, err := ParseRanges([]string{"0.0.0.0/0", "::/0"})
	if err != nil {
		t.Fatal(err)
	}
	if all.Contains(netip.Addr{}) {
		t.Error("the invalid address is in a range")
	}
}

func FuzzForwardedFor(f *testing.F) {
	for _, s := range []string{"", ",", "1.1.1.1, 2.2.2.2", "[::1]:80,fe80::1%x", "::ffff:1.2.3.4", "a,b,,[", "1.2.3.4:99999"} {
		f.Add(s, "10.0.0.1", 1)
	}
	f.Fuzz(func(t *testing.T, first, second string, depth int) {
		h := http.Header{forwardedFor: {first, second}}
		entries := strings.Split(first+","+second, ",")
		got, want := atDepth(h, depth), netip.Addr{}
		if depth > 0 && depth <= len(entries) {
			want = parse(entries[len(entries)-depth])
		}
		if got != want {
			t.Fatalf("depth %d of %q: got %v, want %v", depth, entries, got, want)
		}
		if got.Is4In6() || got.Zone() != "" {
			t.Fatalf("%v is not plain", got)
		}
		excluded := Ranges{netip.MustParsePrefix("10.0.0.0/8")}
		if addr := firstNotIn(h, excluded); excluded.Contains(addr) {
			t.Fatalf("%v is excluded", addr)
		}
	})
}
