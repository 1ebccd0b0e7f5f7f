package headers

import "strconv"

// securityEdits lists the security headers: those of every response, and those
// that mean something over TLS only.
func securityEdits(c *Config) (always, onTLS []edit) {
	frame, xss, nosniff := c.CustomFrameOptionsValue, c.CustomBrowserXSSValue, ""
	if frame == "" && c.FrameDeny {
		frame = "DENY"
	}
	if xss == "" && c.BrowserXSSFilter {
		xss = "1; mode=block"
	}
	if c.ContentTypeNosniff {
		nosniff = "nosniff"
	}
	always = set(
		newEdit("X-Frame-Options", frame),
		newEdit("X-Content-Type-Options", nosniff),
		newEdit("X-Xss-Protection", xss),
		newEdit("Content-Security-Policy", c.ContentSecurityPolicy),
		newEdit("Content-Security-Policy-Report-Only", c.ContentSecurityPolicyReportOnly),
		newEdit("Referrer-Policy", c.ReferrerPolicy),
		newEdit("Feature-Policy", c.FeaturePolicy),
		newEdit("Permissions-Policy", c.PermissionsPolicy),
	)
	if c.IsDevelopment {
		return always, nil
	}
	sts := newEdit("Strict-Transport-Security", transportSecurity(c))
	if c.ForceSTSHeader {
		always = append(always, set(sts)...)
		sts.values = nil
	}
	return always, set(sts, newEdit("Public-Key-Pins", c.PublicKey))
}

func transportSecurity(c *Config) string {
	if c.STSSeconds == 0 {
		return ""
	}
	value := "max-age=" + strconv.FormatInt(c.STSSeconds, 10)
	if c.STSIncludeSubdomains {
		value += "; includeSubDomains"
	}
	if c.STSPreload {
		value += "; preload"
	}
	return value
}

// set keeps the edits that have a value: an option left out removes nothing.
func set(list ...edit) []edit {
	var kept []edit
	for _, e := range list {
		if e.values != nil {
			kept = append(kept, e)
		}
	}
	return kept
}
