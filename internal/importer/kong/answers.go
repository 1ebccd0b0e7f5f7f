package kong

import (
	"encoding/json"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

func (r *routed) requestID(p plugin) {
	if generator := orElse(p.config["generator"], "uuid#counter"); generator != "uuid" {
		r.Differ(p.place+".config.generator", "identifiers are random UUIDs")
	}
	if !yes(p.config["echo_downstream"], false) {
		r.Differ(p.place+".config.echo_downstream", "clients are told the identifier, too")
	}
	r.use("request-id", object{"requestID": object{"header": orElse(p.config["header_name"], "Kong-Request-ID")}})
}

func (r *routed) cors(p plugin) {
	headers := object{"addVaryHeader": true, "accessControlAllowMethods": words(p.config["methods"], "GET", "HEAD", "PUT", "PATCH", "POST", "DELETE", "OPTIONS", "TRACE", "CONNECT")}
	var origins, patterns []string
	for _, origin := range words(p.config["origins"], "*") {
		u, err := url.Parse(origin)
		switch {
		case origin == "*" || err == nil && u.Host != "" && regexp.QuoteMeta(origin) == strings.ReplaceAll(origin, ".", `\.`):
			origins = append(origins, origin)
		default:
			if _, err := regexp.Compile(origin); err != nil {
				r.Lose(p.place+".config.origins", "%q is no expression of Go (RE2)", origin)
				continue
			}
			patterns = append(patterns, "^(?:"+origin+")$")
		}
	}
	if len(origins) > 0 {
		headers["accessControlAllowOriginList"] = origins
	}
	if len(patterns) > 0 {
		headers["accessControlAllowOriginListRegex"] = patterns
	}
	credentials := yes(p.config["credentials"], false)
	headers["accessControlAllowCredentials"] = credentials
	if names := words(p.config["headers"]); len(names) > 0 {
		headers["accessControlAllowHeaders"] = names
	} else if !credentials {
		headers["accessControlAllowHeaders"] = []string{"*", "Authorization"}
	} else {
		r.Lose(p.place+".config.headers", "headers that scripts may send have to be named")
	}
	if names := words(p.config["exposed_headers"]); len(names) > 0 {
		headers["accessControlExposeHeaders"] = names
	}
	if age := whole(p.config["max_age"], 0); age > 0 {
		headers["accessControlMaxAge"] = age
	}
	r.unsupported(p, "preflight_continue", "private_network")
	r.use("cors", object{"headers": headers})
}

func (r *routed) terminate(p plugin) {
	if r.answer != "" {
		return
	}
	if word(p.config["trigger"]) != "" || yes(p.config["echo"], false) {
		r.Lose(p.place, "answers that depend on a header, or tell the request")
		return
	}
	status, body, kind := whole(p.config["status_code"], 503), word(p.config["body"]), orElse(p.config["content_type"], "application/json; charset=utf-8")
	if body == "" {
		text, _ := json.Marshal(object{"message": orElse(p.config["message"], "Service unavailable")})
		body, kind = string(text), "application/json; charset=utf-8"
	}
	if status < 200 || status > 599 {
		r.Lose(p.place+".config.status_code", "%d is no status of an answer", status)
		return
	}
	r.answer = r.shared("services", "termination-"+strconv.Itoa(status), object{"respond": object{"status": status, "body": body, "headers": object{"Content-Type": kind}}})
}

func (r *routed) redirect(p plugin) {
	to, status := strings.ReplaceAll(word(p.config["location"]), "$", "$$"), whole(p.config["status_code"], 301)
	if status < 301 || status > 308 || status == 303 {
		r.Lose(p.place+".config.status_code", "redirects by %d", status)
	} else if status > 302 {
		r.Differ(p.place+".config.status_code", "GET is answered by 301 or 302, other methods by 308 or 307")
	}
	if yes(p.config["keep_incoming_path"], false) {
		to += "${1}"
	}
	r.use("redirect", object{"redirectRegex": object{"regex": `^[a-z]+://[^/]+(/.*)?$`, "replacement": to, "permanent": status == 301 || status == 308}})
	if r.answer == "" && len(r.service.object) == 0 {
		r.answer = r.shared("services", "redirected", object{"respond": object{"status": 404}})
	}
}

func (r *routed) lambda(p plugin) {
	f := object{"name": word(p.config["function_name"]), "payloadVersion": "1.0", "timeout": strconv.Itoa(max(1, whole(p.config["timeout"], 60000))) + "ms"}
	aws := object{}
	for _, of := range [][2]string{{"aws_region", "region"}, {"aws_key", "accessKeyID"}, {"aws_secret", "secretAccessKey"}} {
		switch text := word(p.config[of[0]]); {
		case isReference(text):
			r.Lose(p.place+".config."+of[0], "secrets of vaults are not read")
		case text != "":
			aws[of[1]] = text
		}
	}
	if host := word(p.config["host"]); host != "" {
		scheme, port := "https", whole(p.config["port"], 443)
		if yes(p.config["disable_https"], false) {
			scheme = "http"
		}
		f["endpoint"] = scheme + "://" + host + ":" + strconv.Itoa(port)
	}
	if f["endpoint"] == nil || len(aws) > 0 {
		f["aws"] = aws
	}
	if qualifier := word(p.config["qualifier"]); qualifier != "" {
		f["qualifier"] = qualifier
	}
	switch typ := orElse(p.config["invocation_type"], "RequestResponse"); typ {
	case "RequestResponse":
	case "Event":
		f["mode"] = "event"
	default:
		r.Lose(p.place+".config.invocation_type", "%s", typ)
	}
	if !yes(p.config["awsgateway_compatible"], false) {
		r.Differ(p.place, "the function gets the event of a REST API (version 1.0), and answers as to one")
	}
	r.unsupported(p, "aws_assume_role_arn", "proxy_url", "unhandled_status", "log_type_tail")
	r.answer = r.shared("services", "function-"+word(p.config["function_name"]), object{"function": f})
}

func (r *routed) cache(p plugin) {
	if r.knows && !r.told {
		r.Lose(p.place, "answers are not stored where some are known and others are not")
		return
	}
	ttl := object{}
	for _, status := range words(p.config["response_code"], "200", "301", "404") {
		ttl[status] = strconv.Itoa(max(1, whole(p.config["cache_ttl"], 300))) + "s"
	}
	config := object{"ttl": ttl}
	key := object{}
	names := words(p.config["vary_headers"])
	if r.knows { // each consumer has answers of its own
		names = append(names, "X-Consumer-Username")
	}
	if len(names) > 0 {
		key["headers"] = names
	}
	if names := words(p.config["vary_query_params"]); len(names) > 0 {
		key["query"] = names
	}
	if len(key) > 0 {
		config["key"] = key
	}
	if !yes(p.config["cache_control"], false) {
		r.Differ(p.place+".config.cache_control", "what services say in Cache-Control counts")
	}
	for _, method := range words(p.config["request_method"], "GET", "HEAD") {
		if method != "GET" && method != "HEAD" {
			r.Lose(p.place+".config.request_method", "answers to %s are not stored", method)
		}
	}
	if p.config["content_type"] != nil {
		r.Differ(p.place+".config.content_type", "bodies of all types are stored")
	}
	r.use("cache", object{"cache": config})
}

func (r *routed) grpcWeb(p plugin) {
	r.unsupported(p, "proto")
	r.use("grpc-web", object{"grpcWeb": object{"allowOrigins": words(p.config["allow_origin_header"], "*")}})
}
