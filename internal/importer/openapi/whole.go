package openapi

import (
	"encoding/json"
	"fmt"
	"strings"

	"fairway/internal/importer"
)

// reported are extensions of the document that have no counterpart.
var reported = map[string]string{
	"x-amazon-apigateway-policy":                 "a policy of resources: see the middlewares policy and ipAllowList",
	"x-amazon-apigateway-gateway-responses":      "answers of the gateway's own: see the middlewares errors and transform",
	"x-amazon-apigateway-endpoint-configuration": "where the API is reached: see the entry points",
	"x-amazon-apigateway-documentation":          "documentation",
	"x-amazon-apigateway-tag-value":              "tags",
}

// known are those that are understood here or elsewhere, or mean nothing.
var known = map[string]bool{
	"x-amazon-apigateway-api-key-source": true, "x-amazon-apigateway-binary-media-types": true, "x-amazon-apigateway-cors": true,
	"x-amazon-apigateway-importexport-version": true, "x-amazon-apigateway-minimum-compression-size": true,
	"x-amazon-apigateway-request-validator": true, "x-amazon-apigateway-request-validators": true,
}

// whole looks at what is said of the whole document.
func (a *api) whole() {
	for _, name := range importer.Members(a.root) {
		switch {
		case reported[name] != "":
			a.Lose("/"+name, "%s", reported[name])
		case strings.HasPrefix(name, "x-amazon-") && !known[name]:
			a.Lose("/"+name, "it is not known")
		}
	}
	if source, is := a.root["x-amazon-apigateway-api-key-source"].(string); is && strings.EqualFold(source, "AUTHORIZER") {
		a.Lose("/x-amazon-apigateway-api-key-source", "API keys that an authorizer tells: the middleware apiKey has them from requests")
	}
}

// cors is the chain of what is said of other origins.
func (a *api) cors() (chain []string) {
	if size, is := number(a.root["x-amazon-apigateway-minimum-compression-size"]); is {
		chain = append(chain, a.Put("middlewares", a.name+"-compress", object{"compress": object{"minResponseBodyBytes": size}}))
	}
	said, is := a.root["x-amazon-apigateway-cors"].(object)
	if !is {
		return chain
	}
	headers := object{"addVaryHeader": true}
	var origins, patterns []string
	for _, origin := range importer.Texts(said["allowOrigins"]) {
		if origin != "*" && strings.Contains(origin, "*") {
			patterns = append(patterns, "^"+strings.ReplaceAll(quote(origin), `\*`, ".*")+"$")
		} else {
			origins = append(origins, origin)
		}
	}
	for name, list := range map[string][]string{
		"accessControlAllowOriginList": origins, "accessControlAllowOriginListRegex": patterns, "accessControlAllowMethods": importer.Texts(said["allowMethods"]),
		"accessControlAllowHeaders": importer.Texts(said["allowHeaders"]), "accessControlExposeHeaders": importer.Texts(said["exposeHeaders"]),
	} {
		if len(list) > 0 {
			headers[name] = list
		}
	}
	if age, is := number(said["maxAge"]); is {
		headers["accessControlMaxAge"] = age
	}
	if said["allowCredentials"] == true {
		headers["accessControlAllowCredentials"] = true
	}
	return append(chain, a.Put("middlewares", a.name+"-cors", object{"headers": headers}))
}

func number(v any) (int64, bool) {
	n, is := v.(json.Number)
	if !is {
		return 0, false
	}
	whole, err := n.Int64()
	return whole, err == nil
}

func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	return fmt.Sprint(v)
}
