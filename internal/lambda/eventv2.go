package lambda

import (
	"encoding/json"
	"net/url"
	"strings"
)

// EventV2 is an event by version 2.0 of the payload format.
type EventV2 struct {
	Version string `json:"version"`

	RouteKey              string            `json:"routeKey"`
	RawPath               string            `json:"rawPath"`
	RawQueryString        string            `json:"rawQueryString"`
	Cookies               []string          `json:"cookies,omitempty"`
	Headers               map[string]string `json:"headers"`
	QueryStringParameters map[string]string `json:"queryStringParameters,omitempty"`
	RequestContext        contextV2         `json:"requestContext"`
	Body                  string            `json:"body,omitempty"`
	PathParameters        map[string]string `json:"pathParameters,omitempty"`
	IsBase64Encoded       bool              `json:"isBase64Encoded"`
	StageVariables        map[string]string `json:"stageVariables,omitempty"`
}

type contextV2 struct {
	AccountID      string          `json:"accountId"`
	APIID          string          `json:"apiId"`
	Authentication *authentication `json:"authentication,omitempty"`
	Authorizer     map[string]any  `json:"authorizer,omitempty"`
	DomainName     string          `json:"domainName"`
	DomainPrefix   string          `json:"domainPrefix"`
	HTTP           httpV2          `json:"http"`
	RequestID      string          `json:"requestId"`
	RouteKey       string          `json:"routeKey"`
	Stage          string          `json:"stage"`
	Time           string          `json:"time"`
	TimeEpoch      int64           `json:"timeEpoch"`
}

type authentication struct {
	ClientCert *ClientCert `json:"clientCert"`
}

type httpV2 struct {
	Method    string `json:"method"`
	Path      string `json:"path"`
	Protocol  string `json:"protocol"`
	SourceIP  string `json:"sourceIp"`
	UserAgent string `json:"userAgent"`
}

// V2 makes the event of a request by version 2.0.
func (a *API) V2(r *Request) *EventV2 {
	body, encoded := r.text()
	key := "$default"
	if r.Resource != "" {
		key = r.Method + " " + r.Resource
	}
	name, prefix := r.domain()
	e := &EventV2{
		Version: "2.0", RouteKey: key, RawPath: r.URL.EscapedPath(), RawQueryString: r.URL.RawQuery,
		PathParameters: r.Path, StageVariables: a.Variables, Body: body, IsBase64Encoded: encoded,
		RequestContext: contextV2{
			AccountID: a.AccountID, APIID: a.ID, DomainName: name, DomainPrefix: prefix, RequestID: r.requestID(), RouteKey: key, Stage: a.Stage,
			HTTP: httpV2{r.Method, r.URL.EscapedPath(), r.Proto, r.peer(), r.UserAgent()},
			Time: r.At.UTC().Format(clf), TimeEpoch: r.At.UnixMilli(), Authorizer: authorizerV2(r),
		},
	}
	if cert := r.clientCert(); cert != nil {
		e.RequestContext.Authentication = &authentication{cert}
	}
	e.Headers, e.Cookies = r.headV2()
	if query := r.URL.Query(); len(query) > 0 {
		e.QueryStringParameters = joined(query)
	}
	return e
}

// headV2 are the fields with names in lower case and one value each, and the cookies, which are not among
// them.
func (r *Request) headV2() (fields map[string]string, cookies []string) {
	fields = map[string]string{}
	for name, values := range r.head() {
		if name != "Cookie" {
			fields[strings.ToLower(name)] = strings.Join(values, ",")
			continue
		}
		for _, line := range values {
			for pair := range strings.SplitSeq(line, ";") {
				if pair = strings.TrimSpace(pair); pair != "" {
					cookies = append(cookies, pair)
				}
			}
		}
	}
	return fields, cookies
}

func joined(query url.Values) map[string]string {
	all := make(map[string]string, len(query))
	for name, values := range query {
		all[name] = strings.Join(values, ",")
	}
	return all
}

// authorizerV2 is the context of an authorizer, or what a token says.
func authorizerV2(r *Request) map[string]any {
	who := r.authorizer()
	switch {
	case who == nil || who.Claims == nil:
		return nil
	case who.Method == Method:
		return map[string]any{"lambda": who.Claims}
	}
	return map[string]any{"jwt": map[string]any{"claims": claimTexts(who.Claims), "scopes": scopes(who.Claims)}}
}

// JSON is the event as it is sent.
func (e *EventV2) JSON() ([]byte, error) { return json.Marshal(e) }
