package hmac

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/dunglas/httpsfv"
)

// derived are the components that are no headers (RFC 9421, section 2.2).
var derived = []string{"@method", "@target-uri", "@authority", "@scheme", "@request-target", "@path", "@query", "@query-param"}

// mostComponents bounds what one signature covers.
const mostComponents = 64

// base puts together what a signature is about (RFC 9421, section 2.5). covered are the names
// of its components.
func base(r *http.Request, list httpsfv.InnerList) (text []byte, covered map[string]bool, err error) {
	if len(list.Items) > mostComponents {
		return nil, nil, fmt.Errorf("the signature covers more than %d components", mostComponents)
	}
	covered = map[string]bool{}
	var b strings.Builder
	for _, item := range list.Items {
		name, ok := item.Value.(string)
		if !ok {
			return nil, nil, errors.New("a component of the signature has no name")
		}
		id, err := httpsfv.Marshal(item)
		if err != nil {
			return nil, nil, err
		}
		if covered[id] {
			return nil, nil, fmt.Errorf("the signature covers %s twice", id)
		}
		value, err := component(r, name, item.Params)
		if err != nil {
			return nil, nil, err
		}
		covered[id] = true
		if len(item.Params.Names()) == 0 {
			covered[name] = true
		}
		b.WriteString(id + ": " + value + "\n")
	}
	params, err := httpsfv.Marshal(list)
	if err != nil {
		return nil, nil, err
	}
	b.WriteString(`"@signature-params": ` + params)
	return []byte(b.String()), covered, nil
}

// component is the value of one. Of parameters only that of @query-param is understood.
func component(r *http.Request, name string, params *httpsfv.Params) (string, error) {
	if name == "@query-param" {
		return queryParam(r, params)
	}
	if len(params.Names()) > 0 {
		return "", fmt.Errorf("the parameter %q of %q is not understood", params.Names()[0], name)
	}
	if strings.HasPrefix(name, "@") {
		return derivedFrom(r, name)
	}
	if name != strings.ToLower(name) {
		return "", fmt.Errorf("%q is not in lower case", name)
	}
	return field(r, name)
}

func derivedFrom(r *http.Request, name string) (string, error) {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	path := r.URL.EscapedPath()
	if path == "" {
		path = "/"
	}
	query := ""
	if r.URL.RawQuery != "" || r.URL.ForceQuery {
		query = "?" + r.URL.RawQuery
	}
	switch name {
	case "@method":
		return r.Method, nil
	case "@authority":
		return authority(r, scheme), nil
	case "@scheme":
		return scheme, nil
	case "@path":
		return path, nil
	case "@query":
		return "?" + r.URL.RawQuery, nil
	case "@request-target":
		return path + query, nil
	case "@target-uri":
		return scheme + "://" + authority(r, scheme) + path + query, nil
	}
	return "", fmt.Errorf("the component %q is not known", name)
}

// authority is the host in lower case, without the port that goes with the scheme.
func authority(r *http.Request, scheme string) string {
	host := strings.ToLower(r.Host)
	if scheme == "https" {
		return strings.TrimSuffix(host, ":443")
	}
	return strings.TrimSuffix(host, ":80")
}

func queryParam(r *http.Request, params *httpsfv.Params) (string, error) {
	value, _ := params.Get("name")
	name, ok := value.(string)
	if !ok || len(params.Names()) != 1 {
		return "", errors.New(`"@query-param" has no name`)
	}
	found := ""
	times := 0
	for part := range strings.SplitSeq(r.URL.RawQuery, "&") {
		if n, v, _ := strings.Cut(part, "="); n == name {
			found, times = v, times+1
		}
	}
	if times != 1 {
		return "", fmt.Errorf("the parameter %q is there %d times", name, times)
	}
	return found, nil
}

// field is the value of a header: its lines with a comma between them (RFC 9421, section 2.1).
func field(r *http.Request, name string) (string, error) {
	values := r.Header[http.CanonicalHeaderKey(name)]
	switch {
	case name == "host":
		values = []string{r.Host}
	case name == "content-length" && len(values) == 0 && r.ContentLength >= 0:
		values = []string{strconv.FormatInt(r.ContentLength, 10)}
	}
	if len(values) == 0 {
		return "", fmt.Errorf("the signature covers the header %q, which is not there", name)
	}
	trimmed := make([]string, len(values))
	for i, v := range values {
		trimmed[i] = strings.Trim(v, " \t")
	}
	return strings.Join(trimmed, ", "), nil
}
