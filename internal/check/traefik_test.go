package check

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func findings(list []Finding) string {
	var b strings.Builder
	for _, f := range list {
		fmt.Fprintf(&b, "%d %s %s", f.Line, f.Status, f.What)
		if f.Note != "" {
			b.WriteString(": " + f.Note)
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestTraefik_LineByLine(t *testing.T) {
	for name, tt := range map[string]struct{ file, text, want string }{
		"a compose file": {"compose.yml", `services:
  traefik:
    image: traefik:v3
    command:
      - --providers.docker.exposedbydefault=false
      - --providers.kubernetescrd=true
      - --log.levle=INFO
    environment:
      TRAEFIK_API_INSECURE: "true"
  shop:
    image: shop
    labels:
      - traefik.enable=true
      - traefik.http.routers.shop.rule=Host(` + "`shop.test`" + `)
      - traefik.http.routers.shop.middelwares=limit
      - traefik.http.middlewares.limit.ratelimit.average=10
      - traefik.http.middlewares.extra.plugin.thing.a=b
      - traefik.http.services.shop.loadbalancer.server.port=80
      - org.test=1
`, `5 same --providers.docker.exposedbydefault
6 lost --providers.kubernetescrd: fairway is for containers without Kubernetes
7 wrong --log.levle: there is no option "levle" here (did you mean "--log.level"?)
9 same TRAEFIK_API_INSECURE
13 same traefik.enable
14 same traefik.http.routers.shop.rule
15 wrong traefik.http.routers.shop.middelwares: there is no option "middelwares" here (did you mean "traefik.http.routers.shop.middlewares"?)
16 better traefik.http.middlewares.limit.ratelimit.average: buckets belong to the middleware, survive reloads, and may be shared by Redis, cluster and sentinels included
17 lost traefik.http.middlewares.extra.plugin.thing.a: plugins for Traefik's interpreter do not run here: middlewares lua and wasm do, or one of your own in Go
18 same traefik.http.services.shop.loadbalancer.server.port
`},
		"a stack": {"stack.yml", `x-labels: &common
  traefik.http.routers.a.rule: Host(` + "`a.test`" + `)
services:
  traefik:
    image: traefik
    entrypoint: [traefik, --providers.kubernetescrd=true]
    env_file: [options.env]
  shop:
    image: shop
    labels:
      - traefik.http.routers.b.rulee=x
    deploy:
      labels:
        <<: *common
        traefik.http.services.a.loadbalancer.server.port: "80"
        traefik.http.middlewares.m.plugin.x.y: z
`, `2 same traefik.http.routers.a.rule
6 lost --providers.kubernetescrd: fairway is for containers without Kubernetes
7 unread env_file: what is in files there is not looked at: look at them one by one
15 same traefik.http.services.a.loadbalancer.server.port
16 lost traefik.http.middlewares.m.plugin.x.y: plugins for Traefik's interpreter do not run here: middlewares lua and wasm do, or one of your own in Go
`},
		"routes": {"routes.yml", `http:
  routers:
    shop:
      rule: Host(` + "`shop.test`" + `)
      service: shop
      parentRefs: [other]
  services:
    shop: {loadBalancer: {servers: [{url: 'http://10.0.0.1', wieght: 2}], healthCheck: {path: /}}}
tcp:
  routers:
    db: {rule: 'HostSNI(` + "`*`" + `)', service: bd}
`, `4 same http.routers.shop.rule
5 same http.routers.shop.service
6 lost http.routers.shop.parentRefs: such a router is out of use, for what its parents demand may be what keeps strangers out: write the middlewares into it
8 same http.services.shop.loadBalancer.servers[0].url
8 wrong http.services.shop.loadBalancer.servers[0].wieght: there is no option "wieght" here (did you mean "http.services.shop.loadBalancer.servers[0].weight"?)
8 better http.services.shop.loadBalancer.healthCheck.path: a new server gets requests after its first good answer; rise and fall; kept over reloads
11 same tcp.routers.db.rule
11 same tcp.routers.db.service
11 wrong tcpRouter db@file: its service "bd@file" does not exist
`},
		"an install configuration": {"traefik.toml", `[entryPoints.web]
address = ":80"
[experimental.plugins.a]
moduleName = "x"
[providers.docker]
`, `2 same entryPoints.web.address
4 lost experimental.plugins.a.moduleName: plugins for Traefik's interpreter do not run here: middlewares lua and wasm do, or one of your own in Go
5 same providers.docker
`},
	} {
		t.Run(name, func(t *testing.T) {
			list, err := Traefik(write(t, tt.file, tt.text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, findings(list)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
