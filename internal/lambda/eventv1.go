package lambda

import (
	"encoding/json"
	"maps"
)

// EventV1 is an event by version 1.0 of the payload format. Maps that are empty are null.
type EventV1 struct {
	Version string `json:"version"`

	Resource                        string              `json:"resource"`
	Path                            string              `json:"path"`
	HTTPMethod                      string              `json:"httpMethod"`
	Headers                         map[string]string   `json:"headers"`
	MultiValueHeaders               map[string][]string `json:"multiValueHeaders"`
	QueryStringParameters           map[string]string   `json:"queryStringParameters"`
	MultiValueQueryStringParameters map[string][]string `json:"multiValueQueryStringParameters"`
	PathParameters                  map[string]string   `json:"pathParameters"`
	StageVariables                  map[string]string   `json:"stageVariables"`
	RequestContext                  contextV1           `json:"requestContext"`
	Body                            *string             `json:"body"`
	IsBase64Encoded                 bool                `json:"isBase64Encoded"`
}

type contextV1 struct {
	AccountID         string         `json:"accountId"`
	APIID             string         `json:"apiId"`
	Authorizer        map[string]any `json:"authorizer,omitempty"`
	DomainName        string         `json:"domainName"`
	DomainPrefix      string         `json:"domainPrefix"`
	ExtendedRequestID string         `json:"extendedRequestId"`
	HTTPMethod        string         `json:"httpMethod"`
	Identity          map[string]any `json:"identity"`
	Path              string         `json:"path"`
	Protocol          string         `json:"protocol"`
	RequestID         string         `json:"requestId"`
	RequestTime       string         `json:"requestTime"`
	RequestTimeEpoch  int64          `json:"requestTimeEpoch"`
	ResourceID        string         `json:"resourceId"`
	ResourcePath      string         `json:"resourcePath"`
	Stage             string         `json:"stage"`
}

// V1 makes the event of a request by version 1.0.
func (a *API) V1(r *Request) *EventV1 {
	resource := r.Resource
	if resource == "" {
		resource = "/{proxy+}"
	}
	name, prefix := r.domain()
	id := r.requestID()
	e := &EventV1{
		Version: "1.0", Resource: resource, Path: r.URL.Path, HTTPMethod: r.Method,
		MultiValueHeaders: r.head(), MultiValueQueryStringParameters: r.URL.Query(), PathParameters: r.Path, StageVariables: a.Variables,
		RequestContext: contextV1{
			AccountID: a.AccountID, APIID: a.ID, DomainName: name, DomainPrefix: prefix, RequestID: id, ExtendedRequestID: id,
			HTTPMethod: r.Method, Path: r.URL.Path, Protocol: r.Proto, Stage: a.Stage, ResourceID: resource, ResourcePath: resource,
			RequestTime: r.At.UTC().Format(clf), RequestTimeEpoch: r.At.UnixMilli(), Identity: identityV1(r), Authorizer: authorizerV1(r),
		},
	}
	if len(e.MultiValueQueryStringParameters) == 0 {
		e.MultiValueQueryStringParameters = nil
	}
	if len(e.PathParameters) == 0 {
		e.PathParameters = nil
	}
	if len(e.StageVariables) == 0 {
		e.StageVariables = nil
	}
	e.Headers, e.QueryStringParameters = last(e.MultiValueHeaders), last(e.MultiValueQueryStringParameters)
	if len(r.Body) > 0 {
		body, encoded := r.text()
		e.Body, e.IsBase64Encoded = &body, encoded
	}
	return e
}

// last has the last value of each.
func last(all map[string][]string) map[string]string {
	if len(all) == 0 {
		return nil
	}
	one := make(map[string]string, len(all))
	for name, values := range all {
		one[name] = values[len(values)-1]
	}
	return one
}

// identityV1 is where the request comes from. What only AWS could know is null.
func identityV1(r *Request) map[string]any {
	all := map[string]any{
		"accessKey": nil, "accountId": nil, "apiKey": nil, "apiKeyId": nil, "caller": nil, "clientCert": nil, "cognitoAuthenticationProvider": nil,
		"cognitoAuthenticationType": nil, "cognitoIdentityId": nil, "cognitoIdentityPoolId": nil, "principalOrgId": nil, "user": nil, "userArn": nil,
		"sourceIp": r.peer(), "userAgent": r.UserAgent(),
	}
	if cert := r.clientCert(); cert != nil {
		all["clientCert"] = cert
	}
	if who := r.authorizer(); who != nil && who.Method == "apiKey" && who.Consumer != nil {
		all["apiKeyId"] = who.Consumer.Name
	}
	return all
}

// authorizerV1 is the context of an authorizer with its principal, or what a token says.
func authorizerV1(r *Request) map[string]any {
	who := r.authorizer()
	switch {
	case who == nil:
		return nil
	case who.Claims != nil && who.Method != Method:
		return map[string]any{"claims": claimTexts(who.Claims), "scopes": scopes(who.Claims)}
	}
	all := maps.Clone(who.Claims)
	if all == nil {
		all = map[string]any{}
	}
	if who.Subject != "" {
		all["principalId"] = who.Subject
	}
	return all
}

// JSON is the event as it is sent.
func (e *EventV1) JSON() ([]byte, error) { return json.Marshal(e) }
