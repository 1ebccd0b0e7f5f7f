package openapi

import (
	"regexp"
	"strings"

	"fairway/internal/importer"
)

// secure puts those middlewares in front that find out who sends a request.
func (a *api) secure(o *operation, v object) {
	said, is := v["security"].([]any)
	if !is {
		said, _ = a.root["security"].([]any)
	}
	var first object
	optional := false
	for _, one := range said {
		alternative, _ := one.(object)
		switch {
		case len(alternative) == 0:
			optional = true
		case first == nil:
			first = alternative
		default:
			a.Lose(o.place+"/security", "of several ways to be let in, the first one counts")
		}
	}
	components, _ := a.root["components"].(object)
	schemes, _ := components["securitySchemes"].(object)
	for _, name := range importer.Members(first) {
		scheme, _ := schemes[name].(object)
		kind, config := a.scheme(name, scheme, importer.Texts(first[name]))
		if kind == "" {
			o.chain = append(o.chain, a.refusal())
			continue
		}
		if optional && kind != "authorizer" {
			config["optional"] = true
		}
		o.chain = append(o.chain, a.shared("middlewares", a.name+"-"+name, object{kind: config}))
	}
}

// refusal refuses everything, in the place of a middleware that would decide.
func (a *api) refusal() string {
	return a.shared("middlewares", a.name+"-undecided", object{"policy": object{"deny": "true"}})
}

// scheme is the middleware for a way to be let in; an empty kind: there is none, which is reported.
func (a *api) scheme(name string, s object, scopes []string) (kind string, config object) {
	place := "/components/securitySchemes/" + name
	if authorizer, is := s["x-amazon-apigateway-authorizer"].(object); is {
		return a.authorizer(place+"/x-amazon-apigateway-authorizer", s, authorizer, scopes)
	}
	scoped := func(config object) object {
		if len(scopes) > 0 {
			config["anyScope"] = scopes
		}
		return config
	}
	switch text(s["type"]) {
	case "apiKey":
		a.Differ(place, "the document has no keys: give them to consumers (apiKeys)")
		return "apiKey", object{"keyFrom": []string{text(s["in"]) + ":" + text(s["name"])}}
	case "openIdConnect":
		issuer := strings.TrimSuffix(text(s["openIdConnectUrl"]), "/.well-known/openid-configuration")
		a.Differ(place, "say in audiences whom tokens are for: the document does not")
		return "jwt", scoped(object{"issuer": issuer})
	case "http":
		if strings.EqualFold(text(s["scheme"]), "basic") {
			a.Differ(place, "the document has no passwords: give them to consumers (credentials)")
			return "basicAuth", object{"consumers": true}
		}
	case "mutualTLS":
		a.Lose(place, "certificates of clients are not asked for, and requests are refused: see the middleware mtls and the options of TLS")
		return "", nil
	}
	a.Lose(place, "it does not say who makes the tokens, so requests are refused: see the middleware jwt")
	return "", nil
}

var (
	functionARN = regexp.MustCompile(`arn:aws[\w-]*:lambda:([\w-]+):(\d*):function:[\w:.$-]+`)
	userPool    = regexp.MustCompile(`^arn:aws[\w-]*:cognito-idp:([\w-]+):\d*:userpool/([\w-]+)$`)
)

// authorizer is what Amazon API Gateway asks about requests.
func (a *api) authorizer(place string, scheme, s object, scopes []string) (kind string, config object) {
	switch typ := strings.ToLower(text(s["type"])); typ {
	case "jwt":
		said, _ := s["jwtConfiguration"].(object)
		config = object{"issuer": text(said["issuer"])}
		if audiences := importer.Texts(said["audience"]); len(audiences) > 0 {
			config["audiences"] = audiences
		}
	case "cognito_user_pools":
		pools := importer.Texts(s["providerARNs"])
		if len(pools) != 1 || userPool.FindStringSubmatch(pools[0]) == nil {
			a.Lose(place, "providerARNs have to name one user pool: requests are refused")
			return "", nil
		}
		m := userPool.FindStringSubmatch(pools[0])
		config = object{"issuer": "https://cognito-idp." + m[1] + ".amazonaws.com/" + m[2]}
	case "token", "request":
		return a.asked(place, typ, scheme, s)
	default:
		a.Lose(place, "the type %q is not known: requests are refused", typ)
		return "", nil
	}
	if len(scopes) > 0 {
		config["anyScope"] = scopes
	}
	return "jwt", config
}

// asked is an authorizer that is a function.
func (a *api) asked(place, typ string, scheme, s object) (string, object) {
	m := functionARN.FindStringSubmatch(text(s["authorizerUri"]))
	if m == nil {
		a.Lose(place+"/authorizerUri", "it names no function: requests are refused")
		return "", nil
	}
	config := object{"function": object{"name": m[0], "aws": object{"region": m[1]}}, "type": typ}
	if s["authorizerCredentials"] != nil {
		a.Differ(place+"/authorizerCredentials", "invocations are signed with the credentials of the gateway")
	}
	var sources []string
	for source := range strings.SplitSeq(text(s["identitySource"]), ",") {
		if source = strings.TrimSpace(source); source != "" {
			sources = append(sources, source)
		}
	}
	if len(sources) == 0 && typ == "token" && text(scheme["in"]) == "header" {
		sources = []string{"header:" + text(scheme["name"])}
	}
	if len(sources) > 0 {
		config["identitySources"] = sources
	}
	if expression := text(s["identityValidationExpression"]); expression != "" {
		config["identityValidation"] = expression
	}
	if seconds, is := number(s["authorizerResultTtlInSeconds"]); is {
		config["cacheTTL"] = seconds
	}
	if typ == "request" {
		config["payloadVersion"] = "1.0"
		if version := text(s["authorizerPayloadFormatVersion"]); version != "" {
			config["payloadVersion"] = version
		}
	}
	return "authorizer", config
}
