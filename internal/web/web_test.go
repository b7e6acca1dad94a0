package web_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/andybalholm/brotli"

	"larder.dev/internal/fault"
	"larder.dev/internal/serve"
	"larder.dev/internal/web"

	typepb "larder.dev/api/type/v1"
	userpb "larder.dev/api/user/v1"
)

func key(fill byte) string { return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{fill}, 32)) }

// api stands for the public API as far as a session needs it.
type api struct {
	*httptest.Server
	access    time.Duration // how long an access token lasts
	refreshes atomic.Int64
	refuse    atomic.Pointer[fault.Error]
	seen      sync.Map // path: http.Header
}

func newAPI(t *testing.T) *api {
	t.Helper()
	a := &api{access: 15 * time.Minute}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.seen.Store(r.URL.Path, r.Header.Clone())
		if refusal := a.refuse.Load(); refusal != nil {
			serve.WriteError(w, r, refusal)
			return
		}
		number := int64(0)
		if r.URL.Path == "/v1/sessions:refresh" {
			number = a.refreshes.Add(1)
		}
		_ = json.NewEncoder(w).Encode(map[string]any{
			"access_token":              fmt.Sprintf("access-%d", number),
			"access_token_expire_time":  time.Now().Add(a.access).UTC().Format(time.RFC3339Nano),
			"refresh_token":             fmt.Sprintf("refresh-%d", number),
			"refresh_token_expire_time": time.Now().Add(time.Hour).UTC().Format(time.RFC3339Nano),
			"user":                      map[string]any{"user_id": "u1", "email": "ada@example.com", "display_name": "Ada", "roles": []string{"operator"}},
		})
	}))
	t.Cleanup(a.Close)
	return a
}

var templates = fstest.MapFS{
	"pages/layout.html":     {Data: []byte(`<html>{{with .Person}}{{.Name}}{{else}}nobody{{end}} {{block "main" .}}{{end}} {{static "app.css"}} {{template "part"}}</html>`)},
	"pages/parts/part.html": {Data: []byte(`{{define "part"}}part{{end}}`)},
	"pages/plain.html":      {Data: []byte(`{{define "main"}}<p>{{.Data}}</p>{{end}}`)},
	"pages/breaks.html":     {Data: []byte(`{{define "main"}}<p>half of it {{.Data.Nothing.Such}}</p>{{end}}`)},
	"pages/error.html":      {Data: []byte(`{{define "main"}}<h1>{{.Data.Title}}</h1>{{.Data.Text}} {{range $f, $w := .Data.Fields}}[{{$f}}: {{$w}}]{{end}} id={{.Data.RequestID}}{{end}}`)},
	"static/app.css":        {Data: []byte(style)},
}

var style = "body { color: #123 }\n" + strings.Repeat("p { margin: 0 }\n", 200)

// site is a site with pages for the tests, served.
func site(t *testing.T, a *api, change func(*web.Options)) (*web.Site, *httptest.Server) {
	t.Helper()
	options := web.Options{
		Config:  web.Config{APIURL: a.URL, SiteURL: "http://shop.example", SessionKeys: []string{key(1)}},
		Proxies: 1, Session: "larder-session", SignInPath: "/sign-in", Files: templates,
	}
	if change != nil {
		change(&options)
	}
	s, err := web.NewSite(options)
	if err != nil {
		t.Fatal(err)
	}
	s.Handle("POST /sign-in", func(w http.ResponseWriter, r *http.Request) error {
		ctx, err := s.SignIn(w, r, "ada@example.com", "secret-secret")
		if err != nil {
			return err
		}
		return s.Render(w, r.WithContext(ctx), http.StatusOK, "plain", "welcome")
	})
	s.Handle("GET /{$}", func(w http.ResponseWriter, r *http.Request) error {
		return s.Render(w, r, http.StatusOK, "plain", "<b>"+strings.Repeat("x", 2000))
	})
	s.Handle("GET /mine", func(w http.ResponseWriter, r *http.Request) error {
		if web.PersonOf(r.Context()) == nil {
			return web.ErrSignIn
		}
		if _, err := s.API.GetUser(r.Context(), &userpb.GetUserRequest{}); err != nil {
			return err
		}
		return s.Render(w, r, http.StatusOK, "plain", "mine")
	})
	s.Handle("POST /sign-out", func(w http.ResponseWriter, r *http.Request) error {
		if err := s.SignOut(w, r); err != nil {
			return err
		}
		return s.Render(w, r, http.StatusOK, "plain", "bye")
	})
	s.Handle("GET /breaks", func(w http.ResponseWriter, r *http.Request) error {
		return s.Render(w, r, http.StatusOK, "breaks", struct{ Nothing *struct{ Such string } }{})
	})
	s.Handle("GET /unknown", func(http.ResponseWriter, *http.Request) error { return errors.New("password hunter2 at 10.0.0.1") })
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return s, server
}

// browser keeps cookies.
func browser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

type answer struct {
	*http.Response
	text string
}

func ask(t *testing.T, c *http.Client, method, address string, header http.Header) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header = header.Clone()
	if request.Header == nil {
		request.Header = http.Header{}
	}
	response, err := c.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response, string(text)}
}

func TestASessionIsInTheBrowserOnly(t *testing.T) {
	a := newAPI(t)
	_, server := site(t, a, nil)
	b := browser(t)
	got := ask(t, b, "POST", server.URL+"/sign-in", nil)
	if got.StatusCode != http.StatusOK || !strings.Contains(got.text, "Ada") {
		t.Fatalf("signed in: %d %s", got.StatusCode, got.text)
	}
	cookie := got.Cookies()[0]
	if cookie.Name != "larder-session" || !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.Secure || cookie.Path != "/" {
		t.Errorf("cookie %+v", cookie)
	}
	if cookie.MaxAge < 3500 || cookie.MaxAge > 3600 {
		t.Errorf("the cookie lasts %d s, want as long as the refresh token", cookie.MaxAge)
	}
	raw, _ := base64.RawURLEncoding.DecodeString(cookie.Value)
	if strings.Contains(cookie.Value+string(raw), "access-0") {
		t.Error("the cookie can be read")
	}

	// Another process with the same keys, the first one now behind a new one, knows the person.
	_, other := site(t, a, func(o *web.Options) { o.Config.SessionKeys = []string{key(2), key(1)} })
	with := http.Header{"Cookie": {cookie.Name + "=" + cookie.Value}, "X-Forwarded-For": {"6.6.6.6, 192.0.2.7"}, "X-Request-Id": {"req-1"}}
	if got := ask(t, http.DefaultClient, "GET", other.URL+"/mine", with); got.StatusCode != http.StatusOK {
		t.Errorf("another process: %d %s", got.StatusCode, got.text)
	}
	sent, _ := a.seen.Load("/v1/users/me")
	header := sent.(http.Header) //nolint:forcetypeassert // stored above
	if header.Get("Authorization") != "Bearer access-0" || header.Get("X-Forwarded-For") != "192.0.2.7" {
		t.Errorf("the API was called with %v", header)
	}
	// One without the key doesn't, nor is a changed or a moved cookie taken.
	_, stranger := site(t, a, func(o *web.Options) { o.Config.SessionKeys = []string{key(3)} })
	flipped := []byte(cookie.Value)
	flipped[len(flipped)/2] ^= 1
	for name, c := range map[string]struct{ server, cookie string }{
		"other keys": {stranger.URL, cookie.Value}, "changed": {server.URL, string(flipped)}, "cut": {server.URL, cookie.Value[:20]}, "none": {server.URL, ""},
	} {
		got := ask(t, browser(t), "GET", c.server+"/mine?a=1", http.Header{"Cookie": {cookie.Name + "=" + c.cookie}})
		if got.StatusCode != http.StatusSeeOther || got.Header.Get("Location") != "/sign-in?next="+url.QueryEscape("/mine?a=1") {
			t.Errorf("%s: %d %s", name, got.StatusCode, got.Header.Get("Location"))
		}
	}

	got = ask(t, b, "POST", server.URL+"/sign-out", nil)
	if got.StatusCode != http.StatusOK || got.Cookies()[0].MaxAge >= 0 {
		t.Errorf("signed out: %d %v", got.StatusCode, got.Cookies())
	}
	if _, told := a.seen.Load("/v1/sessions/current"); !told {
		t.Error("the API wasn't told of the sign-out")
	}
}

func TestACookieIsNoOthers(t *testing.T) {
	a := newAPI(t)
	s, _ := site(t, a, nil)
	recorder := httptest.NewRecorder()
	if err := s.Jar.Put(recorder, "one", "value", time.Hour); err != nil {
		t.Fatal(err)
	}
	value := recorder.Result().Cookies()[0].Value
	for name, want := range map[string]bool{"one": true, "other": false} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.AddCookie(&http.Cookie{Name: name, Value: value}) //nolint:gosec // a request's
		var got string
		if s.Jar.Get(r, name, &got) != want || (got == "value") != want {
			t.Errorf("as cookie %q: %q", name, got)
		}
	}
	if err := s.Jar.Put(recorder, "long", strings.Repeat("x", 4000), time.Hour); err == nil {
		t.Error("a browser wouldn't keep this one, and nobody is told")
	}
}

func TestTabsRefreshOnce(t *testing.T) {
	a := newAPI(t)
	a.access = 10 * time.Second // ends too soon for a page
	_, server := site(t, a, nil)
	cookie := ask(t, browser(t), "POST", server.URL+"/sign-in", nil).Cookies()[0]
	a.access = 15 * time.Minute
	with := http.Header{"Cookie": {cookie.Name + "=" + cookie.Value}}
	var tabs sync.WaitGroup
	values := make(chan string, 40)
	for range 40 {
		tabs.Go(func() {
			got := ask(t, http.DefaultClient, "GET", server.URL+"/mine", with)
			if got.StatusCode != http.StatusOK || len(got.Cookies()) != 1 {
				t.Errorf("%d with %d cookies", got.StatusCode, len(got.Cookies()))
				return
			}
			values <- got.Cookies()[0].Value
		})
	}
	tabs.Wait()
	close(values)
	// And one whose request was on its way for long.
	ask(t, http.DefaultClient, "GET", server.URL+"/mine", with)
	if n := a.refreshes.Load(); n != 1 {
		t.Errorf("refreshed %d times", n)
	}
	sent, _ := a.seen.Load("/v1/sessions:refresh")
	if h, _ := sent.(http.Header); h.Get("Authorization") != "" {
		t.Errorf("refreshed with %q", h.Get("Authorization"))
	}
	// Whichever answer the browser keeps, it goes on.
	for value := range values {
		if got := ask(t, http.DefaultClient, "GET", server.URL+"/mine", http.Header{"Cookie": {cookie.Name + "=" + value}}); got.StatusCode != http.StatusOK {
			t.Errorf("then: %d", got.StatusCode)
		}
	}
	if n := a.refreshes.Load(); n != 1 {
		t.Errorf("refreshed %d times in all", n)
	}
}

func TestWhenARefreshFails(t *testing.T) {
	for name, c := range map[string]struct {
		access time.Duration
		refuse *fault.Error
		status int
		drops  bool
	}{
		"the session has ended":                     {10 * time.Second, fault.RefreshTokenInvalid.New("used"), http.StatusOK, true},
		"the API is away, the token still holds":    {30 * time.Second, fault.Unavailable.New("away"), http.StatusOK, false},
		"the API is away, and the token is no more": {-time.Second, fault.Unavailable.New("away"), http.StatusServiceUnavailable, false},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAPI(t)
			a.access = c.access
			_, server := site(t, a, nil)
			cookie := ask(t, browser(t), "POST", server.URL+"/sign-in", nil).Cookies()[0]
			a.refuse.Store(c.refuse)
			got := ask(t, http.DefaultClient, "GET", server.URL+"/", http.Header{"Cookie": {cookie.Name + "=" + cookie.Value}})
			dropped := len(got.Cookies()) == 1 && got.Cookies()[0].MaxAge < 0
			if got.StatusCode != c.status || dropped != c.drops {
				t.Errorf("%d, session dropped: %t; want %d, %t", got.StatusCode, dropped, c.status, c.drops)
			}
			if c.status == http.StatusOK && strings.Contains(got.text, "nobody") != c.drops {
				t.Errorf("the page is %.60s", got.text)
			}
		})
	}
}

// The API may refuse a token whose time isn't up, after its keys were changed for example.
func TestARefusedTokenLeadsToTheSignIn(t *testing.T) {
	a := newAPI(t)
	_, server := site(t, a, nil)
	b := browser(t)
	ask(t, b, "POST", server.URL+"/sign-in", nil)
	a.refuse.Store(fault.Unauthenticated.New("unknown key"))
	got := ask(t, b, "GET", server.URL+"/mine", nil)
	if got.StatusCode != http.StatusSeeOther || !strings.HasPrefix(got.Header.Get("Location"), "/sign-in?") || got.Cookies()[0].MaxAge >= 0 {
		t.Errorf("%d %s %v", got.StatusCode, got.Header.Get("Location"), got.Cookies())
	}
	if got := ask(t, b, "GET", server.URL+"/mine", http.Header{"X-Fragment": {"1"}}); got.StatusCode != http.StatusUnauthorized {
		t.Errorf("a script is told %d", got.StatusCode)
	}
}

func TestOtherSitesChangeNothing(t *testing.T) {
	a := newAPI(t)
	_, server := site(t, a, nil)
	for name, c := range map[string]struct {
		header http.Header
		status int
	}{
		"a form of ours":            {http.Header{"Sec-Fetch-Site": {"same-origin"}}, http.StatusOK},
		"another site's":            {http.Header{"Sec-Fetch-Site": {"cross-site"}}, http.StatusForbidden},
		"a sibling host's":          {http.Header{"Sec-Fetch-Site": {"same-site"}}, http.StatusForbidden},
		"ours, an old browser":      {http.Header{"Origin": {"http://shop.example"}}, http.StatusOK},
		"another's, an old browser": {http.Header{"Origin": {"https://evil.example"}}, http.StatusForbidden},
		"from a sandbox":            {http.Header{"Origin": {"null"}}, http.StatusForbidden},
	} {
		got := ask(t, browser(t), "POST", server.URL+"/sign-in", c.header)
		if got.StatusCode != c.status {
			t.Errorf("%s: %d, want %d", name, got.StatusCode, c.status)
		}
		if c.status != http.StatusOK && (len(got.Cookies()) > 0 || !strings.Contains(got.text, "another site")) {
			t.Errorf("%s: %s", name, got.text)
		}
	}
}

// A form that can't be read is told so; no page takes it as one that is empty.
func TestFormsThatCantBeRead(t *testing.T) {
	s, server := site(t, newAPI(t), nil)
	s.Handle("POST /form", func(w http.ResponseWriter, r *http.Request) error {
		return s.Render(w, r, http.StatusOK, "plain", fmt.Sprintf("%d letters", len(r.FormValue("text"))))
	})
	const plain, parts = "application/x-www-form-urlencoded", "multipart/form-data; boundary=b"
	part := func(text string) string {
		return "--b\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\n" + text + "\r\n--b--\r\n"
	}
	for name, c := range map[string]struct {
		kind, body string
		status     int
		says       string
	}{
		"as large as it may be":     {plain, "text=" + strings.Repeat("x", 64<<10-5), http.StatusOK, "65531 letters"},
		"a byte more":               {plain, "text=" + strings.Repeat("x", 64<<10-4), http.StatusRequestEntityTooLarge, "That is too much at once"},
		"in parts":                  {parts, part("four"), http.StatusOK, "4 letters"},
		"in parts, and too large":   {parts, part(strings.Repeat("x", 64<<10)), http.StatusRequestEntityTooLarge, "That is too much at once"},
		"in parts, and broken off":  {parts, part("four")[:60], http.StatusBadRequest, "can&#39;t be read"},
		"with an escape that isn't": {plain, "text=%zz", http.StatusBadRequest, "can&#39;t be read"},
		"of a kind that no form is": {"application/json", "{}", http.StatusOK, "0 letters"},
	} {
		response, err := http.Post(server.URL+"/form", c.kind, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil || response.StatusCode != c.status || !strings.Contains(string(text), c.says) {
			t.Errorf("%s: %d %v %s, want %d and %q", name, response.StatusCode, err, text, c.status, c.says)
		}
	}
}

func TestHeaders(t *testing.T) {
	a := newAPI(t)
	_, plain := site(t, a, nil)
	_, tls := site(t, a, func(o *web.Options) { o.Config.SiteURL = "https://shop.example" })
	for _, path := range []string{"/", "/nowhere", "/unknown", "/mine"} {
		h := ask(t, browser(t), "GET", plain.URL+path, nil).Header
		policy := h.Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "unsafe") ||
			strings.Contains(policy, "http") || strings.Contains(policy, "*") {
			t.Errorf("%s: policy %q", path, policy)
		}
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "same-origin" || h.Get("Cache-Control") != "no-store" ||
			h.Get("Strict-Transport-Security") != "" {
			t.Errorf("%s: %v", path, h)
		}
	}
	got := ask(t, browser(t), "POST", tls.URL+"/sign-in", nil)
	if c := got.Cookies()[0]; c.Name != "__Host-larder-session" || !c.Secure {
		t.Errorf("by https the cookie is %+v", c)
	}
	if got.Header.Get("Strict-Transport-Security") == "" {
		t.Error("by https there is no HSTS")
	}
}

func TestAPageIsSentWhole(t *testing.T) {
	a := newAPI(t)
	_, server := site(t, a, nil)
	got := ask(t, browser(t), "GET", server.URL+"/breaks", nil)
	if got.StatusCode != http.StatusInternalServerError || strings.Contains(got.text, "half of it") || !strings.Contains(got.text, "Something went wrong") {
		t.Errorf("%d %s", got.StatusCode, got.text)
	}
	got = ask(t, browser(t), "GET", server.URL+"/", http.Header{"Accept-Encoding": {"br, gzip;q=0.8"}})
	unpacked, err := gzip.NewReader(strings.NewReader(got.text))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(unpacked)
	if err != nil || !strings.Contains(string(text), "&lt;b&gt;xxx") || !strings.HasSuffix(string(text), "part</html>") {
		t.Errorf("%v %.80s", err, text)
	}
	if got := ask(t, browser(t), "GET", server.URL+"/", http.Header{"Accept-Encoding": {"gzip;q=0"}}); got.Header.Get("Content-Encoding") != "" {
		t.Error("packed for a browser that doesn't take it")
	}
}

func TestStaticFilesLast(t *testing.T) {
	a := newAPI(t)
	_, server := site(t, a, func(o *web.Options) { o.Base = "/console" })
	page := ask(t, browser(t), "GET", server.URL+"/", http.Header{"Accept-Encoding": {"identity"}}).text
	_, name, _ := strings.Cut(page, "/console/static/")
	name, _, _ = strings.Cut(name, " ")
	for encoding, unpack := range map[string]func(io.Reader) (io.Reader, error){
		"br":       func(r io.Reader) (io.Reader, error) { return brotli.NewReader(r), nil },
		"gzip":     func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
		"identity": func(r io.Reader) (io.Reader, error) { return r, nil },
	} {
		got := ask(t, browser(t), "GET", server.URL+"/console/static/"+name, http.Header{"Accept-Encoding": {encoding}})
		reader, err := unpack(strings.NewReader(got.text))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(reader)
		if err != nil || string(text) != style {
			t.Errorf("%s: %v, %d bytes", encoding, err, len(text))
		}
		if !strings.Contains(got.Header.Get("Cache-Control"), "immutable") || !strings.HasPrefix(got.Header.Get("Content-Type"), "text/css") {
			t.Errorf("%s: %v", encoding, got.Header)
		}
		if encoding != "identity" && len(got.text) > len(style)/4 {
			t.Errorf("%s packs %d bytes to %d", encoding, len(style), len(got.text))
		}
	}
	if got := ask(t, browser(t), "GET", server.URL+"/console/static/app.0000000000.css", nil); got.StatusCode != http.StatusNotFound {
		t.Errorf("another release's file: %d", got.StatusCode)
	}
}

// general reasons are those that a person can't have caused, or never sees.
var general = map[string]bool{
	"UNSUPPORTED_MEDIA_TYPE": true, "METHOD_NOT_ALLOWED": true, "IDEMPOTENCY_KEY_REQUIRED": true, "INTERNAL": true,
	"CANCELLED": true, "WEBHOOK_SIGNATURE_INVALID": true, "WEBHOOK_TOO_OLD": true,
	// These lead to the sign-in.
	"UNAUTHENTICATED": true, "TOKEN_EXPIRED": true, "REFRESH_TOKEN_INVALID": true,
}

func TestEveryRefusalHasWords(t *testing.T) {
	a := newAPI(t)
	s, _ := site(t, a, nil)
	common := ""
	for name, reason := range fault.All() {
		a.refuse.Store(reason.New("row 7 of table users"))
		_, err := s.API.DeleteSession(t.Context(), &userpb.DeleteSessionRequest{})
		trouble := web.Explain(err)
		if trouble.Title == "" || trouble.Text == "" || strings.Contains(trouble.Title+trouble.Text, "table") || strings.Contains(trouble.Title+trouble.Text, "_") {
			t.Errorf("%s: %q %q", name, trouble.Title, trouble.Text)
		}
		if general[name] {
			common = trouble.Title
		}
		if name != "CANCELLED" && trouble.Status != reason.HTTP {
			t.Errorf("%s: status %d, want %d", name, trouble.Status, reason.HTTP)
		}
	}
	for name, reason := range fault.All() {
		a.refuse.Store(reason.New("x"))
		_, err := s.API.DeleteSession(t.Context(), &userpb.DeleteSessionRequest{})
		if own := web.Explain(err).Title != common; own == general[name] {
			t.Errorf("%s has words of its own: %t", name, own)
		}
	}
	a.Close()
	_, err := s.API.DeleteSession(t.Context(), &userpb.DeleteSessionRequest{})
	if trouble := web.Explain(err); trouble.Status != http.StatusServiceUnavailable || strings.Contains(trouble.Title+trouble.Text, "127.0.0.1") {
		t.Errorf("away: %+v", trouble)
	}
}

func TestPagesTellNothingInternal(t *testing.T) {
	a := newAPI(t)
	_, server := site(t, a, nil)
	got := ask(t, browser(t), "GET", server.URL+"/unknown", nil)
	if got.StatusCode != http.StatusInternalServerError || strings.Contains(got.text, "hunter2") {
		t.Errorf("%d %s", got.StatusCode, got.text)
	}
	b := browser(t)
	ask(t, b, "POST", server.URL+"/sign-in", nil)
	a.refuse.Store(fault.Internal.New("select * from users"))
	got = ask(t, b, "GET", server.URL+"/mine", nil)
	if got.StatusCode != http.StatusInternalServerError || strings.Contains(got.text, "select") {
		t.Errorf("%d %s", got.StatusCode, got.text)
	}
}

func TestNextStaysHere(t *testing.T) {
	for next, want := range map[string]string{
		"/orders?page=2": "/orders?page=2", "/": "/", "": "/home", "https://evil.example": "/home", "//evil.example": "/home", `/\evil.example`: "/home",
		"javascript:alert(1)": "/home", "/a\r\nSet-Cookie: x=y": "/home", "orders": "/home", "/\t/evil.example": "/home",
	} {
		r := httptest.NewRequest(http.MethodGet, "/?next="+url.QueryEscape(next), nil)
		if got := web.Next(r, "/home"); got != want {
			t.Errorf("%q leads to %q, want %q", next, got, want)
		}
	}
}

func TestFaultyConfiguration(t *testing.T) {
	a := newAPI(t)
	for name, change := range map[string]func(*web.Options){
		"API_URL":      func(o *web.Options) { o.Config.APIURL = "shop" },
		"SITE_URL":     func(o *web.Options) { o.Config.SiteURL = "ftp://shop.example" },
		"SESSION_KEYS": func(o *web.Options) { o.Config.SessionKeys = []string{"c2hvcnQ="} },
		"error.html": func(o *web.Options) {
			o.Files = fstest.MapFS{"pages/layout.html": {Data: []byte("x")}, "pages/parts/a.html": {Data: []byte("")}, "static/app.css": {Data: []byte("")}}
		},
	} {
		options := web.Options{
			Config: web.Config{APIURL: a.URL, SiteURL: "http://shop.example", SessionKeys: []string{key(1)}}, Files: templates,
		}
		change(&options)
		if _, err := web.NewSite(options); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMoney(t *testing.T) {
	for want, m := range map[string]*typepb.Money{
		"£0.05": {Currency: "GBP", MinorUnits: 5}, "£1,234,567.89": {Currency: "GBP", MinorUnits: 123456789}, "−€1.20": {Currency: "EUR", MinorUnits: -120},
		"CHF 999.00": {Currency: "CHF", MinorUnits: 99900}, "": nil,
	} {
		if got := web.Money(m); got != want {
			t.Errorf("%v is %q, want %q", m, got, want)
		}
	}
}

// A slash at the end of an address leads to the page without it, with its query, and nowhere else.
func TestSlashAtTheEnd(t *testing.T) {
	_, server := site(t, newAPI(t), nil)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for path, want := range map[string]string{
		"/mine/?a=1&next=%2Fb": "301 /mine?a=1&next=%2Fb", "/nothing/": "404 ", "/mine/more/": "404 ", "/": "200 ",
		"/mine//": "307 /mine/", "//evil.example/": "307 /evil.example/", // of net/http: a path of this host
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.URL.Path, request.URL.RawQuery, _ = strings.Cut(path, "?")
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		at := response.Header.Get("Location")
		if got := fmt.Sprintf("%d %s", response.StatusCode, at); got != want {
			t.Errorf("%s is answered %q, want %q", path, got, want)
		}
	}
}
