package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/compute/metadata"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
)

const domain = "larder-local.iam.gserviceaccount.com"

func start(t *testing.T, key *signingKey, now func() time.Time) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(newServer(config{
		Issuer: "https://accounts.google.com", Project: "larder-local", Domain: domain, Default: "larder-local@" + domain,
	}, key, now).handler())
	t.Cleanup(server.Close)
	t.Setenv("GCE_METADATA_HOST", strings.TrimPrefix(server.URL, "http://"))
	return server
}

func key(t *testing.T, path string) *signingKey {
	t.Helper()
	k, err := loadKey(path)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// token asks by Google's own client.
func token(t *testing.T, account, audience, format string) string {
	t.Helper()
	text, err := metadata.NewClient(nil).GetWithContext(context.Background(),
		"instance/service-accounts/"+account+"/identity?audience="+url.QueryEscape(audience)+"&format="+format)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

type claims struct {
	jwt.RegisteredClaims
	Email         string `json:"email"`
	EmailVerified bool   `json:"email_verified"`
}

// verify checks a token with the published keys.
func verify(t *testing.T, server *httptest.Server, text, audience string) (*claims, error) {
	t.Helper()
	keys, err := keyfunc.NewDefaultCtx(t.Context(), []string{server.URL + "/oauth2/v3/certs"})
	if err != nil {
		t.Fatal(err)
	}
	var c claims
	_, err = jwt.ParseWithClaims(text, &c, keys.Keyfunc, jwt.WithValidMethods([]string{"RS256"}), jwt.WithAudience(audience),
		jwt.WithIssuer("https://accounts.google.com"), jwt.WithExpirationRequired(), jwt.WithIssuedAt())
	return &c, err
}

func TestIdentityTokens(t *testing.T) {
	server := start(t, key(t, ""), time.Now)
	for _, c := range []struct{ account, format, email string }{
		{"checkout@" + domain, "full", "checkout@" + domain},
		{"default", "full", "larder-local@" + domain},
		{"checkout@" + domain, "standard", ""},
	} {
		t.Run(c.account+" "+c.format, func(t *testing.T) {
			got, err := verify(t, server, token(t, c.account, "https://larder.dev/services", c.format), "https://larder.dev/services")
			if err != nil {
				t.Fatal(err)
			}
			if got.Email != c.email || got.EmailVerified != (c.email != "") || len(got.Subject) != 21 {
				t.Errorf("got %+v", got)
			}
			if life := got.ExpiresAt.Sub(got.IssuedAt.Time); life != time.Hour {
				t.Errorf("valid for %v", life)
			}
		})
	}
	if _, err := verify(t, server, token(t, "default", "https://other.example", "full"), "https://larder.dev/services"); err == nil {
		t.Error("a token for another audience is accepted")
	}
	if project, err := metadata.NewClient(nil).ProjectIDWithContext(context.Background()); err != nil || project != "larder-local" {
		t.Errorf("project %q %v", project, err)
	}
}

func TestExpiredToken(t *testing.T) {
	server := start(t, key(t, ""), func() time.Time { return time.Now().Add(-61 * time.Minute) })
	if _, err := verify(t, server, token(t, "default", "a", "full"), "a"); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("got %v", err)
	}
}

func TestKeyOutlivesARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys", "metadata.pem")
	start(t, key(t, path), time.Now)
	old := token(t, "user@"+domain, "a", "full")
	again := start(t, key(t, path), time.Now)
	if _, err := verify(t, again, old, "a"); err != nil {
		t.Errorf("a token of before the restart: %v", err)
	}
	other := start(t, key(t, ""), time.Now)
	if _, err := verify(t, other, old, "a"); err == nil {
		t.Error("a token of another key is accepted")
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key file %v %v", info.Mode(), err)
	}
	if err := os.WriteFile(path, []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := loadKey(path); err == nil {
		t.Error("a damaged key file is accepted")
	}
}

func TestRefusals(t *testing.T) {
	server := start(t, key(t, ""), time.Now)
	const accounts = "/computeMetadata/v1/instance/service-accounts/"
	flavor := http.Header{"Metadata-Flavor": {"Google"}}
	for _, c := range []struct {
		name, path string
		header     http.Header
		status     int
	}{
		{"fine", accounts + "default/identity?audience=a", flavor, 200},
		{"no flavor", accounts + "default/identity?audience=a", nil, 403},
		{"through a proxy", accounts + "default/identity?audience=a", http.Header{"Metadata-Flavor": {"Google"}, "X-Forwarded-For": {"10.0.0.1"}}, 403},
		{"no audience", accounts + "default/identity", flavor, 400},
		{"unknown format", accounts + "default/identity?audience=a&format=huge", flavor, 400},
		{"foreign account", accounts + "user@evil.example/identity?audience=a", flavor, 404},
		{"no name", accounts + "@" + domain + "/identity?audience=a", flavor, 404},
		{"unknown path", "/computeMetadata/v1/instance/zone", flavor, 404},
		{"keys need no flavor", "/oauth2/v3/certs", nil, 200},
		{"health", "/healthz", nil, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+c.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header = c.header.Clone()
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != c.status {
				t.Errorf("got %d, want %d", resp.StatusCode, c.status)
			}
		})
	}
}
