package httpcache

import "testing"

func TestStorable_WhatIsForOneClientOrOneConnectionIsNot(t *testing.T) {
	for name, want := range map[string]bool{
		"Etag": true, "cache-control": true, "X-Request-Cost": true, "Set-Cookie": true, // about that others decide
		"connection": false, "Transfer-Encoding": false, "Age": false, "Trailer:X": false, "RateLimit": false, "RateLimit-Policy": false, "X-RateLimit-Remaining": false,
	} {
		if got := Storable(name); got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}
