package useragent

import (
	"net/http"
	"testing"
)

func TestClass(t *testing.T) {
	for agent, want := range map[string]string{
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1":   Mobile,
		"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36":                           Mobile,
		"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36":                                  Tablet,
		"Mozilla/5.0 (iPad; CPU OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Mobile/15E148 Safari/604.1":            Tablet,
		"Mozilla/5.0 (Android 15; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0":                                                                      Mobile,
		"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0":                                                                    Desktop,
		"Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; Googlebot/2.1; +http://www.google.com/bot.html) Chrome/140.0 Safari/537.36": Bot,
		"curl/8.5.0": Other,
		"":           Other,
	} {
		if got := Class(http.Header{"User-Agent": {agent}}); got != want {
			t.Errorf("%s: got %s, want %s", agent, got, want)
		}
	}
	if got := Class(http.Header{"User-Agent": {"Mozilla/5.0 (X11)"}, "Sec-Ch-Ua-Mobile": {"?1"}}); got != Mobile {
		t.Errorf("by its hint: got %s", got)
	}
}
