package kong

import (
	"net"
	"strconv"
)

// periods are those of rate-limiting: short ones are limits, long ones are quotas.
var periods = []struct{ name, kind, of string }{
	{"second", "rateLimit", "1s"}, {"minute", "rateLimit", "1m"}, {"hour", "quota", "hour"}, {"day", "quota", "day"}, {"month", "quota", "month"},
}

const windows = "no period, whenever it begins, has more requests; Kong begins anew with each second and minute"

func (r *routed) limits(p plugin) {
	source := r.source(p)
	if r.booking && r.knows {
		if plan := r.plan(p.place, p.config); plan != nil && source["consumer"] == true {
			config := object{"default": r.shared("plans", "others", plan), "legacyHeaders": !yes(p.config["hide_client_headers"], false)}
			if redis := r.redis(p); redis != nil {
				config["redis"] = redis
			}
			r.use("plan", object{"plan": config})
			return
		}
		r.Lose(p.place, "consumers that have limits of their own have this one here")
	}
	for _, period := range periods {
		n := whole(p.config[period.name], 0)
		if n <= 0 {
			continue
		}
		config := object{"legacyHeaders": !yes(p.config["hide_client_headers"], false)}
		if period.kind == "quota" {
			config["amount"], config["per"] = n, period.of
		} else {
			config["average"], config["period"], config["algorithm"] = n, period.of, "slidingWindow"
			r.Differ(p.place, windows)
		}
		if len(source) > 0 {
			config["sourceCriterion"] = source
		}
		if redis := r.redis(p); redis != nil {
			config["redis"] = redis
		}
		r.use("limit-"+period.name, object{period.kind: config})
	}
	if whole(p.config["year"], 0) > 0 {
		r.Lose(p.place+".config.year", "the longest quota is that of a month")
	}
	if whole(p.config["error_code"], 429) != 429 {
		r.Lose(p.place+".config.error_code", "the status is 429")
	}
	r.unsupported(p, "error_message")
}

// source is whose requests are counted together.
func (r *routed) source(p plugin) object {
	switch by := orElse(p.config["limit_by"], "consumer"); by {
	case "consumer", "credential":
		if r.knows {
			return object{"consumer": true}
		}
		r.Differ(p.place+".config.limit_by", "nobody is known there: addresses are counted")
	case "ip":
	case "header":
		return object{"requestHeaderName": word(p.config["header_name"])}
	case "path":
		return object{"expression": `request.path == ` + strconv.Quote(word(p.config["path"])) + ` ? "path" : "others"`}
	case "service":
		return object{"expression": `"all"`}
	default:
		r.Lose(p.place+".config.limit_by", "%s: addresses are counted", by)
	}
	return nil
}

func (r *routed) redis(p plugin) object {
	switch orElse(p.config["policy"], "local") {
	case "local":
		return nil
	case "cluster":
		r.Differ(p.place+".config.policy", "there is no database: each gateway counts by itself")
		return nil
	}
	from, is := p.config["redis"].(object)
	if !is { // before 3.6
		from = object{}
		for _, name := range []string{"host", "port", "password", "username", "database"} {
			from[name] = p.config["redis_"+name]
		}
	}
	out := object{"endpoints": []string{net.JoinHostPort(orElse(from["host"], "127.0.0.1"), strconv.Itoa(whole(from["port"], 6379)))}, "whenAway": "open"}
	if !yes(p.config["fault_tolerant"], true) {
		out["whenAway"] = "closed"
	}
	for _, name := range []string{"username", "password"} {
		switch text := word(from[name]); {
		case isReference(text):
			r.Lose(p.place+".config.redis."+name, "secrets of vaults are not read")
		case text != "":
			out[name] = text
		}
	}
	if n := whole(from["database"], 0); n > 0 {
		out["db"] = n
	}
	if yes(from["ssl"], false) {
		out["tls"] = object{"insecureSkipVerify": !yes(from["ssl_verify"], false)}
	}
	return out
}

// units are those of request-size-limiting, in bytes.
var units = map[string]int{"bytes": 1, "kilobytes": 1 << 10, "megabytes": 1 << 20}

func (r *routed) size(p plugin) {
	unit := units[orElse(p.config["size_unit"], "megabytes")]
	if unit == 0 {
		r.Lose(p.place+".config.size_unit", "it is not known")
		return
	}
	r.unsupported(p, "require_content_length")
	r.use("size", object{"buffering": object{"maxRequestBodyBytes": min(max(whole(p.config["allowed_payload_size"], 128), 1), 1<<20) * unit}})
}
