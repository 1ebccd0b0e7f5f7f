package router

import (
	"strings"
	"testing"

	"fairway/internal/plans"
)

func TestPlans_AreThoseOfTheConfiguration(t *testing.T) {
	env := newEnv()
	env.Plans = &plans.Live{}
	r := New(env)
	r.Apply(parse(t, "file", `http:
  plans:
    gold: {quota: {amount: 5, per: month}}
    half: {quota: {amount: 5, per: month, nothing: 1}}
    wrong: {rateLimit: {average: -1}}
    empty: {}
  consumers:
    ann: {plan: gold}
    bob: {plan: glod}
  middlewares:
    plans: {plan: {default: fre}}
`))
	set := env.Plans.Now()
	if set.Named("gold@file") == nil {
		t.Error("there is no plan gold")
	}
	for _, name := range []string{"half@file", "wrong@file", "empty@file"} {
		if set.Named(name) != nil {
			t.Errorf("%s is a plan, though something is wrong with it", name)
		}
	}
	var text strings.Builder
	for _, p := range r.Table().Problems() {
		text.WriteString(p.String() + "\n")
	}
	for _, want := range []string{"nothing", "average must not be negative", "neither rateLimit nor quota", `there is no plan "glod@file"`, `there is no plan "fre@file"`} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no problem says %q:\n%s", want, text.String())
		}
	}
	same := parse(t, "file", "http: {plans: {gold: {quota: {amount: 5, per: month}}}}")
	r.Apply(same)
	before := env.Plans.Now()
	r.Apply(parse(t, "file", "http: {plans: {gold: {quota: {amount: 5, per: month}}}, consumers: {ann: {plan: gold}}}"))
	if env.Plans.Now() != before {
		t.Error("plans that say the same are others")
	}
}
