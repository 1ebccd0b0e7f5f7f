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
		edit{"X-Frame-Options", frame},
		edit{"X-Content-Type-Options", nosniff},
		edit{"X-Xss-Protection", xss},
		edit{"Content-Security-Policy", c.ContentSecurityPolicy},
		edit{"Content-Security-Policy-Report-Only", c.ContentSecurityPolicyReportOnly},
		edit{"Referrer-Policy", c.ReferrerPolicy},
		edit{"Feature-Policy", c.FeaturePolicy},
		edit{"Permissions-Policy", c.PermissionsPolicy},
	)
	if c.IsDevelopment {
		return always, nil
	}
	sts := edit{"Strict-Transport-Security", transportSecurity(c)}
	if c.ForceSTSHeader {
		always = append(always, set(sts)...)
		sts.value = ""
	}
	return always, set(sts, edit{"Public-Key-Pins", c.PublicKey})
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
		if e.value != "" {
			kept = append(kept, e)
		}
	}
	return kept
}
