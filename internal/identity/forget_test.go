package identity_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"larder.dev/internal/identity"
)

// A token that was refused is asked for anew, but not again and again.
func TestForget(t *testing.T) {
	now := time.Now()
	var asked atomic.Int64
	metadata := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"exp": now.Add(time.Hour).Unix()}).SignedString([]byte("key"))
		if err != nil {
			t.Error(err)
		}
		_, _ = w.Write([]byte(token))
	}))
	t.Cleanup(metadata.Close)
	t.Setenv("GCE_METADATA_HOST", strings.TrimPrefix(metadata.URL, "http://"))

	outgoing := identity.NewOutgoing("checkout@p", "audience", false, func() time.Time { return now })
	use := func(want int64) {
		t.Helper()
		if _, err := outgoing.GetRequestMetadata(t.Context()); err != nil {
			t.Fatal(err)
		}
		if asked.Load() != want {
			t.Errorf("the metadata server was asked %d times, want %d", asked.Load(), want)
		}
	}
	use(1)
	if outgoing.Forget() {
		t.Error("a token of this moment is forgotten")
	}
	use(1)
	now = now.Add(time.Minute)
	if !outgoing.Forget() {
		t.Error("an older token is kept")
	}
	use(2)
}
