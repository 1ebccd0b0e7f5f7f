package lambda

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"fairway/internal/identity"
	"fairway/internal/record"
)

// recorded is an event as AWS has sent it, or as its documentation has it.
type recorded map[string]any

// recordings are the events that the module for functions in Go is tested with.
func recordings(t *testing.T, name string) recorded {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-lambda-go").Output()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "events", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var e recorded
	if err := json.Unmarshal(text, &e); err != nil {
		t.Fatal(err)
	}
	return e
}

// at is a member of a member.
func (e recorded) at(path string) any {
	var v any = map[string]any(e)
	for name := range strings.SplitSeq(path, ".") {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return v
}

func (e recorded) text(path string) string {
	text, _ := e.at(path).(string)
	return text
}

func (e recorded) texts(path string) map[string]string {
	m, ok := e.at(path).(map[string]any)
	if !ok {
		return nil
	}
	all := map[string]string{}
	for name, v := range m {
		all[name] = v.(string)
	}
	return all
}

// api is that of the recording.
func (e recorded) api() *API {
	return &API{AccountID: e.text("requestContext.accountId"), ID: e.text("requestContext.apiId"), Stage: e.text("requestContext.stage"), Variables: e.texts("stageVariables")}
}

// request is the one that the event was made of.
func (e recorded) request(t *testing.T, method, uri, host, peer string, who *identity.Identity) *Request {
	t.Helper()
	u, err := url.ParseRequestURI(uri)
	if err != nil {
		t.Fatal(err)
	}
	r := &http.Request{Method: method, URL: u, Host: host, Proto: "HTTP/1.1", Header: http.Header{}}
	for name, value := range e.texts("headers") {
		r.Header.Set(name, value)
	}
	r.Header.Del("Host")
	r.Header.Del("X-Forwarded-For") // has the client, whom the gateway adds
	if list, ok := e["cookies"].([]any); ok {
		for _, cookie := range list {
			r.Header.Add("Cookie", cookie.(string))
		}
	}
	rec := &record.Record{Peer: peer, RequestID: e.text("requestContext.requestId"), Identity: who}
	q := &Request{Request: r.WithContext(record.With(t.Context(), rec)), Path: e.texts("pathParameters"), Body: []byte(e.text("body"))}
	epoch, _ := e.at("requestContext.timeEpoch").(float64)
	if old, ok := e.at("requestContext.requestTimeEpoch").(float64); ok {
		epoch = old
	}
	q.At = time.UnixMilli(int64(epoch))
	return q
}

// fields are the members of a value, by their paths.
func fields(v any, at string, into map[string]string) {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			fields(inner, at+"."+name, into)
		}
		if len(v) == 0 {
			into[at] = "{}"
		}
	case []any:
		for i, inner := range v {
			fields(inner, fmt.Sprintf("%s[%d]", at, i), into)
		}
	default:
		text, _ := json.Marshal(v)
		into[at] = string(text)
	}
}

// compare compares all fields but those that differ for a reason, which end so.
func compare(t *testing.T, want recorded, got []byte, but map[string]string) {
	t.Helper()
	var e any
	if err := json.Unmarshal(got, &e); err != nil {
		t.Fatal(err)
	}
	w, g := map[string]string{}, map[string]string{}
	fields(map[string]any(want), "", w)
	fields(e, "", g)
	for _, all := range []map[string]string{w, g} {
		maps.DeleteFunc(all, func(name, _ string) bool {
			return slices.ContainsFunc(slices.Collect(maps.Keys(but)), func(path string) bool {
				return name == path || strings.HasPrefix(name, path+".") || strings.HasPrefix(name, path+"[")
			})
		})
	}
	if diff := cmp.Diff(w, g); diff != "" {
		t.Errorf("-recorded +made:\n%s", diff)
	}
}

// lower has the names of headers as version 2.0 has them.
func lower(e recorded) {
	h := map[string]any{}
	for name, v := range e["headers"].(map[string]any) {
		h[strings.ToLower(name)] = v
	}
	e["headers"] = h
}

var placeholders = map[string]string{
	".requestContext.authentication": "the certificate is a placeholder; see TestClientCert",
	".requestContext.time":           "is of another time than timeEpoch",
	".headers.host":                  "is missing",
	".headers.x-forwarded-for":       "is missing",
	".headers.user-agent":            "is missing",
	".headers.content-length":        "is missing",
	".requestContext.http.userAgent": "has no header",
}

func TestV2_IsAsRecorded(t *testing.T) {
	for name, tt := range map[string]struct {
		who *identity.Identity
		but map[string]string
	}{
		"apigw-v2-request-no-authorizer.json": {nil, map[string]string{
			".requestContext.authentication": "the certificate is a placeholder; see TestClientCert", ".headers.content-length": "of no body there is none",
		}},
		"apigw-v2-request-jwt-authorizer.json": {
			&identity.Identity{Method: "jwt", Claims: map[string]any{"claim1": "value1", "claim2": "value2", "scope": "scope1 scope2"}},
			with(placeholders, ".requestContext.authorizer.jwt.claims.scope", "the scopes are in a claim here"),
		},
		"apigw-v2-request-lambda-authorizer.json": {&identity.Identity{Method: Method, Claims: map[string]any{"key": "value"}}, placeholders},
	} {
		t.Run(name, func(t *testing.T) {
			e := recordings(t, name)
			lower(e)
			uri := e.text("rawPath")
			if query := e.text("rawQueryString"); query != "" {
				uri += "?" + query
			}
			r := e.request(t, e.text("requestContext.http.method"), uri, e.text("requestContext.domainName"), e.text("requestContext.http.sourceIp"), tt.who)
			got, err := e.api().V2(r).JSON()
			if err != nil {
				t.Fatal(err)
			}
			compare(t, e, got, tt.but)
			var typed events.APIGatewayV2HTTPRequest
			strict := json.NewDecoder(bytes.NewReader(got))
			strict.DisallowUnknownFields()
			if err := strict.Decode(&typed); err != nil {
				t.Errorf("it is none of the module's: %v", err)
			}
		})
	}
}

func with(all map[string]string, path, reason string) map[string]string {
	more := maps.Clone(all)
	more[path] = reason
	return more
}

// canonical has the names of headers as they come over HTTP/1.1 here.
func canonical(e recorded) {
	for _, of := range []string{"headers", "multiValueHeaders"} {
		h := map[string]any{}
		all, _ := e[of].(map[string]any)
		for name, v := range all {
			h[http.CanonicalHeaderKey(name)] = v
		}
		e[of] = h
	}
}

func TestV1_IsAsRecorded(t *testing.T) {
	e := recordings(t, "apigw-request.json")
	canonical(e)
	who := &identity.Identity{Method: Method, Subject: "admin", Claims: map[string]any{"clientId": 1, "clientName": "Exata"}}
	peer := "192.168.196.186"
	r := e.request(t, e.text("httpMethod"), e.text("path")+"?name=me", e.text("headers.Host"), peer, who)
	r.Header.Set("X-Forwarded-For", "54.240.196.186")
	r.Resource = e.text("resource")
	but := map[string]string{
		".version": "is there with an HTTP API", ".isBase64Encoded": "is left out", ".headers.Content-Length": "is left out", ".multiValueHeaders.Content-Length": "is left out",
		".headers.X-Forwarded-For": "has a way through CloudFront", ".multiValueHeaders.X-Forwarded-For": "the same",
		".requestContext.domainName": "is of another region than the host", ".requestContext.domainPrefix": "is that of another host",
		".requestContext.resourceId": "of AWS", ".requestContext.extendedRequestId": "of AWS", ".requestContext.identity.clientCert": "a placeholder; see TestClientCert",
		".requestContext.identity.principalOrgId": "is left out",
	}
	for _, name := range []string{
		"accessKey", "accountId", "apiKey", "apiKeyId", "caller", "cognitoAuthenticationProvider", "cognitoAuthenticationType", "cognitoIdentityId", "cognitoIdentityPoolId", "user", "userArn",
	} {
		e.at("requestContext.identity").(map[string]any)[name] = nil // only AWS knows
	}
	got, err := e.api().V1(r).JSON()
	if err != nil {
		t.Fatal(err)
	}
	compare(t, e, got, but)
}

func TestQuestions_AreAsRecorded(t *testing.T) {
	const account = "123456789012"
	t.Run("2.0", func(t *testing.T) {
		e := recordings(t, "apigw-v2-custom-authorizer-v2-request.json")
		lower(e)
		r := e.request(t, "POST", e.text("rawPath")+"?"+e.text("rawQueryString"), e.text("requestContext.domainName"), "IP", nil)
		got, err := e.api().AskV2(r, []string{"user1", "123"})
		if err != nil {
			t.Fatal(err)
		}
		compare(t, e, got, with(placeholders, ".routeArn", "is that of another request"))
	})
	for name, version := range map[string]string{"apigw-custom-auth-request-type-request.json": "REST", "apigw-v2-custom-authorizer-v1-request.json": "HTTP"} {
		t.Run(version, func(t *testing.T) {
			e := recordings(t, name)
			canonical(e)
			api := e.api()
			api.Region = "us-east-1"
			r := e.request(t, "GET", "/request?QueryString1=queryValue1", e.text("headers.Host"), "...", nil)
			r.Resource = e.text("resource")
			var sources []string
			if version == "HTTP" {
				sources = []string{"user1", "123"}
			}
			got, err := api.AskV1(r, sources)
			if err != nil {
				t.Fatal(err)
			}
			but := map[string]string{".headers.Host": "", ".headers.X-Forwarded-For": "", ".multiValueHeaders": "", ".multiValueQueryStringParameters": "", ".requestContext.identity": "placeholders", ".requestContext.resourceId": "of AWS"}
			for _, more := range []string{"domainName", "domainPrefix", "extendedRequestId", "protocol", "requestTime", "requestTimeEpoch"} {
				but[".requestContext."+more] = "is left out"
			}
			if version == "REST" {
				but[".version"] = "is there with an HTTP API"
			}
			compare(t, e, got, but)
		})
	}
	t.Run("token", func(t *testing.T) {
		e := recordings(t, "apigw-custom-auth-request.json")
		r := e.request(t, "GET", "/", "a", "b", nil)
		got, err := (&API{AccountID: account, ID: "ymy8tbxw7b", Region: "us-west-2", Stage: "*"}).AskToken(r, "allow")
		if err != nil {
			t.Fatal(err)
		}
		compare(t, e, got, nil)
	})
}
