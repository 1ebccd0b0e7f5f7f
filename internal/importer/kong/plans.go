package kong

import "strings"

// ofConsumer tells whether a plugin is the limits of a consumer, wherever it asks.
func ofConsumer(e entity) bool {
	p := e.object
	return word(p["name"]) == "rate-limiting" && p["consumer_group"] == nil && p["route"] == nil && p["service"] == nil && (p["consumer"] != nil || strings.HasPrefix(e.place, "consumers["))
}

// book gives a consumer a plan, if it has limits of its own: they take the place of those of routes and services.
func (g *gateway) book(c entity, name string, out object) {
	for _, e := range g.credentials(c, "plugins") {
		if !ofConsumer(e) || !yes(e.object["enabled"], true) {
			continue
		}
		config, _ := e.object["config"].(object)
		plan := g.plan(e.place, config)
		if plan == nil {
			g.Lose(e.place, "a plan has one limit by second or minute, and one by hour, day or month")
			continue
		}
		out["plan"] = g.Put("plans", name, plan)
		g.booking = true
	}
}

// plan is what limits come to; nil: they are none, or too many for one.
func (g *gateway) plan(place string, config object) object {
	plan := object{}
	for _, period := range periods {
		n := whole(config[period.name], 0)
		switch {
		case n <= 0:
		case plan[period.kind] != nil:
			return nil
		case period.kind == "quota":
			plan["quota"] = object{"amount": n, "per": period.of}
		default:
			g.Differ(place, windows)
			plan["rateLimit"] = object{"average": n, "period": period.of, "algorithm": "slidingWindow"}
		}
	}
	if whole(config["year"], 0) > 0 {
		g.Lose(place+".config.year", "the longest quota is that of a month")
	}
	if len(plan) == 0 {
		return nil
	}
	return plan
}

// unlimited is the plan of those who have no limits, where others have.
func (g *gateway) unlimited() string {
	return g.shared("plans", "unlimited", object{"rateLimit": object{"average": 0}})
}
