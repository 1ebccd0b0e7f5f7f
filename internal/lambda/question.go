package lambda

import (
	"encoding/json"
	"strings"
)

// questionV2 is what an authorizer is asked about a request by version 2.0: its event without the body,
// which the fields below that are never there take out.
type questionV2 struct {
	Type           string   `json:"type"`
	RouteARN       string   `json:"routeArn"`
	IdentitySource []string `json:"identitySource"`
	*EventV2
	Body            *struct{} `json:"body,omitempty"`
	IsBase64Encoded *struct{} `json:"isBase64Encoded,omitempty"`
}

// questionV1 is the same by version 1.0.
type questionV1 struct {
	Type               string `json:"type"`
	MethodARN          string `json:"methodArn"`
	IdentitySource     string `json:"identitySource,omitempty"`
	AuthorizationToken string `json:"authorizationToken,omitempty"`
	*EventV1
	PathParameters  map[string]string `json:"pathParameters"` // {} if there are none
	Body            *struct{}         `json:"body,omitempty"`
	IsBase64Encoded *struct{}         `json:"isBase64Encoded,omitempty"`
}

// questionToken is what an authorizer is asked about a token alone.
type questionToken struct {
	Type               string `json:"type"`
	AuthorizationToken string `json:"authorizationToken"`
	MethodARN          string `json:"methodArn"`
}

// AskV2 makes the question by version 2.0. identity are the values of the identity sources.
func (a *API) AskV2(r *Request, identity []string) ([]byte, error) {
	if identity == nil {
		identity = []string{}
	}
	return json.Marshal(&questionV2{Type: "REQUEST", RouteARN: a.ARN(r.Method, r.URL.EscapedPath()), IdentitySource: identity, EventV2: a.V2(r)})
}

// AskV1 makes the question by version 1.0.
func (a *API) AskV1(r *Request, identity []string) ([]byte, error) {
	all, path := strings.Join(identity, ","), r.Path
	if path == nil {
		path = map[string]string{}
	}
	return json.Marshal(&questionV1{Type: "REQUEST", MethodARN: a.ARN(r.Method, r.URL.EscapedPath()), IdentitySource: all, AuthorizationToken: all, EventV1: a.V1(r), PathParameters: path})
}

// AskToken makes the question about a token.
func (a *API) AskToken(r *Request, token string) ([]byte, error) {
	return json.Marshal(&questionToken{"TOKEN", token, a.ARN(r.Method, r.URL.EscapedPath())})
}
