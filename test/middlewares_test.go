//go:build e2e

package test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"fairway/config/dynamic"
	"fairway/internal/oneof"
)

// specimen is a middleware as labels of a container set it up, and what it does. Its
// router has its name, and the host name.test. URLs of visits are paths there.
type specimen struct {
	name    string
	options []string // what stands behind traefik.http.middlewares.NAME., the kind first
	more    []string // further labels
	service string   // default: the backend
	visits  []visit
	also    func(t *testing.T, b *browser, at string)
}

const marked = "headers.customrequestheaders.X-Mark="

// specimens has every kind of middleware, and the names that are deprecated.
var specimens = []specimen{
	{name: "addprefix", options: []string{"addprefix.prefix=/shop"}, visits: []visit{
		{url: "/a?b=c", status: 200, by: "mw", path: "/shop/a?b=c"},
	}},
	{name: "adaptiveconcurrency", options: []string{"adaptiveconcurrency.initiallimit=1", "adaptiveconcurrency.minlimit=1", "adaptiveconcurrency.maxlimit=1"}, also: checkAdaptive},
	{name: "basicauth", options: []string{"basicauth.users=bob:{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M=,ann:$2a$05$Tom2TE.uxvpquv35JrKbsexkaz6moJjScPThIocmGb7DP6cGmglOm", "basicauth.headerField=X-User", "basicauth.removeheader=true"}, visits: []visit{
		{url: "/", status: 401, shown: map[string]string{"Www-Authenticate": `Basic realm="traefik"`}},
		{url: "/", with: []string{ann, "X-User: root"}, status: 200, by: "mw", seen: map[string]string{"X-User": "ann", "Authorization": ""}},
		{url: "/", with: []string{"Authorization: Basic Ym9iOnRlc3Q="}, status: 200, by: "mw", seen: map[string]string{"X-User": "bob"}},
		{url: "/", with: []string{"Authorization: Basic Ym9iOndyb25n"}, status: 401},
	}},
	{name: "buffering", options: []string{"buffering.maxrequestbodybytes=10", "buffering.maxresponsebodybytes=5000", "buffering.retryexpression=IsNetworkError() && Attempts() <= 2"}, visits: []visit{
		{method: "POST", url: "/", body: "0123456789", status: 200, by: "mw", seen: map[string]string{"Content-Length": "10"}},
		{method: "POST", url: "/", body: "0123456789a", status: 413},
		{url: "/text", status: 500},
		{url: "/flaky?buffering&drop", status: 200, by: "mw", shown: map[string]string{"X-Try": "3"}},
	}},
	{name: "cache", options: []string{"cache.ttl.200=1h", "cache.key.ignorequery=utm_*", "cache.purge.sourcerange=127.0.0.1"}, visits: []visit{
		{url: "/a?utm_source=mail", status: 200, by: "mw", path: "/a", shown: map[string]string{"Cache-Status": "fairway; fwd=uri-miss; stored"}},
		{url: "/status/404", status: 404, shown: map[string]string{"Cache-Status": "fairway; fwd=uri-miss"}},
	}, also: checkCached},
	{name: "csrf", options: []string{"csrf.trustedorigins=https://app.test", "csrf.cookies=session"}, visits: []visit{
		{method: "POST", url: "/", with: []string{"Sec-Fetch-Site: cross-site", "Origin: https://evil.test", "Cookie: a=1; session=2"}, status: 403},
		{method: "POST", url: "/", with: []string{"Sec-Fetch-Site: cross-site", "Origin: https://app.test", "Cookie: session=2"}, status: 200, by: "mw"},
		{method: "POST", url: "/", with: []string{"Sec-Fetch-Site: cross-site", "Origin: https://evil.test"}, status: 200, by: "mw"},
		{url: "/", with: []string{"Origin: https://evil.test", "Cookie: session=2", "Connection: Upgrade", "Upgrade: websocket"}, status: 403},
	}},
	{name: "fields", options: []string{"fields.parameter=only", "fields.allow=name,path"}, visits: []visit{
		{url: "/a?only=path&x=1", status: 200, path: "/a?x=1", shown: map[string]string{"Content-Length": "17"}},
		{url: "/a?only=host", status: 400},
	}, also: func(t *testing.T, b *browser, at string) {
		a, err := b.ask("GET", at+"/a", "")
		if err != nil || a.text != `{"name":"mw","path":"/a"}` {
			t.Errorf("got %s, %v", a.text, err)
		}
	}},
	{name: "chain", options: []string{"chain.middlewares=part-one, part-two"}, more: []string{"middlewares.part-one." + marked + "one", "middlewares.part-two.addprefix.prefix=/two"}, visits: []visit{
		{url: "/a", status: 200, by: "mw", path: "/two/a", seen: map[string]string{"X-Mark": "one"}},
	}},
	{name: "circuitbreaker", options: []string{"circuitbreaker.expression=ResponseCodeRatio(500, 600, 0, 600) > 0.5", "circuitbreaker.checkperiod=10ms", "circuitbreaker.fallbackduration=1h"}, also: checkBreaker},
	{name: "compress", options: []string{"compress=true"}, visits: []visit{
		{url: "/text", status: 200, shown: map[string]string{"Content-Encoding": "", "Vary": "Accept-Encoding"}},
		{url: "/text", with: []string{"Accept-Encoding: br"}, status: 200, shown: map[string]string{"Content-Encoding": "br"}},
		{url: "/text", with: []string{"Accept-Encoding: zstd;q=1, gzip;q=0.5"}, status: 200, shown: map[string]string{"Content-Encoding": "zstd"}},
		{url: "/", with: []string{"Accept-Encoding: gzip"}, status: 200, by: "mw", shown: map[string]string{"Content-Encoding": ""}},
	}, also: checkCompressed},
	{name: "compress-some", options: []string{"compress.excludedcontenttypes=text/plain", "compress.minresponsebodybytes=10"}, visits: []visit{
		{url: "/text", with: []string{"Accept-Encoding: gzip"}, status: 200, shown: map[string]string{"Content-Encoding": ""}},
		{url: "/", with: []string{"Accept-Encoding: gzip"}, status: 200, by: "mw", shown: map[string]string{"Content-Encoding": "gzip"}},
	}},
	{name: "contenttype", options: []string{"contenttype=true"}, visits: []visit{
		{url: "/untyped", status: 200, shown: map[string]string{"Content-Type": "text/html; charset=utf-8"}},
	}},
	{name: "contenttype-old", options: []string{"contenttype.autodetect=false"}, visits: []visit{
		{url: "/untyped", status: 200, shown: map[string]string{"Content-Type": "text/html; charset=utf-8"}},
	}},
	{name: "digestauth", options: []string{"digestauth.users=ann:traefik:" + md5Of("ann:traefik:secret"), "digestauth.headerfield=X-User", "digestauth.removeheader=true"}, visits: []visit{
		{url: "/", status: 401},
		{url: "/", with: []string{ann}, status: 401},
	}, also: checkDigest},
	{name: "encodedcharacters", options: []string{"encodedcharacters.allowencodedpercent=true"}, visits: []visit{
		{url: "/a%2Fb", status: 400},
		{url: "/a%25b", status: 200, by: "mw", path: "/a%25b"},
	}},
	{name: "errors", options: []string{"errors.status=404,500-599", "errors.service=mw", "errors.query=/page/{status}.html", "errors.statusrewrites.500-501=502"}, visits: []visit{
		{url: "/status/503", status: 503, by: "mw", path: "/page/503.html"},
		{url: "/status/404", status: 404, by: "mw", path: "/page/404.html"},
		{url: "/status/500", status: 502, by: "mw", path: "/page/502.html"},
		{url: "/status/403", status: 403},
	}},
	{name: "faultinjection", options: []string{"faultinjection.header=X-Trouble", "faultinjection.abort.status=418", "faultinjection.delay.duration=1ms"}, visits: []visit{
		{url: "/", status: 200, by: "mw"},
		{url: "/", with: []string{"X-Trouble: please"}, status: 418},
	}},
	{name: "forwardauth", options: []string{"forwardauth.address=http://AUTH/auth", "forwardauth.authresponseheaders=X-User, X-Group", "forwardauth.trustforwardheader=true", "forwardauth.tls.caoptional=true"}, visits: []visit{
		{url: "/a?b", with: []string{"X-Forwarded-Host: other.test"}, status: 401, shown: map[string]string{"Www-Authenticate": "Word"}},
		{url: "/a?b", with: []string{"Authorization: Word please", "X-User: root", "X-Group: roots"}, status: 200, by: "mw", path: "/a?b", seen: map[string]string{"X-User": "ann", "X-Group": ""}},
	}, also: func(t *testing.T, b *browser, at string) {
		if a, err := b.ask("GET", at+"/a?b", "", "X-Forwarded-Host: other.test", "X-Forwarded-Uri: /other"); err != nil || a.text != "who is forwardauth.test/a?b for?\n" {
			t.Errorf("the authentication server was told %q, %v", a.text, err)
		}
	}},
	{name: "grpcweb", options: []string{"grpcweb.alloworigins=https://app.example.com"}, service: "calls", also: checkWebCall},
	{name: "headers", options: []string{
		marked + "yes", "headers.customrequestheaders.X-Gone=", "headers.customresponseheaders.X-Backend-Port=", "headers.customresponseheaders.X-Shown=yes",
		"headers.accesscontrolalloworiginlist=https://app.example.com", "headers.accesscontrolallowmethods=GET,PUT", "headers.accesscontrolmaxage=100", "headers.addvaryheader=true",
		"headers.framedeny=true", "headers.browserxssfilter=true", "headers.contenttypenosniff=true", "headers.stsseconds=10", "headers.forcestsheader=true",
		"headers.contentsecuritypolicy=default-src 'self'; img-src *", "headers.permissionspolicy=camera=()", "headers.featurepolicy=camera 'none'",
	}, visits: []visit{
		{
			url: "/", with: []string{"X-Gone: x", "X-Mark: no", "Origin: https://app.example.com"}, status: 200, by: "mw", seen: map[string]string{"X-Mark": "yes", "X-Gone": ""},
			shown: map[string]string{
				"X-Backend-Port": "", "X-Shown": "yes", "Access-Control-Allow-Origin": "https://app.example.com", "Vary": "Origin", "X-Frame-Options": "DENY", "X-Xss-Protection": "1; mode=block",
				"X-Content-Type-Options": "nosniff", "Strict-Transport-Security": "max-age=10", "Content-Security-Policy": "default-src 'self'; img-src *", "Permissions-Policy": "camera=()", "Feature-Policy": "camera 'none'",
			},
		},
		{
			method: "OPTIONS", url: "/", with: []string{"Origin: https://app.example.com", "Access-Control-Request-Method: PUT"}, status: 200,
			shown: map[string]string{"Access-Control-Allow-Origin": "https://app.example.com", "Access-Control-Allow-Methods": "GET,PUT", "Access-Control-Max-Age": "100"},
		},
		{url: "/", with: []string{"Origin: https://evil.example"}, status: 200, by: "mw", shown: map[string]string{"Access-Control-Allow-Origin": ""}},
	}},
	{name: "headers-old", options: []string{"headers.sslredirect=true", "headers.ssltemporaryredirect=true", "headers.sslhost=secure.example.com", "headers.sslforcehost=true"}, visits: []visit{
		{url: "/a?b", status: 307, shown: map[string]string{"Location": "https://secure.example.com/a?b"}},
	}},
	{name: "hedge", options: []string{"hedge.delay=50ms", "hedge.attempts=3"}, also: checkHedge},
	{name: "idempotency", options: []string{"idempotency.required=true"}, visits: []visit{
		{method: "POST", url: "/", body: "a", status: 400},
		{method: "POST", url: "/flaky?idempotency", body: "a", with: []string{"Idempotency-Key: 1"}, status: 503},
		{method: "POST", url: "/flaky?idempotency", body: "a", with: []string{"Idempotency-Key: 1"}, status: 503},
		{method: "POST", url: "/flaky?idempotency", body: "a", with: []string{"Idempotency-Key: 1"}, status: 200, by: "mw", shown: map[string]string{"X-Try": "3", "Idempotency-Replayed": ""}},
		{method: "POST", url: "/flaky?idempotency", body: "a", with: []string{"Idempotency-Key: 1"}, status: 200, by: "mw", shown: map[string]string{"X-Try": "3", "Idempotency-Replayed": "true"}},
		{method: "POST", url: "/flaky?idempotency", body: "b", with: []string{"Idempotency-Key: 1"}, status: 422},
	}},
	{name: "inflightreq", options: []string{"inflightreq.amount=1", "inflightreq.sourcecriterion.requestheadername=X-Client"}, also: checkInFlight},
	{name: "ipallowlist", options: []string{"ipallowlist.sourcerange=192.168.0.0/16, 127.0.0.1"}, visits: []visit{{url: "/", status: 200, by: "mw"}}},
	{name: "ipallowlist-others", options: []string{"ipallowlist.sourcerange=10.8.0.0/24", "ipallowlist.rejectstatuscode=404"}, visits: []visit{
		{url: "/", with: []string{"X-Forwarded-For: 10.8.0.1", "X-Real-Ip: 10.8.0.1"}, status: 404},
	}},
	{name: "ipdenylist", options: []string{"ipdenylist.sourcerange=127.0.0.0/8"}, visits: []visit{{url: "/", status: 403}}},
	{name: "ipdenylist-others", options: []string{"ipdenylist.sourcerange=10.8.0.0/24"}, visits: []visit{{url: "/", status: 200, by: "mw"}}},
	{name: "ipwhitelist", options: []string{"ipwhitelist.sourcerange=127.0.0.1/32"}, visits: []visit{{url: "/", status: 200, by: "mw"}}},
	{name: "ipwhitelist-others", options: []string{"ipwhitelist.sourcerange=10.8.0.0/24", "ipwhitelist.ipstrategy.depth=0"}, visits: []visit{{url: "/", status: 403}}},
	{name: "loadshed", options: []string{"loadshed.priority=10"}, visits: []visit{{url: "/", status: 200, by: "mw"}}},
	{name: "lua", options: []string{"lua.services=mw", `lua.script=function on_request(request)
			if request.headers:get("X-Stop") then respond(403, json.encode({path = request.path}), {["Content-Type"] = "application/json"}) end
			request.headers:set("X-By", request.client)
			local asked = call("mw", {path = "/status/404"})
			request.headers:set("X-Asked", asked.status)
		end
		function on_response(request, response) response.headers:set("X-Seen", response.status .. request.path) response.headers:remove("X-Backend-Port") end`}, visits: []visit{
		{url: "/a", status: 200, by: "mw", seen: map[string]string{"X-By": "127.0.0.1", "X-Asked": "404"}, shown: map[string]string{"X-Seen": "200/a"}},
		{url: "/a", with: []string{"X-Stop: 1"}, status: 403, shown: map[string]string{"Content-Type": "application/json"}},
	}},
	{name: "passtlsclientcert", options: []string{"passtlsclientcert.pem=true", "passtlsclientcert.info.subject.commonname=true"}, visits: []visit{
		{url: "/", with: []string{"X-Forwarded-Tls-Client-Cert: forged", "X-Forwarded-Tls-Client-Cert-Info: forged"}, status: 200, by: "mw", seen: map[string]string{"X-Forwarded-Tls-Client-Cert": "", "X-Forwarded-Tls-Client-Cert-Info": ""}},
	}},
	{name: "plan", options: []string{"plan.default=small"}, more: []string{"plans.small.ratelimit.average=1", "plans.small.ratelimit.period=1h", "plans.small.ratelimit.burst=2", "plans.small.quota.amount=10", "plans.small.quota.per=month"}, visits: []visit{
		{url: "/", status: 200, by: "mw"}, {url: "/", status: 200, by: "mw"}, {url: "/", status: 429},
	}},
	{name: "quota", options: []string{"quota.amount=2", "quota.per=month", "quota.sourcecriterion.requestpath=true"}, visits: []visit{
		{url: "/a", status: 200, by: "mw"}, {url: "/a", status: 200, by: "mw"}, {url: "/a", status: 429}, {url: "/b", status: 200, by: "mw"},
	}},
	{name: "ratelimit", options: []string{"ratelimit.average=1", "ratelimit.period=1h", "ratelimit.burst=2", "ratelimit.sourcecriterion.requesthost=true"}, visits: []visit{
		{url: "/", status: 200, by: "mw"}, {url: "/", status: 200, by: "mw"}, {url: "/", status: 429},
	}},
	{name: "redirectregex", options: []string{"redirectregex.regex=^http://redirectregex.test/(.*)", "redirectregex.replacement=https://new.example.com/${1}", "redirectregex.permanent=true"}, visits: []visit{
		{url: "/a?b", status: 301, shown: map[string]string{"Location": "https://new.example.com/a?b"}},
		{method: "POST", url: "/a", body: "x", status: 308, shown: map[string]string{"Location": "https://new.example.com/a"}},
	}},
	{name: "redirectscheme", options: []string{"redirectscheme.scheme=https", "redirectscheme.port=8443"}, visits: []visit{
		{url: "/a?b", status: 302, shown: map[string]string{"Location": "https://redirectscheme.test:8443/a?b"}},
	}},
	{name: "replacepath", options: []string{"replacepath.path=/one"}, visits: []visit{
		{url: "/a?b", status: 200, by: "mw", path: "/one?b", seen: map[string]string{"X-Replaced-Path": "/a"}},
	}},
	{name: "replacepathregex", options: []string{"replacepathregex.regex=^/shop/(.*)/(.*)", "replacepathregex.replacement=/$2/$1"}, visits: []visit{
		{url: "/shop/a/b?c", status: 200, by: "mw", path: "/b/a?c", seen: map[string]string{"X-Replaced-Path": "/shop/a/b"}},
		{url: "/a", status: 200, by: "mw", path: "/a"},
	}},
	{name: "requestid", options: []string{"requestid=true"}, visits: []visit{
		{url: "/", with: []string{"X-Request-Id: order-17"}, status: 200, by: "mw", seen: map[string]string{"X-Request-Id": "order-17"}, shown: map[string]string{"X-Request-Id": "order-17"}},
	}, also: func(t *testing.T, b *browser, at string) {
		a, err := b.ask("GET", at, "")
		if id := a.header.Get("X-Request-Id"); err != nil || len(id) != 36 || id != a.Headers.Get("X-Request-Id") {
			t.Errorf("the client sees %q, the service %q, %v", id, a.Headers.Get("X-Request-Id"), err)
		}
	}},
	{name: "retry", options: []string{"retry.attempts=3", "retry.initialinterval=1ms", "retry.status=503"}, visits: []visit{
		{url: "/flaky?retry", status: 200, by: "mw", shown: map[string]string{"X-Try": "3"}},
		{url: "/flaky?retry&drop", status: 200, by: "mw", shown: map[string]string{"X-Try": "3"}},
		{method: "PUT", url: "/flaky?retry&put", body: "x", status: 200, by: "mw", seen: map[string]string{"Content-Length": "1"}, shown: map[string]string{"X-Try": "3"}},
		{method: "POST", url: "/flaky?retry&post", body: "x", status: 503, shown: map[string]string{"X-Try": "1"}},
	}},
	{name: "retry-less", options: []string{"retry.attempts=2"}, visits: []visit{
		{url: "/flaky?less", status: 503, shown: map[string]string{"X-Try": "1"}},
		{method: "POST", url: "/flaky?less&drop", body: "x", status: 502},
	}},
	{name: "stripprefix", options: []string{"stripprefix.prefixes=/api,/v1", "stripprefix.forceslash=false"}, visits: []visit{
		{url: "/api/a?b", status: 200, by: "mw", path: "/a?b", seen: map[string]string{"X-Forwarded-Prefix": "/api"}},
		{url: "/v1", status: 200, by: "mw", path: "/", seen: map[string]string{"X-Forwarded-Prefix": "/v1"}},
		{url: "/api../status/200", status: 400},
	}},
	{name: "stripprefixregex", options: []string{"stripprefixregex.regex=/v[0-9]+"}, visits: []visit{
		{url: "/v17/a", status: 200, by: "mw", path: "/a", seen: map[string]string{"X-Forwarded-Prefix": "/v17"}},
		{url: "/vx/a", status: 200, by: "mw", path: "/vx/a", seen: map[string]string{"X-Forwarded-Prefix": ""}},
	}},
	{name: "timeouts", options: []string{"timeouts.firstbyte=100ms", "timeouts.total=1m", "timeouts.connect=1s"}, visits: []visit{
		{url: "/", status: 200, by: "mw"},
	}, also: checkTimeouts},
	{name: "validate", options: []string{`validate.request.schema={"type": "object", "required": ["name"], "properties": {"name": {"type": "string", "maxLength": 3}}}`, `validate.response.schema={"required": ["path"]}`}, also: func(t *testing.T, b *browser, at string) {
		const json = "Content-Type: application/json"
		for body, want := range map[string]int{`{"name": "ann"}`: 200, `{"name": "anna"}`: 422, `[]`: 422, `{`: 422} {
			a, err := b.ask("POST", at, body, json)
			if err != nil || a.status != want {
				t.Errorf("%s: got %d %s, %v", body, a.status, a.text, err)
			}
			if want == 422 && (!strings.Contains(a.text, `"errors":[{`) || a.header.Get("Content-Type") != "application/problem+json") {
				t.Errorf("%s: got %s", body, a.text)
			}
		}
	}},
	{name: "wasm", options: []string{"wasm.module=AGFzbQEAAAABPAtgAX8Bf2AFf39/f38AYAF/AGADf39/AGADf39/AX5gA39/fwBgAn9/AGADf39/AGAAAX5gAn9/AGAAAALZAQgMaHR0cF9oYW5kbGVyD2VuYWJsZV9mZWF0dXJlcwAADGh0dHBfaGFuZGxlchBzZXRfaGVhZGVyX3ZhbHVlAAEMaHR0cF9oYW5kbGVyD3NldF9zdGF0dXNfY29kZQACDGh0dHBfaGFuZGxlcgp3cml0ZV9ib2R5AAMMaHR0cF9oYW5kbGVyCXJlYWRfYm9keQAEDGh0dHBfaGFuZGxlcgNsb2cABQxodHRwX2hhbmRsZXIHc2V0X3VyaQAGDGh0dHBfaGFuZGxlcg1yZW1vdmVfaGVhZGVyAAcDAwIICQUDAQABBy0DBm1lbW9yeQIADmhhbmRsZV9yZXF1ZXN0AAgPaGFuZGxlX3Jlc3BvbnNlAAkKFQIQAEEAQQBBCEEIQQUQAUIBCwIACwsTAQBBAAsNWC1QbHVnaW5oZWxsbw=="}, visits: []visit{
		{url: "/", with: []string{"X-Plugin: forged"}, status: 200, by: "mw", seen: map[string]string{"X-Plugin": "hello"}},
	}},
	{name: "validate-openapi", options: []string{
		`validate.openapi.document={"openapi": "3.0.0", "paths": {"/a": {"get": {"parameters": [{"name": "n", "in": "query", "schema": {"type": "integer"}}], "responses": {"200": {"description": "a"}}}}}}`,
	}, visits: []visit{
		{url: "/a?n=1", status: 200, by: "mw", path: "/a?n=1"},
		{url: "/a?n=x", status: 400, shown: map[string]string{"Content-Type": "application/problem+json"}},
		{method: "POST", url: "/a", status: 405, shown: map[string]string{"Allow": "GET"}},
		{url: "/b", status: 404},
	}},
	{name: "validate-discovered", options: []string{"validate.openapi.url=/openapi.json"}, also: func(t *testing.T, b *browser, at string) {
		await(t, "the document of the service", func() bool {
			a, err := b.ask("GET", at+"/b", "")
			return err == nil && a.status == http.StatusNotFound
		})
		for path, want := range map[string]int{"/a?n=1": 200, "/a?n=x": 400} {
			if a, err := b.ask("GET", at+path, ""); err != nil || a.status != want {
				t.Errorf("%s: got %d %s, %v", path, a.status, a.text, err)
			}
		}
	}},
	{
		name: "transform", options: []string{
			"transform.request.path=/v2/{query.id|none}", "transform.request.query.remove=id", "transform.request.headers.set.X-From={method} {host}",
			"transform.request.body={name: .n, by: $request.method}", "transform.response.body={path, body: (.body | fromjson), from: .headers[\"X-From\"][0]}", "transform.response.headers.set.X-Shape=small",
		}, visits: []visit{
			{method: "POST", url: "/a?id=7&x=1", body: `{"n": 12345678901234567890}`, status: 200, shown: map[string]string{"X-Shape": "small", "Content-Type": "application/json"}},
			{method: "POST", url: "/a", body: "{", status: 400},
		}, also: func(t *testing.T, b *browser, at string) {
			a, err := b.ask("POST", at+"/a?id=7%2F8&x=1", `{"n": 12345678901234567890}`)
			if want := `{"body":{"by":"POST","name":12345678901234567890},"from":"POST transform.test","path":"/v2/7%2F8?x=1"}`; err != nil || a.text != want {
				t.Errorf("got %s, %v", a.text, err)
			}
		},
	},
}

func md5Of(text string) string {
	sum := md5.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

// Whoever adds a middleware sees it on a real container, too.
func TestMiddlewares_AllOfTheCatalogAreHere(t *testing.T) {
	here := map[string]bool{}
	for _, s := range slices.Concat(specimens, entries) {
		kind, _, _ := strings.Cut(s.options[0], ".")
		kind, _, _ = strings.Cut(kind, "=")
		here[kind] = true
	}
	for f := range reflect.TypeFor[dynamic.Middleware]().Fields() {
		kind := oneof.Key(f)
		if !here[strings.ToLower(kind)] {
			t.Errorf("the middleware %s has no row in specimens", kind)
		}
		delete(here, strings.ToLower(kind))
	}
	for kind := range here {
		t.Errorf("there is no middleware %s", kind)
	}
}

func TestMiddlewares_ByLabels(t *testing.T) {
	e := needDocker(t)
	if err := standinImage(); err != nil {
		t.Fatal(err)
	}
	f := dockerFairway(t, e)
	e.container(t, "mw-auth")
	auth := e.do(t, "inspect", "-f", "{{.NetworkSettings.IPAddress}}", "mw-auth")
	calls := e.do(t, "run", "-d", "-e", "STANDIN_SERVES=grpc:9000", "-l", "traefik.http.services.calls.loadbalancer.server.port=9000", "-l", "traefik.http.services.calls.loadbalancer.server.scheme=h2c", "standin")
	t.Cleanup(func() { _, _ = e.docker("rm", "-f", calls) })
	options := []string{"-l", "traefik.http.services.mw.loadbalancer.server.port=80"}
	set := func(label string) {
		options = append(options, "-l", "traefik.http."+strings.Replace(label, "AUTH", auth, 1))
	}
	for _, s := range slices.Concat(specimens, entries) {
		if s.service == "" {
			s.service = "mw"
		}
		set("routers." + s.name + ".rule=Host(`" + s.name + ".test`)")
		set("routers." + s.name + ".middlewares=" + s.name)
		set("routers." + s.name + ".service=" + s.service)
		for _, option := range s.options {
			set("middlewares." + s.name + "." + option)
		}
		for _, label := range s.more {
			set(label)
		}
	}
	set("routers.none.rule=Host(`none.test`)")
	set("routers.none.service=mw")
	e.container(t, "mw", options...)
	f.awaitStatus("none.test", 200)
	b := newBrowser(t)
	b.ports["80"] = f.address("web")
	for _, s := range slices.Concat(specimens, entries) {
		at := "http://" + s.name + ".test"
		for _, v := range s.visits {
			v.url = at + v.url
			t.Run(fmt.Sprint(s.name, " ", v.method, " ", v.url, " ", v.status), func(t *testing.T) { b.visit(t, v) })
		}
		if s.also != nil {
			t.Run(s.name, func(t *testing.T) { s.also(t, b, at) })
		}
	}
	var problems []problem
	f.api("/api/problems", &problems)
	for _, p := range problems {
		if p.Severity != "notice" || !strings.Contains(p.Reason, "deprecated") {
			t.Errorf("a problem: %+v", p)
		}
	}
}

// checkBreaker lets the service fail, and sees it left alone from then on.
func checkBreaker(t *testing.T, b *browser, at string) {
	b.visit(t, visit{url: at, status: 200, by: "mw"})
	await(t, "the circuit to open", func() bool {
		a, err := b.ask("GET", at+"/status/500", "")
		return err == nil && a.status == 503
	})
	b.visit(t, visit{url: at, status: 503})
}

// checkCached gets a stored response, has it removed, and gets another one.
func checkCached(t *testing.T, b *browser, at string) {
	told := func(method string) string {
		a, err := b.ask(method, at+"/a", "")
		if err != nil || a.status != 200 {
			t.Fatalf("%s: got %d, %v", method, a.status, err)
		}
		return a.header.Get("Cache-Status")
	}
	if got := told("GET"); !strings.HasPrefix(got, "fairway; hit; ttl=") {
		t.Errorf("got %q, want a hit", got)
	}
	told("PURGE")
	if got := told("GET"); got != "fairway; fwd=uri-miss; stored" {
		t.Errorf("after the purge: got %q", got)
	}
}

// checkCompressed sees that what was compressed is the same when it is unpacked.
func checkCompressed(t *testing.T, b *browser, at string) {
	plain, err := b.ask("GET", at+"/text", "")
	if err != nil {
		t.Fatal(err)
	}
	packed, err := b.ask("GET", at+"/text", "", "Accept-Encoding: gzip, deflate, br, zstd")
	if err != nil || packed.header.Get("Content-Encoding") != "gzip" || packed.text != plain.text || len(plain.text) != 9000 {
		t.Errorf("got %d and %d bytes, %v, %v", len(packed.text), len(plain.text), packed.header, err)
	}
}

// checkDigest signs a request by RFC 7616, section 3.4.1, with the hashes that
// htdigest makes.
func checkDigest(t *testing.T, b *browser, at string) {
	refused, err := b.ask("GET", at+"/a?b", "")
	if err != nil {
		t.Fatal(err)
	}
	challenges := refused.header.Values("Www-Authenticate")
	nonce := regexp.MustCompile(`nonce="([^"]*)"`).FindStringSubmatch(strings.Join(challenges, " "))
	if nonce == nil {
		t.Fatalf("got %q", challenges)
	}
	opaque := regexp.MustCompile(`opaque="[^"]*"`).FindString(strings.Join(challenges, " "))
	sign := func(secret, uri string) string {
		response := md5Of(strings.Join([]string{md5Of("ann:traefik:" + secret), nonce[1], "00000001", "c", "auth", md5Of("GET:" + uri)}, ":"))
		return fmt.Sprintf(`Authorization: Digest username="ann", realm="traefik", nonce=%q, uri=%q, algorithm=MD5, qop=auth, nc=00000001, cnonce="c", response=%q, %s`, nonce[1], uri, response, opaque)
	}
	b.visit(t, visit{url: at + "/a?b", with: []string{sign("wrong", "/a?b")}, status: 401})
	b.visit(t, visit{url: at + "/a?b", with: []string{sign("secret", "/other")}, status: 401})
	b.visit(t, visit{url: at + "/a?b", with: []string{sign("secret", "/a?b")}, status: 200, by: "mw", seen: map[string]string{"X-User": "ann", "Authorization": ""}})
}

// checkWebCall makes a call as a script in a browser does.
func checkWebCall(t *testing.T, b *browser, at string) {
	message := "\x00\x00\x00\x00\x04\n\x02hi" // a frame with a BytesValue
	a, err := b.ask("POST", at+"/test.Echo/Say", message, "Content-Type: application/grpc-web+proto", "X-Grpc-Web: 1", "Origin: https://app.example.com")
	if err != nil || a.status != 200 || a.header.Get("Content-Type") != "application/grpc-web+proto" || a.header.Get("Access-Control-Allow-Origin") != "https://app.example.com" {
		t.Fatalf("got %d %v, %v", a.status, a.header, err)
	}
	trailers, found := strings.CutPrefix(a.text, message)
	if !found || !strings.HasPrefix(trailers, "\x80") || !bytes.Contains(bytes.ToLower([]byte(trailers)), []byte("grpc-status:")) {
		t.Errorf("got %q", a.text)
	}
	b.visit(t, visit{
		method: "OPTIONS", url: at + "/test.Echo/Say", with: []string{"Origin: https://app.example.com", "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: content-type,x-grpc-web"}, status: 204,
		shown: map[string]string{"Access-Control-Allow-Origin": "https://app.example.com"},
	})
}

// checkInFlight has one request under way while it asks again.
func checkInFlight(t *testing.T, b *browser, at string) { checkHeld(t, b, at, 429) }

func checkAdaptive(t *testing.T, b *browser, at string) { checkHeld(t, b, at, 503) }

// checkHedge has the first attempt take longer than anybody waits.
func checkHedge(t *testing.T, b *browser, at string) {
	b.visit(t, visit{url: at + "/slow?d=1h&once=" + t.Name(), status: 200, by: "mw", shown: map[string]string{"X-Try": "2"}})
}

// checkTimeouts sees a server left that does not begin to answer.
func checkTimeouts(t *testing.T, b *browser, at string) {
	b.visit(t, visit{url: at + "/slow?d=1h&once=" + t.Name(), status: 504})
	b.visit(t, visit{url: at + "/slow?d=1h&once=" + t.Name(), status: 200, by: "mw", shown: map[string]string{"X-Try": "2"}})
}

// checkHeld has one request under way, and sees a second one refused.
func checkHeld(t *testing.T, b *browser, at string, refused int) {
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Client", "a")
	res, err := b.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if line, err := bufio.NewReader(res.Body).ReadString('\n'); err != nil || line != "data: first\n" {
		t.Fatalf("got %q, %v", line, err)
	}
	b.visit(t, visit{url: at, with: []string{"X-Client: a"}, status: refused})
	if refused == 429 { // which are counted by client
		b.visit(t, visit{url: at, with: []string{"X-Client: b"}, status: 200, by: "mw"})
	}
	leave()
	await(t, "the place to be free again", func() bool {
		a, err := b.ask("GET", at, "", "X-Client: a")
		return err == nil && a.status == 200
	})
}
