package user_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	userpb "larder.dev/api/user/v1"
	"larder.dev/internal/identity"
	"larder.dev/internal/serve"
	"larder.dev/internal/user"
)

// site is the whole service in the test's process. Unlike other services' tests, it believes the tokens that it makes itself.
type site struct {
	*room
	url  string
	logs *logs
}

func newSite(t *testing.T, changes ...func(*user.Config)) *site {
	t.Helper()
	s := &site{room: newRoom(t), logs: readLogs(t)}
	for _, change := range changes {
		change(&s.config)
		s.Service = s.instance()
	}

	var handler atomic.Value // the keys are asked for while the service is being set up, by itself
	handler.Store(http.NotFoundHandler().ServeHTTP)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.Load().(func(http.ResponseWriter, *http.Request))(w, r)
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	app, err := serve.New(t.Context(), "user", &serve.Config{
		Project: "larder-test", Insecure: true, RequestTimeout: 10 * time.Second, MaxBody: 1 << 16, MinConcurrent: 16, MaxConcurrent: 64,
		Identity: identity.Config{
			JWKSURL: s.url + "/.well-known/jwks.json", Issuer: "https://larder.dev", Audience: "larder",
			ServiceConfig: identity.ServiceConfig{ServiceJWKSURL: s.url + "/none", ServiceIssuer: "none", ServiceAudience: "none", ServiceDomain: "none"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := app.Register(t.Context(), &userpb.UserService_ServiceDesc, user.NewServer(s.Service, app.ClientAddress), user.Gateway); err != nil {
		t.Fatal(err)
	}
	handler.Store(app.Handler().ServeHTTP)
	return s
}

type answer struct {
	Status int
	Header http.Header
	Body   map[string]any
	Text   string
}

func (s *site) call(t *testing.T, method, path, token, body string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{Status: res.StatusCode, Header: res.Header, Text: string(text)}
	if err := json.Unmarshal(text, &a.Body); err != nil {
		t.Fatalf("%s %s answers no JSON: %q", method, path, text)
	}
	return a
}

// reason is the error's stable reason and, if it has any, its first field.
func (a answer) reason() string {
	var e struct {
		Error struct {
			Details []struct {
				Reason          string
				FieldViolations []struct{ Field string } `json:"field_violations"`
			}
		}
	}
	if json.Unmarshal([]byte(a.Text), &e) != nil {
		return ""
	}
	text := ""
	for _, d := range e.Error.Details {
		text += d.Reason
		for _, v := range d.FieldViolations[:min(1, len(d.FieldViolations))] {
			text += " " + v.Field
		}
	}
	return text
}

func (a answer) str(key string) string { s, _ := a.Body[key].(string); return s }

func (s *site) register(t *testing.T, address string) (token, refresh string) {
	t.Helper()
	body := fmt.Sprintf(`{"email":%q,"password":%q,"display_name":"Ada"}`, address, password)
	if a := s.call(t, "POST", "/v1/users", "", body); a.Status != 200 {
		t.Fatalf("register: %d %s", a.Status, a.Text)
	}
	a := s.call(t, "POST", "/v1/sessions", "", fmt.Sprintf(`{"email":%q,"password":%q}`, address, password))
	if a.Status != 200 || a.str("access_token") == "" || a.str("refresh_token") == "" {
		t.Fatalf("sign in: %d %s", a.Status, a.Text)
	}
	return a.str("access_token"), a.str("refresh_token")
}

const addressBody = `{"recipient":"Ada","line1":"12 St James's Square","city":"London","postcode":"SW1Y 4JH","country":"GB"}`

func TestAShopperUsesHerAccount(t *testing.T) {
	s := newSite(t)
	token, refresh := s.register(t, "ada@example.com")

	me := s.call(t, "GET", "/v1/users/me", token, "")
	if me.Status != 200 || me.str("email") != "ada@example.com" || me.str("etag") != "1" || me.str("display_name") != "Ada" {
		t.Errorf("me: %d %s", me.Status, me.Text)
	}
	renamed := s.call(t, "PATCH", "/v1/users/me", token, `{"display_name":"Countess","etag":"1"}`)
	if renamed.Status != 200 || renamed.str("display_name") != "Countess" || renamed.str("etag") != "2" {
		t.Errorf("rename: %d %s", renamed.Status, renamed.Text)
	}
	for _, body := range []string{`{"display_name":"Late","etag":"1"}`, `{"etag":"1"}`, `{"display_name":"Late","etag":"x"}`} {
		if late := s.call(t, "PATCH", "/v1/users/me", token, body); late.Status != 412 || late.reason() != "ETAG_MISMATCH" {
			t.Errorf("an old etag, %s: %d %s", body, late.Status, late.Text)
		}
	}
	cleared := s.call(t, "PATCH", "/v1/users/me?update_mask=display_name", token, `{}`)
	if cleared.Status != 200 || cleared.str("display_name") != "" || cleared.str("etag") != "3" {
		t.Errorf("clear the name: %d %s", cleared.Status, cleared.Text)
	}

	refreshed := s.call(t, "POST", "/v1/sessions:refresh", "", fmt.Sprintf(`{"refresh_token":%q}`, refresh))
	if refreshed.Status != 200 {
		t.Fatalf("refresh: %d %s", refreshed.Status, refreshed.Text)
	}
	if out := s.call(t, "DELETE", "/v1/sessions/current", refreshed.str("access_token"), ""); out.Status != 200 {
		t.Errorf("sign out: %d %s", out.Status, out.Text)
	}
	after := s.call(t, "POST", "/v1/sessions:refresh", "", fmt.Sprintf(`{"refresh_token":%q}`, refreshed.str("refresh_token")))
	if after.Status != 401 || after.reason() != "REFRESH_TOKEN_INVALID" {
		t.Errorf("refresh after signing out: %d %s", after.Status, after.Text)
	}
	s.logs.saysNoSecrets(t, "ada@example.com", password, token, refresh, refreshed.str("access_token"), refreshed.str("refresh_token"))
}

func TestAddresses(t *testing.T) {
	s := newSite(t)
	ada, _ := s.register(t, "ada@example.com")
	bob, _ := s.register(t, "bob@example.com")
	const base = "/v1/users/me/addresses"

	made := s.call(t, "POST", base, ada, addressBody)
	if made.Status != 200 || made.str("address_id") == "" {
		t.Fatalf("create: %d %s", made.Status, made.Text)
	}
	one := base + "/" + made.str("address_id")
	if read := s.call(t, "GET", one, ada, ""); read.Status != 200 || read.Text != made.Text {
		t.Errorf("read %d %s, want %s", read.Status, read.Text, made.Text)
	}
	moved := strings.Replace(addressBody, "12 St", "1 St", 1)
	put := s.call(t, "PUT", one, ada, moved)
	if put.Status != 200 || !strings.Contains(put.Text, "1 St James's") || put.str("create_time") != made.str("create_time") {
		t.Errorf("update: %d %s", put.Status, put.Text)
	}
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		if a := s.call(t, method, one, bob, addressBody); a.Status != 404 || a.reason() != "ADDRESS_NOT_FOUND" {
			t.Errorf("%s of another's address: %d %s", method, a.Status, a.Text)
		}
	}
	if list := s.call(t, "GET", base, bob, ""); strings.Contains(list.Text, "James") {
		t.Errorf("bob sees ada's address: %s", list.Text)
	}
	if gone := s.call(t, "DELETE", one, ada, ""); gone.Status != 200 {
		t.Errorf("delete: %d %s", gone.Status, gone.Text)
	}
	if again := s.call(t, "DELETE", one, ada, ""); again.Status != 404 {
		t.Errorf("delete again: %d %s", again.Status, again.Text)
	}
}

func TestAddressesAreBounded(t *testing.T) {
	s := newSite(t)
	token, _ := s.register(t, "ada@example.com")
	statuses := make([]int, user.MaxAddresses+8)
	atOnce(len(statuses), func(i int) error {
		body := strings.Replace(addressBody, "12", fmt.Sprint(i), 1)
		a := s.call(t, "POST", "/v1/users/me/addresses", token, body)
		if a.Status != 200 && a.reason() != "TOO_MANY_ADDRESSES" {
			t.Errorf("create: %d %s", a.Status, a.Text)
		}
		statuses[i] = a.Status
		return nil
	})
	made := 0
	for _, status := range statuses {
		if status == 200 {
			made++
		}
	}
	list, _ := s.call(t, "GET", "/v1/users/me/addresses", token, "").Body["addresses"].([]any)
	if made != user.MaxAddresses || len(list) != user.MaxAddresses {
		t.Errorf("%d were made and %d are kept, want %d", made, len(list), user.MaxAddresses)
	}
	var before time.Time
	for _, item := range list {
		at, err := time.Parse(time.RFC3339Nano, item.(map[string]any)["create_time"].(string))
		if err != nil {
			t.Fatal(err)
		}
		if at.Before(before) { // their texts don't sort: .079Z is before .079009Z
			t.Errorf("%s comes after %s, want oldest first", at, before)
		}
		before = at
	}
}

func TestBadInput(t *testing.T) {
	s := newSite(t)
	token, _ := s.register(t, "ada@example.com")
	long := strings.Repeat("x", 129)
	for _, c := range []struct {
		method, path, token, body string
		status                    int
		reason                    string
	}{
		{"POST", "/v1/users", "", `{"email":"no address","password":"0123456789"}`, 400, "INVALID_ARGUMENT email"},
		{"POST", "/v1/users", "", `{"email":"a@b.c","password":"short"}`, 400, "INVALID_ARGUMENT password"},
		{"POST", "/v1/users", "", `{"email":"a@b.c","password":"` + long + `"}`, 400, "INVALID_ARGUMENT password"},
		{"POST", "/v1/users", "", `{"email":"a@b.c","password":"0123456789","display_name":"` + long + `"}`, 400, "INVALID_ARGUMENT display_name"},
		{"POST", "/v1/users", "", `{"email":"a@b.c","password":"0123456789","display_name":"a\u0000b"}`, 400, "INVALID_ARGUMENT display_name"},
		{"POST", "/v1/users", "", `{"email":"a@b.c","password":"0123456789","roles":["operator"]}`, 400, "INVALID_ARGUMENT roles"},
		{"POST", "/v1/users", "", `{"email":7,"password":"0123456789"}`, 400, "INVALID_ARGUMENT email"},
		{"POST", "/v1/users", "", ``, 400, "INVALID_ARGUMENT email"},
		{"POST", "/v1/sessions", "", `{"email":"ada@example.com","password":"wrong password"}`, 401, "BAD_CREDENTIALS"},
		{"POST", "/v1/sessions", "", `{"email":"a\u0000b","password":"wrong password"}`, 400, "INVALID_ARGUMENT email"},
		{"POST", "/v1/sessions", "", `{}`, 400, "INVALID_ARGUMENT email"},
		{"POST", "/v1/sessions:refresh", "", `{"refresh_token":"nonsense"}`, 401, "REFRESH_TOKEN_INVALID"},
		{"POST", "/v1/sessions:refresh", "", `{"refresh_token":""}`, 400, "INVALID_ARGUMENT refresh_token"},
		{"GET", "/v1/users/me", "", "", 401, "UNAUTHENTICATED"},
		{"GET", "/v1/users/me", "nonsense", "", 401, "UNAUTHENTICATED"},
		{"DELETE", "/v1/sessions/current", "", "", 401, "UNAUTHENTICATED"},
		{"PATCH", "/v1/users/me", token, `{"roles":["operator"]}`, 400, "INVALID_ARGUMENT update_mask"},
		{"PATCH", "/v1/users/me", token, `{"email":"eve@example.com"}`, 400, "INVALID_ARGUMENT update_mask"},
		{"PATCH", "/v1/users/me", token, `{"display_name":"` + long + `"}`, 400, "INVALID_ARGUMENT user.display_name"},
		{"PATCH", "/v1/users/me", token, `{"display_name":"a\u0000b"}`, 400, "INVALID_ARGUMENT user.display_name"},
		{"PATCH", "/v1/users/me?update_mask=password", token, `{}`, 400, "INVALID_ARGUMENT update_mask"},
		{"POST", "/v1/users/me/addresses", token, ``, 400, "INVALID_ARGUMENT address.recipient"},
		{"POST", "/v1/users/me/addresses", token, `{}`, 400, "INVALID_ARGUMENT address.recipient"},
		{"POST", "/v1/users/me/addresses", token, strings.Replace(addressBody, "GB", "UK!", 1), 400, "INVALID_ARGUMENT address.country"},
		{"POST", "/v1/users/me/addresses", token, strings.Replace(addressBody, "London", `L\u0000`, 1), 400, "INVALID_ARGUMENT address.city"},
		{"GET", "/v1/users/me/addresses/1", token, "", 400, "INVALID_ARGUMENT address_id"},
		{"GET", "/v1/users/me/addresses/00000000-0000-4000-8000-000000000000", token, "", 404, "ADDRESS_NOT_FOUND"},
	} {
		a := s.call(t, c.method, c.path, c.token, c.body)
		if a.Status != c.status || a.reason() != c.reason {
			t.Errorf("%s %s %s: %d %q, want %d %q: %s", c.method, c.path, c.body, a.Status, a.reason(), c.status, c.reason, a.Text)
		}
	}
	s.logs.saysNoSecrets(t, "ada@example.com", "eve@example.com", password, "0123456789", "wrong password", token, long)
}

// Verifying, resetting, exporting, deleting as a storefront does it, and no log of it has a secret.
func TestAShopperComesAndGoes(t *testing.T) {
	s := newSite(t)
	const address = "ada.lovelace@example.com"
	registered := s.call(t, "POST", "/v1/users", "", fmt.Sprintf(`{"email":%q,"password":%q,"display_name":"Ada"}`, address, password))
	if registered.Status != 200 || registered.Body["email_verified"] != false {
		t.Fatalf("register: %d %s", registered.Status, registered.Text)
	}
	toVerify := s.mailed(t, user.Recipient{UserID: registered.str("user_id"), VerifyEmail: true}).Token
	verify := func(password string) answer {
		return s.call(t, "POST", "/v1/users:verifyEmail", "", fmt.Sprintf(`{"token":%q,"password":%q}`, toVerify, password))
	}
	if a := verify("difference engine"); a.Status != 401 || a.reason() != "BAD_CREDENTIALS" {
		t.Errorf("a wrong password: %d %s", a.Status, a.Text)
	}
	session := verify(password)
	if verified, _ := session.Body["user"].(map[string]any); session.Status != 200 || verified["email_verified"] != true {
		t.Fatalf("verify: %d %s", session.Status, session.Text)
	}
	if a := verify(password); a.Status != 401 || a.reason() != "MAIL_TOKEN_INVALID" {
		t.Errorf("verify again: %d %s", a.Status, a.Text)
	}
	token := session.str("access_token")
	if a := s.call(t, "POST", "/v1/users/me:requestEmailVerification", token, `{}`); a.Status != 200 || s.count(t, `users.outbox where type like '%VerificationRequested'`) != 0 {
		t.Errorf("another mail for a verified address: %d %s", a.Status, a.Text)
	}

	for _, email := range []string{address, "nobody@example.com"} {
		if a := s.call(t, "POST", "/v1/users:requestPasswordReset", "", fmt.Sprintf(`{"email":%q}`, email)); a.Status != 200 || a.Text != "{}" {
			t.Errorf("ask for a new password for %s: %d %s", email, a.Status, a.Text)
		}
	}
	toReset := s.resetMail(t, address).Token
	body := fmt.Sprintf(`{"token":%q,"password":%q}`, toReset, newPassword)
	if a := s.call(t, "POST", "/v1/users:resetPassword", "", body); a.Status != 200 {
		t.Errorf("reset: %d %s", a.Status, a.Text)
	}
	if a := s.call(t, "POST", "/v1/users:resetPassword", "", body); a.Status != 401 || a.reason() != "MAIL_TOKEN_INVALID" {
		t.Errorf("reset again: %d %s", a.Status, a.Text)
	}

	if a := s.call(t, "GET", "/v1/users/me:export", token, ""); a.Status != 200 || !strings.Contains(a.Text, address) || strings.Contains(a.Text, "argon2id") {
		t.Errorf("export: %d %s", a.Status, a.Text)
	}
	if a := s.call(t, "DELETE", "/v1/sessions", token, ""); a.Status != 200 {
		t.Errorf("sign out everywhere: %d %s", a.Status, a.Text)
	}
	if a := s.call(t, "DELETE", "/v1/users/me", token, ""); a.Status != 200 {
		t.Errorf("delete: %d %s", a.Status, a.Text)
	}
	for _, path := range []string{"/v1/users/me", "/v1/users/me:export"} {
		if a := s.call(t, "GET", path, token, ""); a.Status != 401 {
			t.Errorf("%s of a deleted account: %d %s", path, a.Status, a.Text)
		}
	}
	s.logs.saysNoSecrets(t, address, "nobody@example.com", password, newPassword, toVerify, toReset, token, session.str("refresh_token"))
}

// Who tries too often is told when to try again.
func TestTooManyAttempts(t *testing.T) {
	s := newSite(t, func(c *user.Config) { c.Limits.SignIns = 2 })
	for range 2 {
		if a := s.call(t, "POST", "/v1/sessions", "", `{"email":"ada@example.com","password":"a guess of mine"}`); a.reason() != "BAD_CREDENTIALS" {
			t.Errorf("a guess: %d %s", a.Status, a.Text)
		}
	}
	a := s.call(t, "POST", "/v1/sessions", "", `{"email":"ada@example.com","password":"a guess of mine"}`)
	if seconds, err := strconv.Atoi(a.Header.Get("Retry-After")); a.Status != 429 || a.reason() != "TOO_MANY_ATTEMPTS" || err != nil || seconds < 1 || seconds > 450 {
		t.Errorf("one too many: %d %s, Retry-After %q", a.Status, a.Text, a.Header.Get("Retry-After"))
	}
}

func TestJWKS(t *testing.T) {
	s := newSite(t)
	a := s.call(t, "GET", "/.well-known/jwks.json", "", "")
	keys, _ := a.Body["keys"].([]any)
	if a.Status != 200 || len(keys) != 1 {
		t.Fatalf("%d %s", a.Status, a.Text)
	}
	key := keys[0].(map[string]any)
	if key["kty"] != "OKP" || key["crv"] != "Ed25519" || key["alg"] != "EdDSA" || key["use"] != "sig" || key["kid"] == "" || key["d"] != nil {
		t.Errorf("the key is %v", key)
	}
}

func TestAnAccountThatIsGone(t *testing.T) {
	s := newSite(t)
	token, refresh := s.register(t, "ada@example.com")
	if _, err := s.pool.Exec(t.Context(), `delete from users.accounts`); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ method, path, body string }{
		{"GET", "/v1/users/me", ""}, {"PATCH", "/v1/users/me", `{"display_name":"x"}`}, {"POST", "/v1/users/me/addresses", addressBody},
		{"POST", "/v1/sessions:refresh", fmt.Sprintf(`{"refresh_token":%q}`, refresh)},
	} {
		if a := s.call(t, c.method, c.path, token, c.body); a.Status != 401 {
			t.Errorf("%s %s: %d %s", c.method, c.path, a.Status, a.Text)
		}
	}
}

// logs collects what the service logs.
type logs struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// readLogs collects until the test ends.
func readLogs(t *testing.T) *logs {
	l := &logs{}
	before := slog.Default()
	slog.SetDefault(serve.NewLogger(l, slog.LevelDebug, "larder-test"))
	t.Cleanup(func() { slog.SetDefault(before) })
	return l
}

func (l *logs) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

// saysNoSecrets fails for a secret in the log, which tells of what was refused or failed.
func (l *logs) saysNoSecrets(t *testing.T, secrets ...string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.text.String()
	if !strings.Contains(all, "request refused") && !strings.Contains(all, "request failed") {
		t.Error("the log tells of no refusal and no failure")
	}
	for _, secret := range secrets {
		if secret != "" && strings.Contains(all, secret) {
			t.Errorf("the log has the secret %q", secret)
		}
	}
}
