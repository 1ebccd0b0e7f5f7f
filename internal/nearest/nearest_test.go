package nearest

import "testing"

func TestName(t *testing.T) {
	options := []string{"entryPoints", "middlewares", "priority", "rule", "service", "tls"}
	tests := []struct{ name, got, want string }{
		{"one letter missing", "entrypoint", "entryPoints"},
		{"swapped letters", "rlue", "rule"},
		{"other case is the same name", "MIDDLEWARES", "middlewares"},
		{"prefix of a name", "prio", "priority"},
		{"name with a tail", "servicename", "service"},
		{"nothing close", "port", ""},
		{"empty", "", ""},
		{"very long", string(make([]byte, 5000)), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Name(tt.got, options); got != tt.want {
				t.Errorf("Name(%q) = %q, want %q", tt.got, got, tt.want)
			}
		})
	}
}

func TestTypo_IsStricterThanName(t *testing.T) {
	roots := []string{"api", "core", "entryPoints", "hostResolver", "log", "ping", "providers", "tracing"}
	for got, want := range map[string]string{
		"logg": "log", "PROVIDER": "providers", "entrypiont": "entryPoints", "pnig": "ping",
		"version": "", "tag": "", "ip": "", "home": "", "host": "", "image": "", "port": "", "": "",
	} {
		if typo := Typo(got, roots); typo != want {
			t.Errorf("Typo(%q) = %q, want %q", got, typo, want)
		}
	}
}
