package web

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"

	"larder.dev/api/client"
	"larder.dev/internal/serve"
)

// maxForm is the largest form that is read, bytes.
const maxForm = 64 << 10

// Options are what a site is made of.
type Options struct {
	Config Config
	// Proxies before the site that add to X-Forwarded-For: serve.Config's Limits.Proxies.
	Proxies int
	// Session is the name of the cookie that keeps who is signed in. Sites of one host have one each.
	Session string
	// Base is the path below which the site lives, "" or "/console": of its static files, and of SignInPath.
	Base string
	// SignInPath asks who one is; a page that returns ErrSignIn sends there, with the way back in "next".
	SignInPath string
	// Files has two folders: pages, with layout.html, parts/*.html, a file for every page, and error.html, whose Data is a Trouble; and static,
	// whose files are found at {{static "name"}}.
	Files fs.FS
	// Funcs are the templates' own functions, besides those of format.go.
	Funcs template.FuncMap
	// Frame is what the layout needs of a request, View.Frame. It mustn't fail.
	Frame func(r *http.Request) any
}

// Site is a set of pages. Add them with Handle, then serve it. It is safe for concurrent use from then on.
type Site struct {
	// API calls the public API as the person of the context that it is given.
	API *client.Client
	// Stream is API for streams, which last as long as their context.
	Stream *client.Client
	// Jar keeps further values in cookies.
	Jar *Jar

	sessions *sessions
	pages    *pages
	static   *static
	frame    func(*http.Request) any
	mux      *http.ServeMux
	handler  http.Handler
	https    bool
	proxies  int
	signIn   string
}

// NewSite makes a site without pages. An error: the configuration or a template is at fault.
func NewSite(options Options) (*Site, error) {
	public, keys, err := options.Config.parse()
	if err != nil {
		return nil, err
	}
	s := &Site{
		API: newAPI(options.Config.APIURL, callTimeout), Stream: newAPI(options.Config.APIURL, 0),
		frame: options.Frame, mux: http.NewServeMux(), https: public.Scheme == "https", proxies: options.Proxies,
		signIn: options.Base + options.SignInPath,
	}
	if s.Jar, err = newJar(keys, s.https); err != nil {
		return nil, err
	}
	s.sessions = newSessions(s.API, s.Jar, options.Session, time.Now)
	pages, err := fs.Sub(options.Files, "pages")
	if err != nil {
		return nil, err
	}
	static, err := fs.Sub(options.Files, "static")
	if err != nil {
		return nil, err
	}
	if s.static, err = newStatic(static, options.Base+"/static/"); err != nil {
		return nil, err
	}
	funcs := template.FuncMap{"static": s.static.url}
	maps.Copy(funcs, formats)
	maps.Copy(funcs, options.Funcs)
	if s.pages, err = parsePages(pages, funcs); err != nil {
		return nil, err
	}
	if _, ok := s.pages.byName["error"]; !ok {
		return nil, errors.New("templates: there is no error.html")
	}
	s.mux.Handle(options.Base+"/static/", s.static)
	s.mux.HandleFunc("/", s.elsewhere)

	// Browsers say of every request whether a page of the same origin sent it (Sec-Fetch-Site), and older ones at least which (Origin).
	// That needs no token in every form, and holds for requests of scripts alike; SameSite=Lax of the session is the second wall.
	origins := http.NewCrossOriginProtection()
	if err := origins.AddTrustedOrigin(public.Scheme + "://" + public.Host); err != nil {
		return nil, fmt.Errorf("SITE_URL: %w", err)
	}
	origins.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.Fail(w, r, &Trouble{Status: http.StatusForbidden, Title: "This came from another site", Text: "Nothing was changed. Open the page here and try again."})
	}))
	s.handler = origins.Handler(s.mux)
	return s, nil
}

// elsewhere answers an address that leads nowhere. One that leads to a page but for a slash at its end, as people type it, leads there.
func (s *Site) elsewhere(w http.ResponseWriter, r *http.Request) {
	if without := path.Clean(r.URL.Path); without != r.URL.Path && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		to := *r.URL
		to.Path, to.RawPath = without, ""
		meant := r.Clone(r.Context())
		meant.URL = &to
		if _, pattern := s.mux.Handler(meant); pattern != "/" {
			http.Redirect(w, r, to.RequestURI(), http.StatusMovedPermanently)
			return
		}
	}
	s.Fail(w, r, NoSuchPage())
}

// NoSuchPage is what an address is told that leads nowhere.
func NoSuchPage() *Trouble {
	return &Trouble{Status: http.StatusNotFound, Title: noSuchPage.title, Text: noSuchPage.text}
}

// ServeHTTP implements http.Handler.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w.Header(), s.https)
	ctx := otel.GetTextMapPropagator().Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	ctx = context.WithValue(ctx, callerKey{}, caller{address: clientAddress(r, s.proxies), request: serve.RequestID(ctx)})
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	s.handler.ServeHTTP(w, r.WithContext(ctx))
}

// Page answers a request, or returns why it can't be done.
type Page func(w http.ResponseWriter, r *http.Request) error

// Handle adds a page at a pattern of http.ServeMux. The context of its requests is that of who is signed in. An error that it returns, before
// it has written anything, becomes a page of words; ErrSignIn sends to the sign-in and back.
func (s *Site) Handle(pattern string, page Page) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		session, err := s.sessions.of(w, r)
		if err == nil && session != nil {
			from := callerOf(r.Context())
			from.person, from.token = &session.Person, session.Access
			r = r.WithContext(context.WithValue(r.Context(), callerKey{}, from))
		}
		if err == nil {
			err = readForm(r)
		}
		if err == nil {
			err = page(w, r)
		}
		if err != nil {
			s.Fail(w, r, err)
		}
	})
}

// readForm reads the form that a request brings. Pages ask it for its fields only, which would be empty where it couldn't be read: a form that is too
// large is told so, instead of being taken as one that nobody filled in.
func readForm(r *http.Request) error {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return nil
	}
	err := r.ParseForm()
	if err == nil {
		if err = r.ParseMultipartForm(maxForm); errors.Is(err, http.ErrNotMultipart) {
			err = nil
		}
	}
	if tooLarge := new(http.MaxBytesError); err == nil || errors.As(err, &tooLarge) {
		return err
	}
	return &Trouble{Status: http.StatusBadRequest, Title: "This form can't be read", Text: "Please open the page again and fill it in once more."}
}

// HandlePlain adds a handler that is nobody's in particular, a picture for example: the session isn't looked at.
func (s *Site) HandlePlain(pattern string, handler http.Handler) { s.mux.Handle(pattern, handler) }

// IsFragment tells whether a script asks for a part of the page, which it puts in the place of what is there.
func IsFragment(r *http.Request) bool { return r.Header.Get("X-Fragment") != "" }

// Fail answers a request that can't be done: with words, and the request's id.
func (s *Site) Fail(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, ErrSignIn) || client.ReasonOf(err) == "UNAUTHENTICATED" || client.ReasonOf(err) == "TOKEN_EXPIRED" {
		s.askWho(w, r, err)
		return
	}
	if r.Context().Err() != nil {
		return // whoever asked has gone
	}
	trouble := Explain(err)
	if trouble.Status >= http.StatusInternalServerError {
		slog.ErrorContext(r.Context(), "a page failed", "path", r.URL.Path, "request_id", callerOf(r.Context()).request, "error", err)
	}
	if trouble.Reason == "INVALID_ARGUMENT" {
		trouble.Text = unmarked // here is no form
	}
	if trouble.RequestID == "" {
		trouble.RequestID = callerOf(r.Context()).request
	}
	if trouble.RetryAfter > 0 {
		w.Header().Set("Retry-After", fmt.Sprint(int(trouble.RetryAfter.Seconds()+1)))
	}
	if err := s.Render(w, r, trouble.Status, "error", trouble); err != nil {
		slog.ErrorContext(r.Context(), "the page of errors failed", "error", err)
		http.Error(w, "Something went wrong. "+trouble.RequestID, http.StatusInternalServerError)
	}
}

// askWho sends nobody to the sign-in. A script can't follow there: it is told 401, and loads the page anew. A token that the API doesn't
// take any more, though its time isn't up, is dropped: else the browser would be sent to and fro for ever.
func (s *Site) askWho(w http.ResponseWriter, r *http.Request, err error) {
	if !errors.Is(err, ErrSignIn) {
		s.Jar.Drop(w, s.sessions.cookie)
	}
	if IsFragment(r) {
		http.Error(w, "Please sign in.", http.StatusUnauthorized)
		return
	}
	back := r.URL.RequestURI()
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		back = ""
		if from, err := url.Parse(r.Referer()); err == nil && from.Path != "" {
			back = from.RequestURI()
		}
	}
	http.Redirect(w, r, s.signIn+"?next="+url.QueryEscape(back), http.StatusSeeOther)
}

// Next is where a form asks to go on to: the value of its field "next" if it is a path of this host, else otherwise. An address of another
// host would make the site a springboard for phishing.
func Next(r *http.Request, otherwise string) string {
	next := r.FormValue("next")
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return otherwise
	}
	return next
}
