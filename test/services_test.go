//go:build e2e

package test

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// Health checks by labels: a container that says that it is ill gets no requests, and
// gets them again when it is well.
func TestServices_HealthCheckByLabels(t *testing.T) {
	e := needDocker(t)
	f := dockerFairway(t, e)
	for _, name := range []string{"checked_one", "checked_two"} {
		e.container(t, name,
			"-l", "traefik.http.routers.checked.rule=Host(`checked.test`)",
			"-l", "traefik.http.routers.checked.service=checked",
			"-l", "com.docker.compose.project=checks", "-l", "com.docker.compose.service=checked",
			"-l", "traefik.http.services.checked.loadbalancer.healthcheck.path=/health",
			"-l", "traefik.http.services.checked.loadbalancer.healthcheck.interval=20ms",
			"-l", "traefik.http.services.checked.loadbalancer.server.port=80")
	}
	seen := func() map[string]bool {
		names := map[string]bool{}
		for range 6 {
			if a := f.get("checked.test", "/"); a.status == http.StatusOK {
				names[a.Name] = true
			}
		}
		return names
	}
	f.await("both containers", func() bool { return len(seen()) == 2 })
	ill := f.get("checked.test", "/").Name
	f.await("one to fall ill", func() bool { return f.get("checked.test", "/ill").status == http.StatusOK })
	f.await("one to be left out", func() bool { return len(seen()) == 1 })
	if got := f.get("checked.test", "/").status; got != http.StatusOK {
		t.Errorf("with one that is well (%s was asked first): got %d", ill, got)
	}
	f.get("checked.test", "/ill")
	f.await("none", func() bool { return f.get("checked.test", "/").status == http.StatusServiceUnavailable })
}

// Services made of others, and what keeps a client at its server, by labels.
func TestServices_OfServicesAndStickyByLabels(t *testing.T) {
	e := needDocker(t)
	f := dockerFairway(t, e)
	e.container(t, "part_old",
		"-l", "fairway.http.routers.shop.rule=Host(`parts.test`)", "-l", "fairway.http.routers.shop.service=shop",
		"-l", "fairway.http.services.old.loadbalancer.server.port=80",
		"-l", "fairway.http.services.shop.weighted.services[0].name=old",
		"-l", "fairway.http.services.shop.weighted.services[0].weight=3",
		"-l", "fairway.http.services.shop.weighted.services[1].name=new",
		"-l", "fairway.http.services.shop.weighted.sticky=true")
	e.container(t, "part_new",
		"-l", "fairway.http.routers.new.rule=Host(`new.test`)",
		"-l", "fairway.http.services.new.loadbalancer.server.port=80",
		"-l", "fairway.http.services.new.loadbalancer.passivehealthcheck=true")
	f.awaitStatus("parts.test", http.StatusOK)
	count := map[string]int{}
	var cookie string
	for range 8 {
		a := f.get("parts.test", "/")
		count[a.Name]++
		cookie = a.header.Get("Set-Cookie")
	}
	if count["part_old"] != 6 || count["part_new"] != 2 {
		t.Errorf("got %v, want 6 and 2", count)
	}
	if cookie == "" {
		t.Error("no cookie was given")
	}
	e.do(t, "stop", "-t", "1", "part_new")
	f.await("the rest to go on alone", func() bool {
		for range 8 {
			if f.get("parts.test", "/").Name != "part_old" {
				return false
			}
		}
		return true
	})
	f.problem("shop", "goes on without one of its services", "new@docker")
}

// One answer of two containers, and of one that is not there, by labels.
func TestServices_AggregateByLabels(t *testing.T) {
	e := needDocker(t)
	f := dockerFairway(t, e)
	const page = "fairway.http.services.page.aggregate."
	e.container(t, "agg_one", "-l", "fairway.http.services.one.loadbalancer.server.port=80",
		"-l", "fairway.http.routers.page.rule=Host(`page.test`)", "-l", "fairway.http.routers.page.service=page",
		"-l", page+"path=/pages/{id}",
		"-l", page+"parts.first.service=one", "-l", page+"parts.first.path=/first/{path.id}", "-l", page+"parts.first.query.lang={query.lang|de}",
		"-l", page+"parts.second.service=one", "-l", page+"parts.second.path=/second", "-l", page+"parts.second.headers.X-From={parts.first.path}",
		"-l", page+"parts.broken.service=two", "-l", page+"parts.broken.path=/status/503", "-l", page+"parts.broken.required=false", "-l", page+"parts.broken.fallback=[]",
		"-l", page+`result={first: .parts.first.path, second: [.parts.second.name, .parts.second.headers["X-From"][0]], broken: .parts.broken, partial: [.partial[].status]}`)
	e.container(t, "agg_two", "-l", "fairway.http.services.two.loadbalancer.server.port=80")
	f.awaitStatus("page.test", http.StatusNotFound) // the path is none of its
	f.await("the page", func() bool { return f.get("page.test", "/pages/7").status == http.StatusOK })
	a := f.get("page.test", "/pages/a%2Fb")
	if want := `{"broken":[],"first":"/first/a%2Fb?lang=de","partial":[503],"second":["agg_one","/first/a%2Fb?lang=de"]}` + "\n"; a.text != want {
		t.Errorf("got %s, want %s", a.text, want)
	}
	if got := a.header.Get("Fairway-Partial"); !strings.HasPrefix(got, "broken;status=503;") {
		t.Errorf("got %s", got)
	}
	e.do(t, "stop", "-t", "1", "agg_two")
	f.await("the page to go on without it", func() bool {
		a := f.get("page.test", "/pages/7")
		return a.status == http.StatusOK && a.header.Get("Fairway-Partial") == `broken;cause="its service does not exist";ms=0` && strings.Contains(a.text, `"broken":[]`)
	})
}

// One page has several shapes, and one name several services, by who asks.
func TestServices_VariantsByLabels(t *testing.T) {
	e := needDocker(t)
	f := dockerFairway(t, e)
	const page, choice = "fairway.http.services.shape.aggregate.", "fairway.http.services.either.variants."
	e.container(t, "var_one", "-l", "fairway.http.services.vone.loadbalancer.server.port=80",
		"-l", "fairway.http.routers.shape.rule=Host(`shape.test`)", "-l", "fairway.http.routers.shape.service=shape",
		"-l", page+"parts.a.service=vone", "-l", page+"parts.a.path=/a", "-l", page+"parts.a.query.size={variant.pageSize|20}", "-l", page+"parts.a.pick={name, path}",
		"-l", page+"parts.b.service=vtwo", "-l", page+"parts.b.pick={name, path}",
		"-l", page+"variantby={header.X-Client},{client}", "-l", page+"variants.mobile.parts=a", "-l", page+"variants.mobile.values.pageSize=5",
		"-l", page+"fields.allow=a,b.name",
		"-l", "fairway.http.routers.either.rule=Host(`either.test`)", "-l", "fairway.http.routers.either.service=either",
		"-l", choice+"by={path.0},{header.X-Client}", "-l", choice+"services.mobile=vtwo", "-l", choice+"default=vone")
	e.container(t, "var_two", "-l", "fairway.http.services.vtwo.loadbalancer.server.port=80")
	f.awaitStatus("shape.test", http.StatusOK)
	f.awaitStatus("either.test", http.StatusOK)
	with := func(host, path string, header ...string) answer {
		req, err := http.NewRequest(http.MethodGet, "http://"+f.address("web")+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		res, err := fresh.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		return answer{status: res.StatusCode, header: res.Header, text: strings.TrimSpace(string(body))}
	}
	const phone = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36"
	for _, tt := range []struct {
		path   string
		header []string
		want   string
	}{
		{"/", nil, `{"a":{"name":"var_one","path":"/a?size=20"},"b":{"name":"var_two"}}`},
		{"/", []string{"User-Agent", phone}, `{"a":{"name":"var_one","path":"/a?size=5"}}`},
		{"/?fields=b", []string{"X-Client", "web"}, `{"b":{"name":"var_two"}}`},
		{"/?fields=b.path", nil, `{"type":"about:blank","title":"Bad Request","status":400,"detail":"fields: there is no field \"b.path\""}`},
	} {
		if got := with("shape.test", tt.path, tt.header...); got.text != tt.want || strings.Join(got.header["Vary"], ", ") != "X-Client, User-Agent, Sec-Ch-Ua-Mobile" {
			t.Errorf("%s %q: got %s, %v", tt.path, tt.header, got.text, got.header)
		}
	}
	for _, tt := range []struct{ path, client, want string }{{"/", "", "var_one"}, {"/mobile/x", "", "var_two"}, {"/", "mobile", "var_two"}, {"/", "other", "var_one"}} {
		if got := with("either.test", tt.path, "X-Client", tt.client); !strings.Contains(got.text, `"name":"`+tt.want+`"`) || got.header.Get("Vary") != "X-Client" {
			t.Errorf("%v: got %s, %v", tt, got.text, got.header)
		}
	}
	if a := f.get("either.test", "/"); a.Name != "var_one" {
		t.Errorf("got %s", a.text)
	}
}

func TestServices_GraphQLByLabels(t *testing.T) {
	e := needDocker(t)
	f := dockerFairway(t, e)
	const shop = "fairway.http.services.graph.aggregate."
	e.container(t, "graph_one", "-l", "fairway.http.services.gone.loadbalancer.server.port=80",
		"-l", "fairway.http.routers.graph.rule=Host(`graph.test`)", "-l", "fairway.http.routers.graph.service=graph",
		"-l", shop+"graphql.schema=type Query { thing(id: ID!): Thing } type Thing { name: String, path: String, inner: Thing }",
		"-l", shop+"graphql.queries.page=query($id: ID!) { thing(id: $id) { name inner { path } } }",
		"-l", shop+"parts.thing.service=gone", "-l", shop+"parts.thing.path=/things/{args.id}",
		"-l", shop+"parts.inner.service=gone", "-l", shop+"parts.inner.field=Thing.inner", "-l", shop+"parts.inner.path=/inner", "-l", shop+"parts.inner.query.of={parent.path}")
	f.awaitStatus("graph.test", http.StatusOK)
	a := f.get("graph.test", "/?id=page&variables=%7B%22id%22%3A%22a%2Fb%22%7D")
	if want := `{"data":{"thing":{"name":"graph_one","inner":{"path":"/inner?of=%2Fthings%2Fa%252Fb"}}}}`; a.text != want {
		t.Errorf("got %s, want %s", a.text, want)
	}
	if a := f.get("graph.test", "/?query=%7B__typename%7D"); !strings.Contains(a.text, "only known queries are answered") {
		t.Errorf("got %s", a.text)
	}
}
