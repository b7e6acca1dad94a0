package web

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"
)

// pages are a site's templates: layout.html has the frame that all share and calls "main"; parts/*.html are what pages have in common;
// every other file is a page and defines "main".
type pages struct {
	byName map[string]*template.Template
}

func parsePages(files fs.FS, funcs template.FuncMap) (*pages, error) {
	parts, err := fs.Glob(files, "parts/*.html")
	if err != nil {
		return nil, err
	}
	base, err := template.New("layout.html").Funcs(funcs).Option("missingkey=error").ParseFS(files, append(parts, "layout.html")...)
	if err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	names, err := fs.Glob(files, "*.html")
	if err != nil {
		return nil, err
	}
	p := &pages{byName: map[string]*template.Template{}}
	for _, name := range names {
		if name == "layout.html" {
			continue
		}
		page, err := base.Clone()
		if err == nil {
			page, err = page.ParseFS(files, name)
		}
		if err != nil {
			return nil, fmt.Errorf("templates: %w", err)
		}
		p.byName[strings.TrimSuffix(path.Base(name), ".html")] = page
	}
	return p, nil
}

// View is what a template sees.
type View struct {
	// Data is the page's own.
	Data any
	// Frame is the site's, for the layout (Options.Frame).
	Frame any
	// Person is who is signed in, nil: nobody.
	Person *Person
	// Path is the request's path with its query, for links that come back to it.
	Path string
	// RequestID is shown where something went wrong.
	RequestID string
}

// Render sends a page. It is made whole before its first byte is sent: after an error, nothing was.
func (s *Site) Render(w http.ResponseWriter, r *http.Request, status int, page string, data any) error {
	return s.render(w, r, status, page, "layout.html", data)
}

// Show sends a page, or the block of it that a script asks for.
func (s *Site) Show(w http.ResponseWriter, r *http.Request, status int, page, block string, data any) error {
	if IsFragment(r) {
		return s.Fragment(w, r, status, page, block, data)
	}
	return s.Render(w, r, status, page, data)
}

// Fragment sends a block of a page, or a part, without the layout: what a script puts in the place of what is there.
func (s *Site) Fragment(w http.ResponseWriter, r *http.Request, status int, page, block string, data any) error {
	return s.render(w, r, status, page, block, data)
}

func (s *Site) render(w http.ResponseWriter, r *http.Request, status int, page, block string, data any) error {
	t, ok := s.pages.byName[page]
	if !ok {
		return fmt.Errorf("there is no page %q", page)
	}
	view := View{Data: data, Person: PersonOf(r.Context()), Path: r.URL.RequestURI(), RequestID: callerOf(r.Context()).request}
	if s.frame != nil {
		view.Frame = s.frame(r)
	}
	var buffer bytes.Buffer
	if err := t.ExecuteTemplate(&buffer, block, view); err != nil {
		return fmt.Errorf("page %s: %w", page, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	send(w, r, status, buffer.Bytes())
	return nil
}

// packers are used again: each takes most of a megabyte.
var packers = sync.Pool{New: func() any {
	packed, _ := gzip.NewWriterLevel(nil, 4) // the level is a valid one
	return packed
}}

// send writes a page, packed where the browser takes that. No page holds a secret of the site beside what strangers may put into it, so its
// packed length tells them nothing (BREACH): there are no tokens against CSRF in it, and the session is in a cookie.
func send(w http.ResponseWriter, r *http.Request, status int, text []byte) {
	w.Header().Add("Vary", "Accept-Encoding")
	if len(text) < 1400 || !accepts(r, "gzip") {
		w.WriteHeader(status)
		_, _ = w.Write(text) // the reader may have gone
		return
	}
	w.Header().Set("Content-Encoding", "gzip")
	w.WriteHeader(status)
	packed, _ := packers.Get().(*gzip.Writer) // the pool's own
	defer packers.Put(packed)
	packed.Reset(w)
	_, _ = packed.Write(text)
	_ = packed.Close()
}

// accepts tells whether the browser takes a content encoding. "identity" and weights play no part: browsers name what they take.
func accepts(r *http.Request, encoding string) bool {
	for entry := range strings.SplitSeq(strings.Join(r.Header.Values("Accept-Encoding"), ","), ",") {
		name, weight, _ := strings.Cut(strings.TrimSpace(entry), ";")
		if strings.EqualFold(strings.TrimSpace(name), encoding) {
			return strings.ReplaceAll(weight, " ", "") != "q=0"
		}
	}
	return false
}
