package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// The cores: one for the proxy, one for all the rest.
const (
	proxyCore = "0"
	loadCore  = "1"
)

// bench is what all measurements share.
type bench struct {
	dir      string
	fairway  string
	duration time.Duration
	origin   *exec.Cmd
	port     int // of the origin
	debug    int // port of fairway's profiles; 0: none
	issuer   *ecdsa.PrivateKey
	token    string // that the issuer has signed
}

// prepare writes the configurations and starts the origin.
func (b *bench) prepare() error {
	b.port = freePort()
	files := map[string]string{
		"1k":       strings.Repeat("x", 1<<10),
		"100k":     strings.Repeat("x", 100<<10),
		"post.lua": "wrk.method = 'POST'\nwrk.body = string.rep('x', 16384)\n",
		"origin.conf": fmt.Sprintf(`daemon off; worker_processes 1; error_log /dev/null; pid %[1]s/origin.pid;
events { worker_connections 8192; }
http { access_log off; keepalive_requests 1000000000; client_max_body_size 1m; client_body_buffer_size 64k;
  server { listen 127.0.0.1:%[2]d backlog=4096 reuseport;
    location /post { return 200 "ok"; }
    location / { root %[1]s; } } }
`, b.dir, b.port),
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(b.dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	for _, folder := range []string{"cached", "lua"} {
		if err := os.MkdirAll(filepath.Join(b.dir, folder), 0o755); err != nil {
			return err
		}
		if err := os.Link(filepath.Join(b.dir, "1k"), filepath.Join(b.dir, folder, "1k")); err != nil {
			return err
		}
	}
	if err := b.certificate(); err != nil {
		return err
	}
	if err := b.issue(); err != nil {
		return err
	}
	b.origin = exec.Command("taskset", "-c", loadCore, "nginx", "-c", b.dir+"/origin.conf", "-p", b.dir)
	if err := b.origin.Start(); err != nil {
		return err
	}
	return await(b.port)
}

func (b *bench) end() {
	if b.origin != nil && b.origin.Process != nil {
		_ = b.origin.Process.Signal(syscall.SIGTERM)
		_ = b.origin.Wait()
	}
}

// certificate makes a P-256 certificate for everybody.
func (b *bench) certificate() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	b.issuer = key
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bench"}, DNSNames: []string{"bench.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	private := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER})
	for name, text := range map[string][]byte{"cert.pem": cert, "key.pem": private, "both.pem": append(cert, private...)} {
		if err := os.WriteFile(filepath.Join(b.dir, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// issue makes the token that clients bring, with what such tokens have in it.
func (b *bench) issue() (err error) {
	b.token, err = jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{
		"iss": "https://id.example/realms/bench", "sub": "f3a1c0de-0000-4000-8000-000000000017", "aud": []string{"shop", "account"}, "exp": time.Now().Add(24 * time.Hour).Unix(),
		"scope": "openid profile email", "email": "ann@example.com", "realm_access": map[string]any{"roles": []string{"user", "staff"}},
	}).SignedString(b.issuer)
	return err
}

// peer is a proxy at work.
type peer struct {
	api           string // of fairway
	cmd           *exec.Cmd
	plain, secure string
}

// start starts a proxy on free ports, pinned to its core.
func (b *bench) start(name, setup string) (*peer, error) {
	plain, secure := freePort(), freePort()
	p := &peer{plain: fmt.Sprintf("http://127.0.0.1:%d", plain), secure: fmt.Sprintf("https://127.0.0.1:%d", secure)}
	for _, log := range []string{"access.log", "access-nginx.log"} { // gigabytes in the end, which the disk would be busy with
		_ = os.Remove(filepath.Join(b.dir, log))
	}
	config := filepath.Join(b.dir, name+".conf")
	var command []string
	var text string
	switch name {
	case "nginx":
		if _, err := os.Stat(luaModule); err != nil && setup == "lua" {
			return nil, errors.New("nginx has no Lua: install libnginx-mod-http-lua")
		}
		text, command = nginxConfig(b, plain, secure, setup), []string{"nginx", "-c", config, "-p", b.dir}
	case "haproxy":
		text, command = haproxyConfig(b, plain, secure, setup), []string{"haproxy", "-db", "-f", config}
	case "fairway", "fairway-std":
		config += ".yml"
		text = fairwayConfig(b, setup)
		command = []string{
			b.fairway, "--providers.file.filename=" + config, "--log.level=ERROR",
			fmt.Sprintf("--entrypoints.web.address=127.0.0.1:%d", plain), fmt.Sprintf("--entrypoints.websecure.address=127.0.0.1:%d", secure),
		}
		if slices.Contains([]string{"logged", "observed", "traced"}, setup) { // the log is written to a file, as anybody's
			command = append(command, "--accesslog.filepath="+filepath.Join(b.dir, "access.log"))
		}
		command = append(command, installSetups[setup]...)
		if strings.HasSuffix(setup, "page") {
			api := freePort()
			p.api = fmt.Sprintf("http://127.0.0.1:%d", api)
			command = append(command, "--api.insecure", fmt.Sprintf("--entrypoints.traefik.address=127.0.0.1:%d", api))
		}
		if b.debug != 0 {
			command = append(command, "--api.insecure", "--api.debug", fmt.Sprintf("--entrypoints.traefik.address=127.0.0.1:%d", b.debug))
		}
		if name == "fairway-std" {
			command = append(command, "--entrypoints.web.engine=std", "--entrypoints.websecure.engine=std")
		}
	default:
		return nil, fmt.Errorf("there is no proxy %q", name)
	}
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		return nil, err
	}
	p.cmd = exec.Command("taskset", append([]string{"-c", proxyCore}, command...)...)
	p.cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	p.cmd.Stderr = os.Stderr
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	if err := await(plain); err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

func (p *peer) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	done := make(chan struct{})
	go func() { _ = p.cmd.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(3 * time.Second):
		_ = p.cmd.Process.Kill()
		<-done
	}
}

// What nginx has of OpenResty, and a script for it that does what that of fairway does.
const (
	luaModule = "/usr/lib/nginx/modules/ngx_http_lua_module.so"
	luaNginx  = `location /lua/ { proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host;
      proxy_set_header X-Real-IP $remote_addr; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $http_host;
      proxy_set_header X-Forwarded-Port $server_port; proxy_set_header X-Forwarded-Server bench;
      access_by_lua_block { ngx.req.set_header("X-Edge", "edge-" .. (ngx.req.get_headers()["X-Id"] or "none")) ngx.req.set_header("X-Version", "2") }
      header_filter_by_lua_block { ngx.header["X-Served"] = ngx.var.request_method .. " " .. ngx.var.uri } }`
	luaFairway = `function on_request(request) request.headers:set("X-Edge", "edge-" .. (request.headers:get("X-Id") or "none")) request.headers:set("X-Version", "2") end` +
		` function on_response(request, response) response.headers:set("X-Served", request.method .. " " .. request.path) end`
)

func nginxConfig(b *bench, plain, secure int, setup string) string {
	modules, location, log := "", "", "access_log off;"
	if setup == "logged" {
		log = fmt.Sprintf("%s access_log %s/access-nginx.log line buffer=64k flush=1s;", logNginx, b.dir)
	}
	if setup == "lua" {
		modules, location = "load_module "+filepath.Join(filepath.Dir(luaModule), "ndk_http_module.so")+"; load_module "+luaModule+";", luaNginx
	}
	return fmt.Sprintf(`%[5]s daemon off; worker_processes 1; error_log /dev/null; pid %[1]s/nginx.pid;
events { worker_connections 16384; }
http { %[7]s keepalive_requests 1000000000; client_body_buffer_size 64k;
  proxy_cache_path %[1]s/nginx-cache keys_zone=cache:10m max_size=256m inactive=1h use_temp_path=off;
  upstream origin { server 127.0.0.1:%[2]d; keepalive 512; keepalive_requests 1000000000; }
  server { listen 127.0.0.1:%[3]d backlog=4096; listen 127.0.0.1:%[4]d ssl http2 backlog=4096;
    ssl_certificate %[1]s/cert.pem; ssl_certificate_key %[1]s/key.pem; ssl_protocols TLSv1.2 TLSv1.3; ssl_session_tickets off;
    location /cached/ { proxy_pass http://origin; proxy_cache cache; proxy_cache_valid 200 1h; add_header X-Cache-Status $upstream_cache_status;
      sendfile on; tcp_nopush on; open_file_cache max=1000; }
    %[6]s
    location / { proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host;
      proxy_set_header X-Real-IP $remote_addr; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $http_host;
      proxy_set_header X-Forwarded-Port $server_port; proxy_set_header X-Forwarded-Server bench; } } }
`, b.dir, b.port, plain, secure, modules, location, log)
}

// logNginx is a line like that of fairway: the same fields, as far as nginx knows them, and as long.
const logNginx = `log_format line escape=json '{"level":"info","msg":"","StartUTC":"$time_iso8601","StartLocal":"$time_iso8601","Duration":$request_time,"entryPointName":"web",'
    '"RouterName":"all@file","ServiceName":"origin@file","ServiceURL":"http://$upstream_addr","ServiceAddr":"$upstream_addr","ClientAddr":"$remote_addr:$remote_port",'
    '"ClientHost":"$remote_addr","ClientPort":"$remote_port","ClientUsername":"$remote_user","RequestAddr":"$http_host","RequestHost":"$host","RequestPort":"$server_port",'
    '"RequestMethod":"$request_method","RequestProtocol":"$server_protocol","RequestScheme":"$scheme","RequestPath":"$request_uri","RequestContentSize":$request_length,'
    '"OriginStatus":$upstream_status,"OriginContentSize":$upstream_response_length,"OriginDuration":$upstream_response_time,"Overhead":$upstream_header_time,'
    '"DownstreamStatus":$status,"DownstreamContentSize":$body_bytes_sent,"RetryAttempts":0,"RequestCount":$connection_requests,"time":"$time_iso8601"}';`

func haproxyConfig(b *bench, plain, secure int, setup string) string {
	if setup == "stream" {
		return fmt.Sprintf(`global
  nbthread 1
  maxconn 4000
defaults
  mode tcp
  option splice-auto
  timeout client 30s
  timeout server 30s
  timeout connect 5s
frontend f
  bind 127.0.0.1:%[3]d
  bind 127.0.0.1:%[4]d ssl crt %[1]s/both.pem
  default_backend o
backend o
  server s 127.0.0.1:%[2]d
`, b.dir, b.port, plain, secure)
	}
	return fmt.Sprintf(`global
  nbthread 1
  maxconn 8000
defaults
  mode http
  timeout client 30s
  timeout server 30s
  timeout connect 5s
  http-reuse always
  option forwardfor
frontend f
  bind 127.0.0.1:%[3]d
  bind 127.0.0.1:%[4]d ssl crt %[1]s/both.pem alpn h2,http/1.1
  http-request set-header X-Real-IP %%[src]
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Forwarded-Host %%[req.hdr(host)]
  http-request set-header X-Forwarded-Port 80
  http-request set-header X-Forwarded-Server bench
  default_backend o
backend o
  server s 127.0.0.1:%[2]d maxconn 512
`, b.dir, b.port, plain, secure)
}

// look opens a page of the dashboard that shows requests; what it returns closes it.
func (p *peer) look() (func(), error) {
	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.api+"/api/events?requests=1", nil)
	if err != nil {
		cancel()
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		cancel()
		return nil, err
	}
	go func() {
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
	}()
	return cancel, nil
}

// installSetups are setups that are made by install options, not by middlewares.
var installSetups = map[string][]string{
	"logged":   {"--accesslog.format=json"},
	"observed": {"--accesslog.format=json", "--metrics.prometheus", "--entrypoints.traefik.address=127.0.0.1:0"},
	"traced":   {"--accesslog.format=json", "--metrics.prometheus", "--entrypoints.traefik.address=127.0.0.1:0", "--tracing.samplerate=0.01"},
}

func fairwayConfig(b *bench, setup string) string {
	var s strings.Builder
	if setup == "stream" {
		return fmt.Sprintf(`tcp:
  services: {origin: {loadBalancer: {servers: [{address: '127.0.0.1:%d'}]}}}
  routers:
    plain: {rule: 'HostSNI("*")', service: origin, entryPoints: [web]}
    tls: {rule: 'HostSNI("*")', service: origin, entryPoints: [websecure], tls: {}}
`, b.port)
	}
	chain := setup
	if setup == "many" || strings.HasSuffix(setup, "page") || installSetups[setup] != nil {
		chain = ""
	}
	secure := ""
	if setup == "cache" {
		secure = chain
	}
	fmt.Fprintf(&s, `http:
  middlewares:
    headers: {headers: {customRequestHeaders: {X-Bench: 'yes'}, customResponseHeaders: {X-Bench: 'yes'}}}
    limit: {rateLimit: {average: 1000000, burst: 1000000}}
    window: {rateLimit: {average: 1000000, algorithm: slidingWindow}}
    compress: {compress: {}}
    inflight: {inFlightReq: {amount: 1000}}
    retry: {retry: {attempts: 2}}
    lua: {lua: {script: '%[5]s'}}
    jwt: {jwt: {issuer: 'https://id.example/realms/bench', audiences: [shop], publicKeys: ['%[3]s/cert.pem'], scopes: [openid], forwardHeaders: {X-User: sub, X-Email: email}}}
    keys: {apiKey: {consumers: false, keys: ['bench=sha256:2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683']}}
    cache: {cache: {ttl: {'200': 1h}}}
    nothing: {cache: {}}
    breaker: {circuitBreaker: {expression: 'NetworkErrorRatio() > 0.5 || LatencyAtQuantileMS(50.0) > 10000'}}
  services: {origin: {loadBalancer: {servers: [{url: 'http://127.0.0.1:%[1]d'}]}}}
  routers:
    all: {rule: 'PathPrefix("/")', service: origin, entryPoints: [web], middlewares: [%[2]s]}
    tls: {rule: 'PathPrefix("/")', service: origin, entryPoints: [websecure], tls: {}, middlewares: [%[4]s]}
`, b.port, chain, b.dir, secure, luaFairway)
	if setup == "many" {
		for i := range 10000 {
			fmt.Fprintf(&s, "    r%[1]d: {rule: 'Host(`r%[1]d.test`)', service: origin, entryPoints: [web]}\n", i)
		}
	}
	return s.String()
}

// cpu is the processor time that a proxy and its children have used.
func (p *peer) cpu() (time.Duration, error) {
	total := 0
	for _, pid := range family(p.cmd.Process.Pid) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue // gone meanwhile
		}
		// The name in parentheses may contain anything; utime and stime are the
		// 12th and 13th fields behind it.
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		if len(fields) < 13 {
			return 0, fmt.Errorf("/proc/%d/stat cannot be read", pid)
		}
		for _, f := range fields[11:13] {
			n, _ := strconv.Atoi(f)
			total += n
		}
	}
	const ticksPerSecond = 100 // USER_HZ of Linux
	return time.Duration(total) * time.Second / ticksPerSecond, nil
}

// family lists a process and its children.
func family(pid int) []int {
	pids := []int{pid}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%[1]d/task/%[1]d/children", pid))
	if err != nil {
		return pids
	}
	for f := range strings.FieldsSeq(string(text)) {
		if n, err := strconv.Atoi(f); err == nil {
			pids = append(pids, family(n)...)
		}
	}
	return pids
}

func freePort() int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// await waits until somebody listens at a port.
func await(port int) error {
	deadline := time.Now().Add(20 * time.Second)
	for {
		conn, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), time.Second)
		if err == nil {
			return conn.Close()
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("nobody listens: %w", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
