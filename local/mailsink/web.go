package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"html/template"
	"net/http"
	"strconv"
	"time"
)

// Numbers of mails that a list has: if nothing else is said, and at most.
const (
	defaultLimit = 100
	maxLimit     = 1000
)

const noMail = "there is no such mail, or it is no longer kept"

//go:embed page.html
var pageText string

// What a page may load and do: nothing but its own frame and style. A mail's own HTML is shown in a sandbox besides, where no script
// runs and no form is sent.
const (
	pagePolicy = "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'"
	mailPolicy = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"
)

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"time": func(t time.Time) string { return t.Format("2 Jan 15:04:05") },
}).Parse(pageText))

func handler(kept *box) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, map[string]string{"status": "ok"}) })
	mux.HandleFunc("GET /mails", func(w http.ResponseWriter, r *http.Request) {
		limit := defaultLimit
		if given := r.URL.Query().Get("limit"); given != "" {
			n, err := strconv.Atoi(given)
			if err != nil || n < 1 || n > maxLimit {
				http.Error(w, "limit is no number from 1 to "+strconv.Itoa(maxLimit), http.StatusBadRequest)
				return
			}
			limit = n
		}
		answerJSON(w, map[string]any{"mails": kept.list(r.URL.Query().Get("to"), limit)})
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		var show struct {
			Mails []mail
			Mail  *mail
		}
		show.Mails = kept.list("", defaultLimit)
		if given := r.URL.Query().Get("mail"); given != "" {
			found, ok := kept.get(given)
			if !ok {
				http.Error(w, noMail, http.StatusNotFound)
				return
			}
			show.Mail = &found
		}
		var text bytes.Buffer
		if err := page.Execute(&text, show); err != nil {
			http.Error(w, "the page can't be made: "+err.Error(), http.StatusInternalServerError)
			return
		}
		answerHTML(w, pagePolicy, text.Bytes())
	})
	mux.HandleFunc("GET /mails/{mail}/html", func(w http.ResponseWriter, r *http.Request) {
		found, ok := kept.get(r.PathValue("mail"))
		if !ok {
			http.Error(w, noMail, http.StatusNotFound)
			return
		}
		answerHTML(w, mailPolicy, []byte(found.HTML))
	})
	return mux
}

func answerHTML(w http.ResponseWriter, policy string, text []byte) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", policy)
	_, _ = w.Write(text)
}

func answerJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value) // fails only if the caller is gone
}
