package secret

import "net/url"

// Place is where a URL leads to, for what is told of it again and again: without who logs
// in there, and without its query, either of which may be a credential.
func Place(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}).String()
}
