package web

import "net/http"

// What a page may do. Scripts, styles, pictures and calls are the site's own; a script or a style that got into a page's text, from a
// product's name for example, isn't run ('unsafe-inline' is missing). data: pictures are not among them.
const contentSecurity = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; font-src 'self'; " +
	"manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// secure sets what every answer of a site tells the browser. Pages are somebody's, so nobody keeps them; static files say otherwise.
func secure(h http.Header, https bool) {
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", contentSecurity)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=()")
	// Addresses may hold what was searched, and tokens of mails: no other host sees them. "no-referrer" would send forms without an Origin.
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	if https {
		h.Set("Strict-Transport-Security", "max-age=63072000; includeSubDomains")
	} else {
		h.Del("Strict-Transport-Security")
	}
}
