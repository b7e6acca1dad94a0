package main

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// tokenLifetime is Google's.
const tokenLifetime = time.Hour

// accountName is the part of a service account's address before the @. Google asks for at least 6 characters; the platform's
// services have shorter names, and locally no project.
var accountName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,28}[a-z0-9]$`)

type server struct {
	cfg config
	key *signingKey
	now func() time.Time
}

func newServer(cfg config, key *signingKey, now func() time.Time) *server {
	return &server{cfg: cfg, key: key, now: now}
}

func (s *server) handler() http.Handler {
	const accounts = "GET /computeMetadata/v1/instance/service-accounts/{account}/"
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, `{"status":"ok"}`) })
	mux.HandleFunc("GET /oauth2/v3/certs", s.certs)
	mux.HandleFunc("GET /{$}", guarded(func(w http.ResponseWriter, _ *http.Request) { answer(w, "computeMetadata/\n") }))
	mux.HandleFunc("GET /computeMetadata/v1/project/project-id", guarded(func(w http.ResponseWriter, _ *http.Request) {
		answer(w, s.cfg.Project)
	}))
	mux.HandleFunc(accounts+"email", guarded(s.email))
	mux.HandleFunc(accounts+"identity", guarded(s.identity))
	return mux
}

// guarded asks for the header that no browser sends by itself, and refuses what a proxy passes on, as Google's server does.
func guarded(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Metadata-Flavor", "Google")
		if r.Header.Get("Metadata-Flavor") != "Google" || r.Header.Get("X-Forwarded-For") != "" {
			http.Error(w, "a direct request with the header Metadata-Flavor: Google is needed", http.StatusForbidden)
			return
		}
		next(w, r)
	}
}

func answer(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "application/text")
	_, _ = w.Write([]byte(text))
}

// account is the address that the path names; false when it is none of ours.
func (s *server) account(r *http.Request) (string, bool) {
	given := r.PathValue("account")
	if given == "default" {
		return s.cfg.Default, true
	}
	name, domain, _ := strings.Cut(given, "@")
	return given, domain == s.cfg.Domain && accountName.MatchString(name)
}

func (s *server) email(w http.ResponseWriter, r *http.Request) {
	address, ok := s.account(r)
	if !ok {
		http.Error(w, "there is no such service account", http.StatusNotFound)
		return
	}
	answer(w, address)
}

// identity signs an ID token: https://cloud.google.com/docs/authentication/get-id-token. The address is in it when the caller asks for
// format=full.
func (s *server) identity(w http.ResponseWriter, r *http.Request) {
	address, ok := s.account(r)
	if !ok {
		http.Error(w, "there is no such service account", http.StatusNotFound)
		return
	}
	audience := r.URL.Query().Get("audience")
	if audience == "" {
		http.Error(w, "the parameter audience is missing", http.StatusBadRequest)
		return
	}
	now := s.now()
	subject := subjectOf(address)
	claims := jwt.MapClaims{
		"iss": s.cfg.Issuer, "aud": audience, "azp": subject, "sub": subject,
		"iat": now.Unix(), "exp": now.Add(tokenLifetime).Unix(),
	}
	switch r.URL.Query().Get("format") {
	case "", "standard":
	case "full":
		claims["email"], claims["email_verified"] = address, true
	default:
		http.Error(w, "the parameter format is neither standard nor full", http.StatusBadRequest)
		return
	}
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, claims)
	token.Header["kid"] = s.key.id
	signed, err := token.SignedString(s.key.private)
	if err != nil {
		http.Error(w, "the token could not be signed", http.StatusInternalServerError)
		return
	}
	answer(w, signed)
}

// subjectOf is the account's number, 21 digits as Google's, the same for the same address.
func subjectOf(address string) string {
	sum := sha256.Sum256([]byte(address))
	return fmt.Sprintf("1%020d", binary.BigEndian.Uint64(sum[:8]))
}

func (s *server) certs(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.Header().Set("Cache-Control", "public, max-age=300")
	_ = json.NewEncoder(w).Encode(map[string]any{"keys": []any{s.key.jwk()}})
}
