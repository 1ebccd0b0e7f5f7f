//go:build e2e

package test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"fairway/internal/certtest"
)

// directory is a real slapd with a few people.
type directory struct {
	port string
	dir  string
	cmd  *exec.Cmd
}

const people = `dn: dc=example,dc=com
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: ou=people,dc=example,dc=com
objectClass: organizationalUnit
ou: people

dn: ou=groups,dc=example,dc=com
objectClass: organizationalUnit
ou: groups

dn: uid=ann,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: ann
cn: Ann
sn: A
mail: ann@example.com
employeeType: clerk
userPassword: secret-of-ann

dn: uid=bob\2C the builder,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: bob, the builder
cn: Bob
sn: B
userPassword: secret-of-bob

dn: uid=twin,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: twin
cn: Ann
sn: T
mail: ann@example.com
userPassword: secret-of-twin

dn: uid=Theo,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: Theo
uid: other-theo
cn: Theo
sn: T
mail: theo@example.com
userPassword: secret-of-theo

dn: ou=hidden,dc=example,dc=com
objectClass: organizationalUnit
ou: hidden

dn: uid=eve,ou=hidden,dc=example,dc=com
objectClass: inetOrgPerson
uid: eve
cn: Eve
sn: E
userPassword: secret-of-eve

dn: cn=staff,ou=groups,dc=example,dc=com
objectClass: groupOfNames
cn: staff
member: uid=ann,ou=people,dc=example,dc=com
`

func startDirectory(t *testing.T, a *certtest.Authority) *directory {
	t.Helper()
	needProgram(t, "slapd")
	d := &directory{port: freePort(t), dir: t.TempDir()}
	cert, key := a.Files(time.Now().Add(time.Hour), "localhost")
	conf := `include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile DIR/pid
TLSCertificateFile ` + cert + `
TLSCertificateKeyFile ` + key + `
database mdb
maxsize 10485760
suffix "dc=example,dc=com"
rootdn "cn=admin,dc=example,dc=com"
rootpw s3cret
directory DIR/data
access to attrs=userPassword by anonymous auth by * none
access to dn.subtree="ou=hidden,dc=example,dc=com" by anonymous auth by * none
access to * by dn.exact="cn=admin,dc=example,dc=com" read by self read by * none
`
	write := func(name, text string) string {
		path := filepath.Join(d.dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if err := os.Mkdir(filepath.Join(d.dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	file := write("slapd.conf", strings.ReplaceAll(conf, "DIR", d.dir))
	if out, err := exec.Command("slapadd", "-f", file, "-l", write("people.ldif", people)).CombinedOutput(); err != nil {
		t.Fatalf("slapadd: %v\n%s", err, out)
	}
	d.start(t)
	t.Cleanup(d.stop)
	return d
}

func (d *directory) start(t *testing.T) {
	t.Helper()
	d.cmd = exec.Command("slapd", "-d", "0", "-f", filepath.Join(d.dir, "slapd.conf"), "-h", "ldap://127.0.0.1:"+d.port)
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, "slapd to listen", func() bool {
		conn, err := net.Dial("tcp", "127.0.0.1:"+d.port)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
}

func (d *directory) stop() {
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	_ = d.cmd.Wait()
}

func TestLDAP_UsersOfARealDirectory(t *testing.T) {
	a := certtest.NewAuthority(t, "ldap")
	d := startDirectory(t, a)
	dir := t.TempDir()
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _ = json.NewEncoder(w).Encode(r.Header) }))
	t.Cleanup(echo.Close)
	backend := echo.URL
	ca := certtest.File(t, "ca.pem", a.PEM())
	common := "url: 'ldap://localhost:" + d.port + "', startTLS: true, caFiles: ['" + ca + "'], baseDN: 'ou=people,dc=example,dc=com', headerField: X-User, cacheFor: 0s"
	searching := common + ", bindDN: 'cn=admin,dc=example,dc=com', bindPassword: s3cret, searchFilter: '(|(uid=%s)(mail=%s))', groupBaseDN: 'ou=groups,dc=example,dc=com', groupsAttribute: employeeType"
	routes := strings.ReplaceAll(`http:
  routers:
    found: {rule: Host(@found.test@), service: s, middlewares: [found, told]}
    direct: {rule: Host(@direct.test@), service: s, middlewares: [direct, told]}
    staff: {rule: Host(@staff.test@), service: s, middlewares: [found, staff]}
    untrusted: {rule: Host(@untrusted.test@), service: s, middlewares: [untrusted]}
    kept: {rule: Host(@kept.test@), service: s, middlewares: [kept]}
    banned: {rule: Host(@banned.test@), service: s, middlewares: [direct, banned]}
    banned-found: {rule: Host(@banned-found.test@), service: s, middlewares: [found, banned]}
    hidden: {rule: Host(@hidden.test@), service: s, middlewares: [hidden]}
    nameless: {rule: Host(@nameless.test@), service: s, middlewares: [nameless]}
  services: {s: {loadBalancer: {servers: [{url: '`+backend+`'}]}}}
  consumers: {ann: {users: [ann], plan: gold}}
  middlewares:
    found: {ldapAuth: {`+searching+`}}
    direct: {ldapAuth: {`+common+`, groupsAttribute: employeeType}}
    untrusted: {ldapAuth: {`+strings.Replace(common, ", caFiles: ['"+ca+"']", "", 1)+`}}
    kept: {ldapAuth: {`+strings.Replace(searching, "cacheFor: 0s", "cacheFor: 1h", 1)+`}}
    hidden: {ldapAuth: {`+strings.Replace(common, "ou=people", "ou=hidden", 1)+`}}
    nameless: {ldapAuth: {`+searching+`, attribute: street}}
    banned: {acl: {denyConsumers: [ann]}}
    staff: {acl: {allowGroups: [staff]}}
    told: {acl: {forwardHeaders: {X-Groups: groups, X-Consumer: consumer.name}}}
`, "@", "`")
	if err := os.WriteFile(filepath.Join(dir, "routes.yml"), []byte(routes), 0o600); err != nil {
		t.Fatal(err)
	}
	f := startFairway(t, "--providers.file.directory="+dir)
	ask := func(host, user, password string) (status int, seen map[string][]string) {
		t.Helper()
		r, err := http.NewRequest(http.MethodGet, "http://"+f.address("web")+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		r.SetBasicAuth(user, password)
		r.Header["X-User"], r.Header["X_User"], r.Header["X-Groups"] = []string{"root"}, []string{"root"}, []string{"admins"}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		_ = json.NewDecoder(res.Body).Decode(&seen)
		return res.StatusCode, seen
	}
	f.await("the routes", func() bool { return f.get("found.test", "/").status == 401 })
	for _, tt := range []struct {
		host, user, password string
		status               int
		seen                 string
	}{
		{"found.test", "ann", "secret-of-ann", 200, "[ann] [clerk,staff] [ann@file]"},
		{"found.test", "bob, the builder", "secret-of-bob", 200, "[bob, the builder] [] []"},
		{"found.test", "ann", "wrong", 401, ""},
		{"found.test", "nobody", "secret-of-ann", 401, ""},
		{"found.test", "*", "secret-of-ann", 401, ""},
		{"found.test", "ann)(uid=*", "secret-of-ann", 401, ""},
		{"found.test", "ann@example.com", "secret-of-ann", 401, ""}, // that of two
		{"found.test", "ann", "", 401, ""},
		{"direct.test", "ann", "secret-of-ann", 200, "[ann] [clerk] [ann@file]"},
		{"direct.test", "bob, the builder", "secret-of-bob", 200, "[bob, the builder] [] []"},
		{"direct.test", "ann,ou=people,dc=example,dc=com", "secret-of-ann", 401, ""},
		{"direct.test", "ann", "wrong", 401, ""},
		{"staff.test", "ann", "secret-of-ann", 200, "[ann] [admins] []"},
		{"staff.test", "twin", "secret-of-twin", 403, ""},
		// The directory takes all of these for ann.
		{"direct.test", "ANN", "secret-of-ann", 200, "[ann] [clerk] [ann@file]"},
		{"direct.test", " ann", "secret-of-ann", 200, "[ann] [clerk] [ann@file]"},
		{"direct.test", "ann ", "secret-of-ann", 200, "[ann] [clerk] [ann@file]"},
		{"found.test", "ANN", "secret-of-ann", 200, "[ann] [clerk,staff] [ann@file]"},
		{"found.test", " ann", "secret-of-ann", 200, "[ann] [clerk,staff] [ann@file]"},
		{"found.test", "ann ", "secret-of-ann", 200, "[ann] [clerk,staff] [ann@file]"},
		{"banned.test", "Ann", "secret-of-ann", 403, ""},
		{"banned.test", "ann ", "secret-of-ann", 403, ""},
		{"banned-found.test", "ANN", "secret-of-ann", 403, ""},
		{"found.test", "THEO@example.com", "secret-of-theo", 200, "[Theo] [] []"},
		{"found.test", "other-theo", "secret-of-theo", 200, "[Theo] [] []"},
		{"hidden.test", "eve", "secret-of-eve", 200, "[eve] [admins] []"},
		{"hidden.test", "EVE", "secret-of-eve", 401, ""},
		{"hidden.test", "eve ", "secret-of-eve", 401, ""},
		{"hidden.test", "\uff45ve", "secret-of-eve", 401, ""},
		{"nameless.test", "ann", "secret-of-ann", 503, ""},
		{"untrusted.test", "ann", "secret-of-ann", 503, ""},
	} {
		status, seen := ask(tt.host, tt.user, tt.password)
		got := ""
		if status == 200 {
			got = fmt.Sprint(seen["X-User"], " ", seen["X-Groups"], " ", seen["X-Consumer"])
		}
		if status != tt.status || got != tt.seen || len(seen["Authorization"])+len(seen["X_user"])+len(seen["X_User"]) > 0 {
			t.Errorf("%s, %q by %q: got %d %s, want %d %s (%v)", tt.host, tt.user, tt.password, status, got, tt.status, tt.seen, seen)
		}
	}
	if status, _ := ask("kept.test", "ann", "secret-of-ann"); status != 200 {
		t.Errorf("got %d", status)
	}
	d.stop()
	if status, _ := ask("found.test", "ann", "secret-of-ann"); status != 503 {
		t.Errorf("while the directory is away: got %d", status)
	}
	if status, _ := ask("kept.test", "ann", "secret-of-ann"); status != 200 {
		t.Errorf("what was right before: got %d", status)
	}
	d.start(t)
	f.await("it to be asked again", func() bool { status, _ := ask("found.test", "ann", "secret-of-ann"); return status == 200 })
}
