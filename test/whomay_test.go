//go:build e2e

package test

// A token that is signed by hsSecret, for ever, and the keys of two consumers.
const (
	hsSecret  = "0123456789abcdef0123456789abcdef"
	hsToken   = "Authorization: Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJhdWQiOiJzaG9wIiwiZXhwIjo0MTAyNDQ0ODAwLCJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJyb2xlcyI6WyJidXllciIsInN0YWZmIl0sInNjb3BlIjoiY2FydDpyZWFkIGNhcnQ6d3JpdGUiLCJzdWIiOiIxNyJ9.EQ-Qli3XXWhB5FGiBKc0HX0aSp_PYZy_CbhY6qLZ1yI"
	keyOfAnn  = "key-of-ann"
	keyOfEve  = "key-of-eve"
	annHashed = "sha256:ca64daa8b294dc4835d29ca02a6a47427ebc6a225ea3ac2e15f8417fb6601db2"
	eveHashed = "sha256:c8fab31a2dfb22d9ca0982ba68eaa017a4b1c0d9d1c1f5a973b486833c855c98"
)

// entries are the specimens of who may enter. Every one that tells the service who it is is
// also asked by somebody who says so himself, in the spellings that servers take for the same.
var entries = []specimen{
	{name: "acl", options: []string{"acl.allowgroups=staff", "acl.forwardheaders.X-User=consumer.name"}, more: []string{
		"routers.acl-in.rule=Host(`acl.test`) && PathPrefix(`/in`)", "routers.acl-in.middlewares=acl-keys,acl", "routers.acl-in.service=mw", "middlewares.acl-keys.apikey=true",
		"consumers.ann.apikeys=" + annHashed, "consumers.ann.groups=staff", "consumers.eve.apikeys=" + eveHashed,
	}, visits: []visit{
		{url: "/", with: []string{"X-Api-Key: " + keyOfAnn}, status: 403},
		{url: "/in", status: 401, shown: map[string]string{"Www-Authenticate": `ApiKey realm="fairway"`}},
		{url: "/in", with: []string{"X-Api-Key: " + keyOfEve}, status: 403},
		{url: "/in", with: append([]string{"X-Api-Key: " + keyOfAnn}, forged...), status: 200, by: "mw", seen: map[string]string{"X-User": "ann@docker", "X_user": "", "X.user": "", "X-Api-Key": ""}},
	}},
	{name: "apikey", options: []string{"apikey.keyfrom=query:key,header:X-Key"}, visits: []visit{
		{url: "/", status: 401},
		{url: "/?key=" + keyOfEve + "&a=b", status: 200, by: "mw", path: "/?a=b"},
		{url: "/?key=guess", status: 401},
	}},
	{name: "authorizer", options: []string{"authorizer.url=http://AUTH/authorize", "authorizer.identitysources=header:Authorization", "authorizer.forwardheaders.X-User=user"}, visits: []visit{
		{url: "/", status: 401, shown: map[string]string{"Www-Authenticate": "Bearer"}},
		{url: "/", with: []string{"Authorization: Bearer bad"}, status: 403},
		{url: "/", with: append([]string{"Authorization: Bearer good"}, forged...), status: 200, by: "mw", seen: map[string]string{"X-User": "17", "X_user": "", "X.user": ""}},
	}},
	{name: "hmac", options: []string{"hmac.keys[0].id=k", "hmac.keys[0].secret=" + hsSecret}, visits: []visit{
		{url: "/", status: 401, shown: map[string]string{"Www-Authenticate": `Signature realm="fairway"`}},
		{url: "/", with: []string{`Signature-Input: s=("@method");created=1;keyid="k"`, "Signature: s=:AAAA:"}, status: 401},
	}},
	{name: "introspection", options: []string{"introspection.endpoint=http://AUTH/introspect", "introspection.clientid=gateway", "introspection.clientsecret=s3cret", "introspection.forwardheaders.X-User=sub"}, visits: []visit{
		{url: "/", status: 401, shown: map[string]string{"Www-Authenticate": `Bearer realm="fairway"`}},
		{url: "/", with: []string{"Authorization: Bearer taken-back"}, status: 401},
		{url: "/", with: append([]string{"Authorization: Bearer good"}, forged...), status: 200, by: "mw", seen: map[string]string{"X-User": "17", "X_user": "", "X.user": ""}},
	}},
	{name: "jwt", options: []string{"jwt.secret=" + hsSecret, "jwt.issuer=https://id.example", "jwt.audiences=shop", "jwt.forwardheaders.X-User=sub", "jwt.striptoken=true"}, visits: []visit{
		{url: "/", status: 401, shown: map[string]string{"Www-Authenticate": `Bearer realm="fairway"`}},
		{url: "/", with: []string{hsToken + "x"}, status: 401, shown: map[string]string{"Www-Authenticate": `Bearer realm="fairway", error="invalid_token"`}},
		{url: "/", with: append([]string{hsToken}, forged...), status: 200, by: "mw", seen: map[string]string{"X-User": "17", "X_user": "", "X.user": "", "Authorization": ""}},
	}},
	{name: "jwt-optional", options: []string{"jwt.secret=" + hsSecret, "jwt.optional=true", "jwt.forwardheaders.X-User=sub"}, visits: []visit{
		{url: "/", with: forged, status: 200, by: "mw", seen: map[string]string{"X-User": "", "X_user": "", "X.user": ""}},
	}},
	{name: "ldapauth", options: []string{"ldapauth.url=ldap://AUTH:1", "ldapauth.basedn=dc=example,dc=com"}, visits: []visit{
		{url: "/", status: 401, shown: map[string]string{"Www-Authenticate": `Basic realm="fairway", charset="UTF-8"`}},
		{url: "/", with: []string{ann}, status: 503},
	}},
	{name: "mtls", options: []string{"mtls.cafiles=" + someAuthority}, visits: []visit{{url: "/", status: 403}}},
	{name: "oauth2client", options: []string{"oauth2client.tokenurl=http://AUTH/token", "oauth2client.clientid=gateway", "oauth2client.clientsecret=s3cret", "oauth2client.header=X-User"}, visits: []visit{
		{url: "/", with: forged, status: 200, by: "mw", seen: map[string]string{"X-User": "t0ken", "X_user": "", "X.user": ""}},
	}},
	{name: "oidc", options: []string{"oidc.issuer=http://AUTH/nobody", "oidc.clientid=shop", "oidc.skippaths=/public", "oidc.forwardheaders.X-User=sub"}, visits: []visit{
		{url: "/", status: 401, shown: map[string]string{"Www-Authenticate": `Cookie realm="fairway"`}},
		{url: "/", with: []string{"Accept: text/html"}, status: 503},
		{url: "/public", with: append([]string{"Cookie: a=b"}, forged...), status: 200, by: "mw", seen: map[string]string{"X-User": "", "X_user": "", "Cookie": "a=b"}},
	}},
	{name: "policy", options: []string{"policy.allow=request.method == \"GET\" && inNetwork(request.ip, \"127.0.0.0/8\")"}, visits: []visit{
		{url: "/", status: 200, by: "mw"},
		{method: "DELETE", url: "/", status: 403},
	}},
}

// forged are headers of somebody who wants to be taken for somebody else.
var forged = []string{"X-User: root", "X_User: root", "X.User: root", "x-user: admin", "Connection: X-User"}

// someAuthority is a certificate of an authority, on one line as a label has it.
const someAuthority = `-----BEGIN CERTIFICATE-----
MIIBVTCB/aADAgECAgEBMAoGCCqGSM49BAMCMBIxEDAOBgNVBAMTB1Nob3AgQ0Ew
IBcNMjUwMTAxMDAwMDAwWhgPMjEyNTAxMDEwMDAwMDBaMBIxEDAOBgNVBAMTB1No
b3AgQ0EwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQjYMMUnG/n/TQL7JlbPZEu
EET9HDfse7MM+8Sxubih/x1CK15myvhghpZwBlUFkLAJLZPktIiObQf4QS2DYV7X
o0IwQDAOBgNVHQ8BAf8EBAMCAgQwDwYDVR0TAQH/BAUwAwEB/zAdBgNVHQ4EFgQU
LsCRbdzekpGAbPSjr7NgVoYLW4IwCgYIKoZIzj0EAwIDRwAwRAIgc8wkOGUuq4pK
PlGOsTlXkyTil9xJSXayF2H+iY5e378CIG8Ho8kuFjp2BFDL9gbBYaepht7H7H5Z
xEwoioVLg4mi
-----END CERTIFICATE-----`
