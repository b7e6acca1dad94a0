package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"larder.dev/internal/event"
)

// scheduled are the functions that Cloud Scheduler calls; table has those that Pub/Sub pushes to, and PaymentWebhook looks itself at who
// calls it.
var scheduled = []string{"ReapCheckouts", "ReconcilePayments", "ReconcileStock", "FoldLedger", "ActivatePrices", "UpdatePopularity", "AuditIndex", "ReapAccounts"}

// wrapped is a push delivery's body.
func wrapped(t *testing.T, id string, e event.Event) []byte {
	t.Helper()
	body, err := json.Marshal(map[string]any{
		"message":         map[string]any{"attributes": e.Attributes(), "data": e.Data, "messageId": id, "publishTime": "2026-07-01T09:00:00Z"},
		"deliveryAttempt": 1, "subscription": "projects/p/subscriptions/s-" + event.OrderEvents,
	})
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestEveryFunctionIsTested(t *testing.T) {
	tested := map[string]bool{"PaymentWebhook": true}
	for _, c := range table {
		tested[c.function] = true
	}
	for _, name := range scheduled {
		tested[name] = true
	}
	for name := range all {
		if !tested[name] {
			t.Errorf("%s is in no table", name)
		}
	}
	if len(tested) != len(all) {
		t.Errorf("%d functions are tested, there are %d", len(tested), len(all))
	}
}

// Only Pub/Sub and Cloud Scheduler may call, each the functions that are for it, with a token for this very function. Anybody else is told
// so, and nothing is done.
func TestCallers(t *testing.T) {
	check := func(t *testing.T, r *rig, account, other string, body []byte) {
		t.Helper()
		token := func(account, audience string, lasts time.Duration) string {
			return r.issuer.IDToken(t, account, audience, lasts)
		}
		sign := func(change func(jwt.MapClaims)) string {
			claims := jwt.MapClaims{
				"iss": "https://accounts.google.com", "aud": r.audience, "sub": "1", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
				"email": account + "@" + domain, "email_verified": true,
			}
			change(claims)
			signed, err := r.issuer.Sign(claims)
			if err != nil {
				t.Fatal(err)
			}
			return signed
		}
		good := token(account, r.audience, time.Hour)
		parts := strings.Split(good, ".")
		for _, row := range []struct {
			name, token string
			status      int
			reason      string
		}{
			{"no token", "", http.StatusUnauthorized, "UNAUTHENTICATED"},
			{"no token's form", "x", http.StatusUnauthorized, "UNAUTHENTICATED"},
			{"without a signature", parts[0] + "." + parts[1] + ".", http.StatusUnauthorized, "UNAUTHENTICATED"},
			{"as Cloud Run leaves it", parts[0] + "." + parts[1] + ".SIGNATURE_REMOVED_BY_GOOGLE", http.StatusUnauthorized, "UNAUTHENTICATED"},
			{"past its time", token(account, r.audience, -time.Minute), http.StatusUnauthorized, "TOKEN_EXPIRED"},
			{"for services", token(account, "https://larder.dev/services", time.Hour), http.StatusUnauthorized, "UNAUTHENTICATED"},
			{"for another function", token(account, "https://larder.dev/functions/another", time.Hour), http.StatusUnauthorized, "UNAUTHENTICATED"},
			{"of another issuer", sign(func(c jwt.MapClaims) { c["iss"] = "https://evil.example" }), http.StatusUnauthorized, "UNAUTHENTICATED"},
			{"of another project", sign(func(c jwt.MapClaims) { c["email"] = account + "@evil.iam.gserviceaccount.com" }), http.StatusUnauthorized, "UNAUTHENTICATED"},
			{"address not verified", sign(func(c jwt.MapClaims) { c["email_verified"] = false }), http.StatusUnauthorized, "UNAUTHENTICATED"},
			{"without an address", sign(func(c jwt.MapClaims) { delete(c, "email") }), http.StatusUnauthorized, "UNAUTHENTICATED"},
			{"without an end", sign(func(c jwt.MapClaims) { delete(c, "exp") }), http.StatusUnauthorized, "UNAUTHENTICATED"},
			{"of who calls the others", token(other, r.audience, time.Hour), http.StatusForbidden, "PERMISSION_DENIED"},
			{"of a service", token("checkout", r.audience, time.Hour), http.StatusForbidden, "PERMISSION_DENIED"},
		} {
			status, answer := r.post(t.Context(), row.token, body)
			if status != row.status || !strings.Contains(answer, `"reason":"`+row.reason+`"`) {
				t.Errorf("%s: %d %s", row.name, status, answer)
			}
		}
		if calls := r.services.got(""); len(calls) > 0 {
			t.Errorf("who may not call led to %s", calls[0].method)
		}
		if status, answer := r.post(t.Context(), good, body); status >= 300 || len(r.services.got("")) == 0 {
			t.Errorf("who may call: %d %s", status, answer)
		}
	}
	for _, c := range table {
		t.Run(c.function, func(t *testing.T) {
			check(t, c.begin(t), "pubsub-push", "scheduler", wrapped(t, "1", happened(t, "good", c.good)))
		})
	}
	for _, name := range scheduled {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.start(name)
			check(t, r, "scheduler", "pubsub-push", nil)
		})
	}
}

// While the keys can't be had nobody can say whether a token is valid: that is no refusal, and the delivery comes again.
func TestKeysAway(t *testing.T) {
	r := newRig(t)
	t.Setenv("SERVICE_JWKS_URL", "http://127.0.0.1:1/")
	r.start("ClearCart")
	status, answer := r.post(t.Context(), r.issuer.IDToken(t, "pubsub-push", r.audience, time.Hour), wrapped(t, "1", happened(t, "good", table[3].good)))
	if status != http.StatusServiceUnavailable {
		t.Errorf("%d %s", status, answer)
	}
}

// The audience that a function takes can be set.
func TestAudience(t *testing.T) {
	r := newRig(t)
	t.Setenv("FUNCTION_AUDIENCE", "https://functions.example/clear")
	r.start("ClearCart")
	body := wrapped(t, "1", happened(t, "good", table[3].good))
	if status, _ := r.post(t.Context(), r.issuer.IDToken(t, "pubsub-push", r.audience, time.Hour), body); status != http.StatusUnauthorized {
		t.Errorf("with the usual audience: %d", status)
	}
	if status, _ := r.post(t.Context(), r.issuer.IDToken(t, "pubsub-push", "https://functions.example/clear", time.Hour), body); status != http.StatusNoContent {
		t.Errorf("with the one that is set: %d", status)
	}
}

// What is no delivery is refused, and nothing is put aside: it isn't known what it is.
func TestNoDelivery(t *testing.T) {
	r := table[0].begin(t)
	token := r.issuer.IDToken(t, "pubsub-push", r.audience, time.Hour)
	large := `{"message":{"messageId":"1","data":"` + strings.Repeat("A", 10<<20) + `"}}`
	for name, body := range map[string]string{
		"nothing": "", "no JSON": "hello", "a list": "[]", "an empty object": "{}", "no message": `{"subscription":"s"}`, "no id": `{"message":{"data":""}}`,
		"data that isn't base64": `{"message":{"messageId":"1","data":"%%%"}}`, "attributes that are no texts": `{"message":{"messageId":"1","attributes":{"a":1}}}`,
		"more than 10 MiB": large,
	} {
		if status, answer := r.post(t.Context(), token, []byte(body)); status != http.StatusBadRequest || !strings.Contains(answer, "INVALID_ARGUMENT") {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.function.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	got, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = got.Body.Close()
	if got.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", got.StatusCode)
	}
	if calls := r.services.got(""); len(calls) > 0 {
		t.Errorf("services were called: %v", calls)
	}
}

// Accounts may have a prefix, as Google takes none of fewer than six letters; without it an account is none of ours.
func TestAccountPrefix(t *testing.T) {
	r := newRig(t)
	t.Setenv("SERVICE_ACCOUNT_PREFIX", "larder-")
	r.start("ClearCart")
	body := wrapped(t, "1", happened(t, "good", table[3].good))
	for account, want := range map[string]int{
		"larder-pubsub-push": http.StatusNoContent, "pubsub-push": http.StatusUnauthorized, "larder-scheduler": http.StatusForbidden, "larder-": http.StatusUnauthorized,
	} {
		if status, answer := r.post(t.Context(), r.issuer.IDToken(t, account, r.audience, time.Hour), body); status != want {
			t.Errorf("%s: %d %s, want %d", account, status, answer, want)
		}
	}
}
