package dashboard

import (
	"encoding/json"
	"reflect"
	"strings"

	"fairway/config/dynamic"
	"fairway/internal/secret"
)

// Options that are secret by themselves show stars wherever they are printed. Others may have
// a secret in them: a URL its password or a value of its query, a header a token. They are
// copied here without it.

// marshalled is an option of the install configuration, or all of it.
func marshalled(v any) (json.RawMessage, error) {
	text, err := json.Marshal(v)
	return secret.JSON(text), err
}

// withoutPasswords copies a service whose servers and checks may have passwords.
func withoutPasswords(s *dynamic.Service) *dynamic.Service {
	if s == nil {
		return nil
	}
	copied := withoutLogins(reflect.ValueOf(s)).Interface().(*dynamic.Service)
	if lb := copied.LoadBalancer; lb != nil && lb.HealthCheck != nil {
		lb.HealthCheck.Headers = starred(lb.HealthCheck.Headers)
		lb.HealthCheck.Path = secret.URL(lb.HealthCheck.Path)
	}
	return copied
}

// withoutCredentials copies a middleware that may have credentials in headers and addresses.
func withoutCredentials(m *dynamic.Middleware) *dynamic.Middleware {
	if m == nil {
		return nil
	}
	copied := withoutLogins(reflect.ValueOf(m)).Interface().(*dynamic.Middleware)
	if h := copied.Headers; h != nil {
		h.CustomRequestHeaders, h.CustomResponseHeaders = starred(h.CustomRequestHeaders), starred(h.CustomResponseHeaders)
	}
	return copied
}

// isAddress tells by its name whether an option is a URL, or is made one of. Other texts stay
// as they are: a regular expression may look like a URL, and would not be one any more.
func isAddress(option string) bool {
	for _, word := range []string{"URL", "Address", "Endpoint", "Replacement", "Query", "Issuer", "Redirect"} {
		if strings.HasSuffix(option, word) {
			return true
		}
	}
	return false
}

// withoutLogins copies an object, with those of its options that are URLs as they may be
// shown.
func withoutLogins(v reflect.Value) reflect.Value {
	copied := reflect.New(v.Type()).Elem()
	copied.Set(v)
	switch {
	case v.Kind() == reflect.Pointer && !v.IsNil():
		copied.Set(reflect.New(v.Type().Elem()))
		copied.Elem().Set(withoutLogins(v.Elem()))
	case v.Kind() == reflect.Slice && !v.IsNil():
		copied.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		for i := range v.Len() {
			copied.Index(i).Set(withoutLogins(v.Index(i)))
		}
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			switch field := v.Type().Field(i); {
			case !field.IsExported():
			case field.Type.Kind() == reflect.String && isAddress(field.Name):
				copied.Field(i).SetString(secret.URL(v.Field(i).String()))
			default:
				copied.Field(i).Set(withoutLogins(v.Field(i)))
			}
		}
	}
	return copied
}

func starred(headers map[string]string) map[string]string {
	if headers == nil {
		return nil
	}
	out := make(map[string]string, len(headers))
	for name, value := range headers {
		if secret.Header(name) {
			value = secret.String(value).String()
		}
		out[name] = secret.Text(value)
	}
	return out
}
