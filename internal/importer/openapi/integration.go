package openapi

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"fairway/internal/importer"
)

// integration is what answers an operation.
func (a *api) integration(o *operation, v any) bool {
	i, _ := v.(object)
	if ref := text(i["$ref"]); ref != "" {
		name := ref[strings.LastIndex(ref, "/")+1:]
		components, _ := a.root["components"].(object)
		all, _ := components["x-amazon-apigateway-integrations"].(object)
		i, _ = all[name].(object)
	}
	place := o.place + "/x-amazon-apigateway-integration"
	if keys, _ := i["cacheKeyParameters"].([]any); len(keys) > 0 {
		a.Lose(place+"/cacheKeyParameters", "responses are not cached: see the middleware cache")
	}
	if i["credentials"] != nil {
		a.Differ(place+"/credentials", "functions are invoked with the credentials of the gateway")
	}
	if strings.EqualFold(text(i["connectionType"]), "VPC_LINK") {
		a.Differ(place+"/connectionType", "the gateway has to reach the address by itself")
	}
	switch typ := strings.ToLower(text(i["type"])); typ {
	case "mock":
		return a.mock(o, i, place)
	case "aws_proxy":
		return a.function(o, i, place)
	case "http_proxy":
		return a.proxied(o, i, place)
	case "http":
		if i["requestTemplates"] != nil {
			a.Lose(place+"/requestTemplates", "templates in VTL: see the middleware transform")
		}
		return a.proxied(o, i, place)
	default:
		a.Lose(place, "the type %q has no counterpart: nothing answers", typ)
		return false
	}
}

// function is a service of a function of AWS Lambda.
func (a *api) function(o *operation, i object, place string) bool {
	m := functionARN.FindStringSubmatch(text(i["uri"]))
	if m == nil {
		a.Lose(place+"/uri", "it names no function: nothing answers")
		return false
	}
	f := object{"name": m[0], "aws": object{"region": m[1]}, "payloadVersion": "1.0"}
	if version := text(i["payloadFormatVersion"]); version != "" {
		f["payloadVersion"] = version
	}
	if strings.Contains(o.path, "{") {
		f["path"] = o.path
	}
	if a.base != "" { // the stage, which functions see without
		f["stage"] = strings.Trim(a.base, "/")
		o.chain = append(o.chain, a.shared("middlewares", a.name+"-stage", object{"stripPrefix": object{"prefixes": []string{a.base}}}))
	}
	if ms, is := number(i["timeoutInMillis"]); is {
		f["timeout"] = strconv.FormatInt(ms, 10) + "ms"
	}
	if types := importer.Texts(a.root["x-amazon-apigateway-binary-media-types"]); len(types) > 0 {
		f["binaryMediaTypes"] = types
	}
	name := m[0][strings.Index(m[0], ":function:")+len(":function:"):]
	o.service = a.shared("services", a.name+"-"+name, object{"function": f})
	return true
}

var statusOfMock = regexp.MustCompile(`"statusCode"\s*:\s*"?(\d{3})`)

// mock is a service that answers by itself.
func (a *api) mock(o *operation, i object, place string) bool {
	status := 200
	asked, _ := i["requestTemplates"].(object)
	if m := statusOfMock.FindStringSubmatch(text(asked["application/json"])); m != nil {
		status, _ = strconv.Atoi(m[1])
	}
	responses, _ := i["responses"].(object)
	response, _ := responses["default"].(object)
	for _, pattern := range importer.Members(responses) {
		v := responses[pattern]
		if matched, err := regexp.MatchString("^(?:"+pattern+")$", strconv.Itoa(status)); err == nil && matched && pattern != "default" {
			response, _ = v.(object)
		}
	}
	if said, err := strconv.Atoi(text(response["statusCode"])); err == nil {
		status = said
	}
	if status < 200 || status > 599 {
		a.Lose(place, "the status %d cannot be an answer", status)
		return false
	}
	respond, headers := object{"status": status}, object{}
	templates, _ := response["responseTemplates"].(object)
	if body := text(templates["application/json"]); body != "" {
		headers["Content-Type"] = "application/json"
		if respond["body"] = body; strings.ContainsAny(body, "$#") {
			a.Lose(place+"/responses", "the body is a template in VTL, and stands there as it is")
		}
	}
	parameters, _ := response["responseParameters"].(object)
	for _, to := range importer.Members(parameters) {
		name, is := strings.CutPrefix(to, "method.response.header.")
		value := text(parameters[to])
		if !is || len(value) < 2 || value[0] != '\'' {
			a.Lose(place+"/responses/responseParameters/"+to, "only texts can be headers here")
			continue
		}
		headers[name] = strings.Trim(value, "'")
	}
	if len(headers) > 0 {
		respond["headers"] = headers
	}
	o.service = a.shared("services", a.name+"-"+strings.ToLower(o.method)+"-"+o.path, object{"respond": respond})
	return true
}

// loadBalancer is the service that sends requests to a URL.
func (a *api) loadBalancer(address string, transport object) (string, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.ContainsAny(u.Host, "{}$") {
		return "", fmt.Errorf("%q is no URL that requests can be sent to", address)
	}
	at := object{"servers": []object{{"url": u.Scheme + "://" + u.Host}}, "passHostHeader": false}
	if len(transport) > 0 {
		at["serversTransport"] = a.shared("serversTransports", a.name+"-"+u.Host, transport)
	}
	return a.shared("services", a.name+"-"+u.Host, object{"loadBalancer": at}), nil
}

// proxied is a service that is asked by HTTP, at a path of its own.
func (a *api) proxied(o *operation, i object, place string) bool {
	address := text(i["uri"])
	if strings.Contains(address, "stageVariables") {
		a.Lose(place+"/uri", "it has variables of the stage: nothing answers")
		return false
	}
	scheme, rest, _ := strings.Cut(address, "://")
	host, path, _ := strings.Cut(rest, "/")
	path, query, _ := strings.Cut(path, "?")
	transport := object{}
	tls, _ := i["tlsConfig"].(object)
	if tls["insecureSkipVerification"] == true {
		transport["insecureSkipVerify"] = true
	}
	if name := text(tls["serverNameToVerify"]); name != "" {
		transport["serverName"] = name
	}
	service, err := a.loadBalancer(scheme+"://"+host, transport)
	if err != nil {
		a.Lose(place+"/uri", "%v: nothing answers", err)
		return false
	}
	o.service = service
	if query != "" {
		a.Lose(place+"/uri", "the query of the address is not added")
	}
	if ms, is := number(i["timeoutInMillis"]); is {
		o.chain = append(o.chain, a.shared("middlewares", a.name+"-timeout-"+strconv.FormatInt(ms, 10), object{"timeouts": object{"total": strconv.FormatInt(ms, 10) + "ms"}}))
	}
	names := a.parameters(o, i, place)
	replacement, err := a.rewrite(o, "/"+path, names)
	if err != nil {
		a.Lose(place+"/uri", "%v: nothing answers", err)
		return false
	}
	if replacement != "" {
		expression, _ := a.expression(o.path)
		o.chain = append(o.chain, a.shared("middlewares", a.name+"-path-"+o.path, object{"replacePathRegex": object{"regex": expression, "replacement": replacement}}))
	}
	return true
}

// rewrite is the path that the service is asked for, with the values of the request's; empty: it is the same.
func (a *api) rewrite(o *operation, to string, names map[string]string) (string, error) {
	if to == a.base+strings.ReplaceAll(o.path, "+}", "}") && len(names) == 0 {
		return "", nil
	}
	_, groups := a.expression(o.path)
	var unknown error
	out := braces.ReplaceAllStringFunc(strings.ReplaceAll(to, "$", "$$"), func(match string) string {
		name := strings.Trim(match, "{}")
		if from := names[name]; from != "" {
			name = from
		}
		for at, group := range groups {
			if group == name {
				return "${" + strconv.Itoa(at+1) + "}"
			}
		}
		unknown = errors.New("nothing says what " + match + " is")
		return ""
	})
	return out, unknown
}
