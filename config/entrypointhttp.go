package config

import "fairway/config/dynamic"

// What UnderscoreHeadersStrategy may be.
const (
	KeepUnderscores   = "keep"
	DeleteUnderscores = "delete"
	RejectUnderscores = "reject"
)

// EntryPointHTTP says which requests an entry point serves and how, and has
// defaults for its routers.
type EntryPointHTTP struct {
	// Redirections send all requests of the entry point elsewhere.
	Redirections *Redirections `json:"redirections,omitempty"`
	// Middlewares are put in front of those of every router. Names need their
	// provider, as in auth@file.
	Middlewares []string `json:"middlewares,omitempty"`
	// TLS makes every router of the entry point one that answers TLS.
	TLS *dynamic.RouterTLS `json:"tls,omitempty" label:"allowEmpty" file:"allowEmpty"`
	// MaxHeaderBytes is the longest head of a request, else 431. A connection keeps
	// that much at most while a head comes in. A target may have a quarter of it, or
	// 16 KiB when that is more, else 414. Default: 65536; that of Traefik is 1048576.
	MaxHeaderBytes int `json:"maxHeaderBytes,omitempty"`
	// SanitizePath resolves //, /./ and /../ in paths before anything else sees them.
	// Without it, /public/../admin passes a rule for /public, and what it means is up
	// to the server. Turn it off only when every server behind needs paths as they
	// came, and none relies on a rule or a middleware to keep paths out. Default: true.
	SanitizePath bool `json:"sanitizePath"`
	// EncodedCharacters tells which characters may be written as %XX in paths. What
	// is not allowed in it is answered 400. Default: not set, all are.
	EncodedCharacters *EncodedCharacters `json:"encodedCharacters,omitempty" label:"allowEmpty" file:"allowEmpty"`
	// EncodeQuerySemicolons writes a semicolon in a query as %3B, so that it stands
	// for itself. Else it becomes & and separates parameters, for rules and servers
	// alike. Default: false.
	EncodeQuerySemicolons bool `json:"encodeQuerySemicolons,omitempty"`
	// UnderscoreHeadersStrategy is for headers with an underscore in their name, which
	// many servers take for the same as one with a hyphen: keep them, delete them, or
	// reject the request with 400. Default: keep.
	UnderscoreHeadersStrategy string `json:"underscoreHeadersStrategy,omitempty"`
	// ProxyStatus names the class of what went wrong in the answers that fairway makes
	// itself, in the header Proxy-Status (RFC 9209), as in "fairway;
	// error=connection_refused". The cause in words is in the log only. Default: false.
	ProxyStatus bool `json:"proxyStatus,omitempty"`
}

// SetDefaults implements the defaults documented at the fields.
func (h *EntryPointHTTP) SetDefaults() {
	h.MaxHeaderBytes, h.SanitizePath, h.UnderscoreHeadersStrategy = 64<<10, true, KeepUnderscores
}

// EncodedCharacters tells which characters may be written as %XX in the path of a
// request. They are those that servers, after decoding, may take for more than a
// part of a name.
type EncodedCharacters struct {
	// AllowEncodedSlash allows %2F. Default: false.
	AllowEncodedSlash bool `json:"allowEncodedSlash,omitempty"`
	// AllowEncodedBackSlash allows %5C. Default: false.
	AllowEncodedBackSlash bool `json:"allowEncodedBackSlash,omitempty"`
	// AllowEncodedNullCharacter allows %00. Default: false.
	AllowEncodedNullCharacter bool `json:"allowEncodedNullCharacter,omitempty"`
	// AllowEncodedSemicolon allows %3B. Default: false.
	AllowEncodedSemicolon bool `json:"allowEncodedSemicolon,omitempty"`
	// AllowEncodedPercent allows %25. Default: false.
	AllowEncodedPercent bool `json:"allowEncodedPercent,omitempty"`
	// AllowEncodedQuestionMark allows %3F. Default: false.
	AllowEncodedQuestionMark bool `json:"allowEncodedQuestionMark,omitempty"`
	// AllowEncodedHash allows %23. Default: false.
	AllowEncodedHash bool `json:"allowEncodedHash,omitempty"`
}

// Redirections send all requests of an entry point elsewhere.
type Redirections struct {
	// EntryPoint to send requests to.
	EntryPoint *RedirectEntryPoint `json:"entryPoint,omitempty"`
}

// RedirectEntryPoint says where all requests of an entry point are sent.
type RedirectEntryPoint struct {
	// To is the name of the other entry point, or its port written :443.
	To string `json:"to,omitempty"`
	// Scheme of the new address. Default: https.
	Scheme string `json:"scheme,omitempty"`
	// Permanent answers that the address has changed for ever. Default: true.
	Permanent bool `json:"permanent"`
	// Priority of the router that redirects. Default: above all routers that do
	// not ask for the very highest.
	Priority int `json:"priority,omitempty"`
}

// SetDefaults implements the defaults documented at the fields.
func (r *RedirectEntryPoint) SetDefaults() {
	r.Scheme, r.Permanent, r.Priority = "https", true, RedirectPriority
}
