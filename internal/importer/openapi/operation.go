package openapi

import (
	"net/url"
	"regexp"
	"strings"

	"fairway/internal/importer"
)

func quote(text string) string { return regexp.QuoteMeta(text) }

// treat finds out what becomes of the requests of an operation. false: it has no counterpart, and is reported.
func (a *api) treat(o *operation, v object) bool {
	for _, name := range importer.Members(v) {
		switch name {
		case "x-amazon-apigateway-integration", "x-amazon-apigateway-request-validator":
		case "x-amazon-apigateway-auth":
			auth, _ := v[name].(object)
			if !strings.EqualFold(text(auth["type"]), "NONE") {
				a.Lose(o.place+"/"+name, "signatures by %s are not looked at: requests are refused", text(auth["type"]))
				o.chain = append(o.chain, a.refusal())
			}
		default:
			if strings.HasPrefix(name, "x-amazon-") {
				a.Lose(o.place+"/"+name, "it is not known")
			}
		}
	}
	a.secure(o, v)
	a.validate(o, v)
	if v["x-amazon-apigateway-integration"] != nil {
		return a.integration(o, v["x-amazon-apigateway-integration"])
	}
	if a.aws && a.options.Service == "" {
		a.Lose(o.place, "it has no x-amazon-apigateway-integration, so that nothing would answer")
		return false
	}
	address := a.options.Service
	if address == "" {
		address = a.server()
	}
	if address == "" {
		a.Lose("/servers", "no server is a whole URL: say by --service where requests go")
		return false
	}
	name, err := a.loadBalancer(address, nil)
	if err != nil {
		a.Lose("/servers", "%v", err)
		return false
	}
	o.service = name
	return true
}

// server is the first one of the document that is a whole URL.
func (a *api) server() string {
	list, _ := a.root["servers"].([]any)
	for _, v := range list {
		server, _ := v.(object)
		address := text(server["url"])
		variables, _ := server["variables"].(object)
		for name, of := range variables {
			variable, _ := of.(object)
			address = strings.ReplaceAll(address, "{"+name+"}", text(variable["default"]))
		}
		if u, err := url.Parse(address); err == nil && u.Host != "" {
			a.Differ("/servers", "%s is where requests are sent; --service says another", u.Scheme+"://"+u.Host)
			return address
		}
	}
	return ""
}

// validate holds requests to the document: those of operations with a validator, and without integrations all.
func (a *api) validate(o *operation, v object) {
	check := []string{"requests", "responses"}
	if a.aws {
		name := text(v["x-amazon-apigateway-request-validator"])
		if name == "" {
			name = text(a.root["x-amazon-apigateway-request-validator"])
		}
		if name == "" {
			return
		}
		all, _ := a.root["x-amazon-apigateway-request-validators"].(object)
		said, is := all[name].(object)
		if !is {
			a.Lose(o.place+"/x-amazon-apigateway-request-validator", "there is no validator %q", name)
			return
		}
		body, parameters := said["validateRequestBody"] == true, said["validateRequestParameters"] == true
		if !body && !parameters {
			return
		}
		if body != parameters {
			a.Differ("/x-amazon-apigateway-request-validators/"+name, "parameters and bodies are both looked at")
		}
		check = []string{"requests"}
	}
	if a.options.Document == "" {
		a.Lose(o.place, "requests are not held to the document: there is no path of it")
		return
	}
	of := object{"file": a.options.Document, "check": check, "unknown": "pass"}
	if !a.aws {
		delete(of, "unknown")
	}
	o.chain = append(o.chain, a.shared("middlewares", a.name+"-validate", object{"validate": object{"openapi": of}}))
}
