package serve_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"larder.dev/internal/serve"
)

type testConfig struct {
	serve.Config
	Shards   int           `env:"TEST_SHARDS,required"`
	Interval time.Duration `env:"TEST_INTERVAL" envDefault:"1s"`
}

func TestConfigTellsAllFaultsAtOnce(t *testing.T) {
	t.Setenv("PORT", "http")
	t.Setenv("LOG_LEVEL", "LOUD")
	t.Setenv("REQUEST_TIMEOUT", "soon")
	t.Setenv("TEST_INTERVAL", "5")
	for _, required := range []string{"GOOGLE_CLOUD_PROJECT", "JWKS_URL", "SERVICE_ACCOUNT_DOMAIN", "TEST_SHARDS"} {
		unset(t, required)
	}
	err := serve.LoadConfig(&testConfig{})
	if err == nil {
		t.Fatal("a configuration full of faults was read")
	}
	for _, name := range []string{"Port", "LogLevel", "RequestTimeout", "Interval", "GOOGLE_CLOUD_PROJECT", "JWKS_URL", "SERVICE_ACCOUNT_DOMAIN", "TEST_SHARDS"} {
		if n := strings.Count(err.Error(), name); n != 1 {
			t.Errorf("%s is named %d times, want once", name, n)
		}
	}
	if !strings.Contains(err.Error(), "8 faults") {
		t.Errorf("the faults aren't counted: %v", err)
	}
	if t.Failed() {
		t.Log(err)
	}
}

func TestConfigDefaults(t *testing.T) {
	t.Setenv("GOOGLE_CLOUD_PROJECT", "p")
	t.Setenv("JWKS_URL", "http://127.0.0.1/jwks")
	t.Setenv("SERVICE_ACCOUNT_DOMAIN", "p.iam.gserviceaccount.com")
	t.Setenv("TEST_SHARDS", "4")
	t.Setenv("LOG_LEVEL", "warn")
	for _, name := range []string{"PORT", "REQUEST_TIMEOUT", "MAX_BODY", "TOKEN_ISSUER", "TEST_INTERVAL", "INSECURE_CALLS"} {
		unset(t, name)
	}
	var c testConfig
	if err := serve.LoadConfig(&c); err != nil {
		t.Fatal(err)
	}
	if c.Port != 8080 || c.RequestTimeout != 15*time.Second || c.MaxBody != 1<<20 || c.Insecure || c.LogLevel != slog.LevelWarn ||
		c.Identity.Issuer != "https://larder.dev" || c.Shards != 4 || c.Interval != time.Second {
		t.Errorf("read %+v", c)
	}
}
