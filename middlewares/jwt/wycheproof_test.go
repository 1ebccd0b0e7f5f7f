package jwt

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"fairway/internal/secret"
	"fairway/middlewares/middlewarestest"
)

// wycheproof is the module of Project Wycheproof with its vectors. It is fetched, and not
// imported: it embeds a hundred megabytes.
const wycheproof = "github.com/c2sp/wycheproof@v0.0.0-20260902155932-3fa63dd0344a"

type vectors struct {
	TestGroups []struct {
		Comment         string
		Public, Private json.RawMessage
		Tests           []struct {
			TcID                 int
			Comment, JWS, Result string
		}
	}
}

func readVectors(t *testing.T) (v vectors) {
	t.Helper()
	out, err := exec.Command("go", "mod", "download", "-json", wycheproof).Output()
	if err != nil {
		t.Fatalf("fetch the vectors: %v\n%s", err, out)
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(out, &module); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(module.Dir, "testvectors_v1", "json_web_signature_test.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// trustOfKey is an issuer with the key of a group; nil: it is none that fairway takes.
func trustOfKey(t *testing.T, public, private json.RawMessage) *trust {
	t.Helper()
	i := &Issuer{JWKS: string(public)}
	if public == nil {
		var k struct{ K string }
		if err := json.Unmarshal(private, &k); err != nil {
			t.Fatal(err)
		}
		raw, err := base64.RawURLEncoding.DecodeString(k.K)
		if err != nil {
			return nil
		}
		i = &Issuer{Secret: secret.String(raw)}
	}
	made, err := i.trust(&verifier{}, &origin{ctx: t.Context(), env: middlewarestest.Env("jwt")})
	if err != nil {
		t.Logf("a key that is not taken: %v", err)
		return nil
	}
	return made
}

// holds tells whether a signature is good, whatever it is about: the vectors are about "foo",
// which is no claims.
func holds(t *testing.T, by *trust, text string) bool {
	t.Helper()
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return false
	}
	head, err := object(parts[0])
	if err != nil || (&verifier{}).checkHead(head) != nil {
		return false
	}
	alg, _ := head["alg"].(string)
	method := jwt.GetSigningMethod(alg)
	if method == nil || alg == "none" {
		return false
	}
	found, err := by.candidates(t.Context(), &jwt.Token{Header: head, Method: method})
	if err != nil {
		return false
	}
	if !strict(parts[1]) || !strict(parts[2]) {
		return false
	}
	sig, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return false
	}
	keys := []jwt.VerificationKey{found}
	if set, ok := found.(jwt.VerificationKeySet); ok {
		keys = set.Keys
	}
	for _, key := range keys {
		if method.Verify(parts[0]+"."+parts[1], sig, key) == nil {
			return true
		}
	}
	return false
}

func strict(part string) bool {
	_, err := base64.RawURLEncoding.Strict().DecodeString(part)
	return err == nil
}

// otherwise are the vectors of which fairway thinks otherwise, by their comments.
var otherwise = map[string]string{
	"invalidBase64Padding":              "the vector has lost its padding, and is a good one",
	"invalidBase64PaddingInPayload":     "the vector has lost its padding, and is a good one",
	"SaltLenChanged":                    "a salt of another length is none that a stranger can make: who has the key has signed",
	"Figure20":                          "the key is for PS256, as it says itself, and the signature by PS384",
	"Figure27":                          "the key is for ES521, which there is not",
	"InvalidCharacterInsertedInHeader":  "what is no base64url is none (RFC 7515, section 2)",
	"InvalidCharacterInsertedInPayload": "what is no base64url is none (RFC 7515, section 2)",
}

func TestWycheproof_Signatures(t *testing.T) {
	refused, taken := 0, 0
	for _, g := range readVectors(t).TestGroups {
		by := trustOfKey(t, g.Public, g.Private)
		for _, one := range g.Tests {
			good := by != nil && holds(t, by, one.JWS)
			switch {
			case otherwise[one.Comment] != "":
			case good && one.Result == "invalid":
				t.Errorf("%s, %d (%s): an invalid one is taken", g.Comment, one.TcID, one.Comment)
			case good:
				taken++
			case by != nil && one.Result == "valid":
				t.Errorf("%s, %d (%s): a valid one is refused", g.Comment, one.TcID, one.Comment)
			default:
				refused++
			}
		}
	}
	if refused < 100 || taken < 10 {
		t.Errorf("%d were refused and %d taken: these are not the vectors", refused, taken)
	}
}
