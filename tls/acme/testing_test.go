package acme

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/crypto/acme"
)

// patience is how long a condition may take to come true.
const patience = 30 * time.Second

func TestMain(m *testing.M) {
	if dir := os.Getenv("ACME_TEST_STORES_IN"); dir != "" {
		storeForever(dir)
	}
	if url := os.Getenv("ACME_TEST_DNS"); url != "" && len(os.Args) == 4 {
		writeRecord(url, os.Args[1], os.Args[2], os.Args[3])
	}
	code := m.Run()
	if tools.dir != "" {
		_ = os.RemoveAll(tools.dir)
	}
	os.Exit(code)
}

// tools are the authority's programs, built once in a run.
var tools struct {
	once sync.Once
	dir  string
	err  error
}

func tool(t *testing.T, name string) string {
	t.Helper()
	tools.once.Do(func() {
		root, err := filepath.Abs("../..")
		if err == nil {
			tools.dir, err = os.MkdirTemp("", "acme-tools-")
		}
		if err == nil {
			cmd := exec.Command("go", "build", "-modfile="+filepath.Join(root, "tools.mod"), "-o", tools.dir,
				"github.com/letsencrypt/pebble/v2/cmd/pebble", "github.com/letsencrypt/pebble/v2/cmd/pebble-challtestsrv")
			cmd.Dir = root
			var out []byte
			if out, err = cmd.CombinedOutput(); err != nil {
				err = fmt.Errorf("%w: %s", err, out)
			}
		}
		tools.err = err
	})
	if tools.err != nil {
		t.Fatalf("build the authority: %v", tools.err)
	}
	return filepath.Join(tools.dir, name)
}

// authority is a Pebble with its DNS server, and the entry points that it comes to.
type authority struct {
	t          *testing.T
	dir        string // URL of the directory, through a gate
	roots      string // file of the roots of its own server
	management string
	dns        string // host:port
	dnsAPI     string
	gate       *gate
	client     *http.Client
	web        *frontDoor
	start      func() // once more, with nothing remembered
}

type pebbleOptions struct {
	eab       map[string]string
	blocked   []string
	profiles  map[string]any
	alternate bool
}

func newAuthority(t *testing.T, options pebbleOptions) *authority {
	t.Helper()
	dir := t.TempDir()
	cert, roots := writeServerCert(t, dir)
	a := &authority{t: t, roots: roots, web: newFrontDoor(t)}
	ports := freePorts(t, 4)
	a.dns, a.dnsAPI = local(ports[2]), "http://"+local(ports[3])
	a.management = "https://" + local(ports[1])
	a.gate = newGate(t, local(ports[0]))
	a.dir = "https://" + a.gate.address + "/dir"
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(readFile(t, roots))
	a.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}}

	if options.profiles == nil {
		options.profiles = map[string]any{"default": map[string]any{"description": "as ever", "validityPeriod": 7776000}}
	}
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": local(ports[0]), "managementListenAddress": local(ports[1]),
		"certificate": cert + ".pem", "privateKey": cert + ".key",
		"httpPort": a.web.httpPort, "tlsPort": a.web.tlsPort,
		"externalAccountBindingRequired": options.eab != nil, "externalAccountMACKeys": options.eab,
		"domainBlocklist": options.blocked, "keyAlgorithm": "ecdsa", "profiles": options.profiles,
	}})
	if err != nil {
		t.Fatal(err)
	}
	configFile := filepath.Join(dir, "pebble.json")
	writeFile(t, configFile, config)
	env := []string{"PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=20", "PEBBLE_AUTHZREUSE=0"}
	if options.alternate {
		env = append(env, "PEBBLE_ALTERNATE_ROOTS=1")
	}
	start(t, nil, tool(t, "pebble-challtestsrv"), "-http01", "", "-https01", "", "-doh", "", "-tlsalpn01", "",
		"-dnsserver", a.dns, "-management", local(ports[3]), "-defaultIPv6", "")
	var stop func()
	a.start = func() {
		if stop != nil {
			stop()
		}
		stop = start(t, env, tool(t, "pebble"), "-config", configFile, "-strict", "-dnsserver", a.dns)
		await(t, "the authority answers", func() bool { return reachable(local(ports[0])) && reachable(local(ports[1])) })
	}
	a.start()
	await(t, "the DNS server answers", func() bool { return reachable(local(ports[3])) })
	return a
}

func local(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

func reachable(address string) bool {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// freePorts are free for TCP and UDP.
func freePorts(t *testing.T, n int) (ports []int) {
	t.Helper()
	for len(ports) < n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		port := l.Addr().(*net.TCPAddr).Port
		u, err := net.ListenPacket("udp", local(port))
		if err != nil {
			continue
		}
		_ = u.Close()
		ports = append(ports, port)
	}
	return ports
}

// start runs a program until the end of the test, or until stop is called.
func start(t *testing.T, env []string, program string, args ...string) (stop func()) {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() && strings.Contains(program, "pebble") {
			t.Logf("%s:\n%s", filepath.Base(program), out.Bytes()[max(0, out.Len()-1500):])
		}
	})
	t.Cleanup(stop)
	return stop
}

// gate stands in front of the authority, and can be shut.
type gate struct {
	address, to string
	shut        atomic.Bool
	mu          sync.Mutex
	open        map[net.Conn]bool
}

func newGate(t *testing.T, to string) *gate {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{address: l.Addr().String(), to: to, open: map[net.Conn]bool{}}
	t.Cleanup(func() { _ = l.Close(); g.close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go g.pass(conn)
		}
	}()
	return g
}

func (g *gate) pass(conn net.Conn) {
	defer conn.Close()
	if g.shut.Load() {
		return
	}
	far, err := net.Dial("tcp", g.to)
	if err != nil {
		return
	}
	defer far.Close()
	g.mu.Lock()
	g.open[conn] = true
	g.mu.Unlock()
	go func() { _, _ = io.Copy(far, conn); _ = far.Close() }()
	_, _ = io.Copy(conn, far)
	g.mu.Lock()
	delete(g.open, conn)
	g.mu.Unlock()
}

// close shuts the gate and breaks what has gone through.
func (g *gate) close() {
	g.shut.Store(true)
	g.mu.Lock()
	defer g.mu.Unlock()
	for conn := range g.open {
		_ = conn.Close()
	}
}

// frontDoor plays the entry points: port 80 and port 443 as the authority sees them.
type frontDoor struct {
	httpPort, tlsPort int
	mu                sync.Mutex
	behind            []*Resolver
	before            func(r *http.Request) // is called before each challenge over HTTP
}

func newFrontDoor(t *testing.T) *frontDoor {
	t.Helper()
	d := &frontDoor{}
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.mu.Lock()
		before := d.before
		d.mu.Unlock()
		if before != nil {
			before(r)
		}
		for _, resolver := range d.resolvers() {
			if resolver.ServeChallenge(w, r) {
				return
			}
		}
		http.NotFound(w, r)
	}))
	t.Cleanup(plain.Close)
	secure := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.TLS = &tls.Config{GetConfigForClient: d.handshake}
	secure.StartTLS()
	t.Cleanup(secure.Close)
	d.httpPort = plain.Listener.Addr().(*net.TCPAddr).Port
	d.tlsPort = secure.Listener.Addr().(*net.TCPAddr).Port
	return d
}

func (d *frontDoor) handshake(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	for _, r := range d.resolvers() {
		if cert := r.Challenge(hello); cert != nil {
			return &tls.Config{Certificates: []tls.Certificate{*cert}, NextProtos: []string{acme.ALPNProto}}, nil
		}
	}
	for _, r := range d.resolvers() {
		cert := r.Certificate(hello.ServerName)
		if cert == nil {
			var err error
			if cert, err = r.OnDemand(hello); err != nil {
				return nil, err
			}
		}
		if cert != nil {
			return &tls.Config{Certificates: []tls.Certificate{*cert}}, nil
		}
	}
	return nil, errors.New("no certificate")
}

func (d *frontDoor) resolvers() []*Resolver {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.behind)
}

func (d *frontDoor) lead(to ...*Resolver) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.behind = to
}

func (d *frontDoor) hold(before func(*http.Request)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.before = before
}

// visit makes a handshake as a visitor would.
func (d *frontDoor) visit(ctx context.Context, name string) (*x509.Certificate, error) {
	dialer := tls.Dialer{Config: &tls.Config{ServerName: name, InsecureSkipVerify: true}}
	conn, err := dialer.DialContext(ctx, "tcp", local(d.tlsPort))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0], nil
}

// subject is a resolver under test, with what it logs and asks.
type subject struct {
	*Resolver
	t       *testing.T
	orders  atomic.Int64
	log     *syncBuffer
	changes chan struct{}
	stop    func() // Run, and wait for its end
}

// config is one with HTTP-01 at the authority.
func (a *authority) config() *Config {
	var c Config
	c.SetDefaults()
	c.CAServer, c.CACertificates = a.dir, []string{a.roots}
	c.HTTPChallenge = &HTTPChallenge{EntryPoint: "web"}
	c.Storage = filepath.Join(a.t.TempDir(), "acme.json")
	return &c
}

func hurried() pace {
	p := normalPace()
	p.look, p.wait, p.poll, p.window = 300*time.Millisecond, 100*time.Millisecond, 30*time.Millisecond, time.Second
	p.first, p.register = time.Hour, 50*time.Millisecond
	return p
}

// resolver makes one that does not run yet.
func (a *authority) resolver(c *Config, edit func(*Env)) *subject {
	a.t.Helper()
	s := &subject{t: a.t, log: &syncBuffer{}, changes: make(chan struct{}, 1)}
	logger := logrus.New()
	logger.Out, logger.Level = s.log, logrus.DebugLevel
	env := Env{Name: "le", Log: logger, Changed: func() {
		select {
		case s.changes <- struct{}{}:
		default:
		}
	}}
	if edit != nil {
		edit(&env)
	}
	r, err := c.New(env)
	if err != nil {
		a.t.Fatal(err)
	}
	s.Resolver = r
	r.pace = hurried()
	r.base = counting{r.base, "/order-plz", &s.orders}
	return s
}

// run starts it, and leads the authority to it.
func (a *authority) run(c *Config, edit func(*pace)) *subject {
	a.t.Helper()
	s := a.resolver(c, nil)
	if edit != nil {
		edit(&s.pace)
	}
	a.web.lead(s.Resolver)
	s.begin()
	return s
}

func (s *subject) begin() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		s.Run(ctx)
		close(ended)
	}()
	s.stop = sync.OnceFunc(func() {
		cancel()
		<-ended
	})
	s.t.Cleanup(func() {
		s.stop()
		if s.t.Failed() {
			s.t.Logf("log:\n%s", s.log)
		}
	})
}

// await waits for something that comes with a change.
func (s *subject) await(what string, holds func() bool) {
	s.t.Helper()
	end := time.After(patience)
	for !holds() {
		select {
		case <-s.changes:
		case <-time.After(50 * time.Millisecond):
		case <-end:
			s.t.Fatalf("in vain waited until %s; status: %+v", what, s.Status())
		}
	}
}

func (s *subject) want(lists ...[]string) {
	var all []Wanted
	for i, names := range lists {
		all = append(all, Wanted{Names: names, By: fmt.Sprintf("router%d@docker", i)})
	}
	s.Want(all)
}

func (s *subject) awaitCertificate(name string) *tls.Certificate {
	s.t.Helper()
	s.await(name+" has a certificate", func() bool { return s.Certificate(name) != nil })
	return s.Certificate(name)
}

// about is the status of a main name.
func (s *subject) about(name string) (status Status) {
	for _, st := range s.Status() {
		if st.Names[0] == name {
			return st
		}
	}
	return Status{}
}

// record is what is stored of a certificate.
func (s *subject) record(key string) (rec record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.entries[key]; e != nil {
		return e.rec
	}
	return rec
}

// settled waits until everything that was wanted has been looked at once.
func (s *subject) settled(lists ...[]string) {
	s.t.Helper()
	marker := fmt.Sprintf("marker:%d", time.Now().UnixNano()) // names have no port
	s.want(append(lists, []string{marker})...)
	s.await("the list is planned", func() bool { return s.about(marker).Error != "" })
}

// counting counts requests to a path.
type counting struct {
	base http.RoundTripper
	path string
	n    *atomic.Int64
}

func (c counting) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := c.base.RoundTrip(r)
	if err == nil && r.Method == http.MethodPost && strings.HasPrefix(r.URL.Path, c.path) && resp.StatusCode != http.StatusBadRequest {
		c.n.Add(1) // a rejected nonce is no order
	}
	return resp, err
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("in vain waited until %s", what)
		}
	}
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func writeFile(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// selfSigned is a certificate as PEM text.
func selfSigned(t testing.TB, notAfter time.Time, names ...string) (chain, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<60))
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: names[0]}, NotBefore: notAfter.Add(-90 * 24 * time.Hour), NotAfter: notAfter,
		DNSNames: names, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, BasicConstraintsValid: true, IsCA: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	key, err = encodeKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), key
}

func writeServerCert(t *testing.T, dir string) (base, roots string) {
	t.Helper()
	chain, key := selfSigned(t, time.Now().Add(time.Hour), "localhost")
	base = filepath.Join(dir, "server")
	writeFile(t, base+".pem", chain)
	writeFile(t, base+".key", key)
	return base, base + ".pem"
}

// post sends JSON to an API of a tool.
func post(t *testing.T, client *http.Client, url string, body any) {
	t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Post(url, "application/json", bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		t.Fatalf("POST %s: %s", url, resp.Status)
	}
}

func get(t *testing.T, client *http.Client, url string) string {
	t.Helper()
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s %v", url, resp.Status, err)
	}
	return string(body)
}
