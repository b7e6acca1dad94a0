// Package api holds the contract: one folder a room and version with its protos and the Go that is generated from them, and
// openapi.yaml, the same for REST.
package api

import (
	_ "embed"
	"net/http"
)

//go:embed openapi.yaml
var openAPI []byte

// OpenAPI answers the description of the REST API (OpenAPI 3.0).
func OpenAPI() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/yaml") // RFC 9512
		_, _ = w.Write(openAPI)                            // the caller is gone: nobody is left to tell
	})
}
