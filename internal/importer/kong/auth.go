package kong

import (
	"maps"
	"slices"
)

// anonymous lets requests pass that bring nothing, where there is a consumer for them.
func (r *routed) anonymous(p plugin, config object) {
	if word(p.config["anonymous"]) != "" {
		config["optional"] = true
		r.Differ(p.place+".config.anonymous", "who brings nothing is no consumer")
	}
}

// places are where a credential may be.
func places(kind string, names []string) (all []string) {
	for _, name := range names {
		all = append(all, kind+":"+name)
	}
	return all
}

func (r *routed) keyAuth(p plugin) {
	names := words(p.config["key_names"], "apikey")
	var from []string
	if yes(p.config["key_in_header"], true) {
		from = places("header", names)
	}
	if yes(p.config["key_in_query"], true) {
		from = append(from, places("query", names)...)
	}
	r.unsupported(p, "key_in_body", "run_on_preflight_only", "identity_realms")
	if len(from) == 0 {
		r.Lose(p.place, "keys are in bodies only: requests are refused")
		r.refuse()
		return
	}
	config := object{"keyFrom": from, "stripKey": yes(p.config["hide_credentials"], false)}
	r.anonymous(p, config)
	r.use("key-auth", object{"apiKey": config})
	r.known(p, config)
}

func (r *routed) basicAuth(p plugin) {
	config := object{"consumers": true, "removeHeader": yes(p.config["hide_credentials"], false), "realm": orElse(p.config["realm"], "service")}
	r.anonymous(p, config)
	r.use("basic-auth", object{"basicAuth": config})
	r.known(p, config)
}

func (r *routed) jwt(p plugin) {
	if orElse(p.config["key_claim_name"], "iss") != "iss" {
		r.Lose(p.place+".config.key_claim_name", "the claim iss names the key: requests are refused")
		r.refuse()
		return
	}
	if yes(p.config["secret_is_base64"], false) {
		r.Lose(p.place+".config.secret_is_base64", "secrets are texts: requests are refused")
		r.refuse()
		return
	}
	if len(r.tokens) == 0 {
		r.Lose(p.place, "there is no key of a consumer: requests are refused")
		r.refuse()
		return
	}
	from := places("header", words(p.config["header_names"], "authorization"))
	from = append(from, places("query", words(p.config["uri_param_names"], "jwt"))...)
	from = append(from, places("cookie", words(p.config["cookie_names"]))...)
	config := object{"tokenFrom": from, "leeway": "0s", "requireExpiry": slices.Contains(words(p.config["claims_to_verify"]), "exp")}
	maps.Copy(config, r.tokens[0])
	if len(r.tokens) > 1 {
		config["issuers"] = r.tokens[1:]
	}
	if n := whole(p.config["maximum_expiration"], 0); n > 0 {
		r.Lose(p.place+".config.maximum_expiration", "how long tokens are valid is not bound")
	}
	r.Differ(p.place, "the times in tokens always count, where they are there")
	r.anonymous(p, config)
	r.use("jwt", object{"jwt": config})
	r.known(p, config)
}

// told are the headers by which services hear who it is.
func told() object {
	return object{"X-Consumer-Username": "consumer.labels.username", "X-Consumer-Custom-ID": "consumer.labels.customID"}
}

// known tells the service who it is, where only consumers come in.
func (r *routed) known(p plugin, config object) {
	if config["optional"] == nil && !r.knows {
		r.use("consumer", object{"acl": object{"forwardHeaders": told()}})
		r.told = true
	}
	r.knows = true
	r.Differ(p.place, "the service is told the consumer in X-Consumer-Username and X-Consumer-Custom-ID, but not its ID and credential")
}

func (r *routed) acl(p plugin) {
	headers := told()
	if !yes(p.config["hide_groups_header"], false) {
		headers["X-Consumer-Groups"] = "groups"
	}
	config := object{"forwardHeaders": headers}
	for from, to := range map[string]string{"allow": "allowGroups", "whitelist": "allowGroups", "deny": "denyGroups", "blacklist": "denyGroups"} {
		if groups := words(p.config[from]); len(groups) > 0 {
			config[to] = groups
		}
	}
	r.unsupported(p, "always_use_authenticated_groups", "include_consumer_groups")
	r.use("acl", object{"acl": config})
	r.told = true
}

func (r *routed) addresses(p plugin) {
	for _, list := range []struct{ option, old, kind string }{{"deny", "blacklist", "ipDenyList"}, {"allow", "whitelist", "ipAllowList"}} {
		ranges := append(words(p.config[list.option]), words(p.config[list.old])...)
		if len(ranges) == 0 {
			continue
		}
		config := object{"sourceRange": ranges}
		if status := whole(p.config["status"], 403); status != 403 {
			config["rejectStatusCode"] = status
		}
		r.use("ip-"+list.option, object{list.kind: config})
	}
	r.unsupported(p, "message")
}
