package main

import (
	"bytes"
	"embed"
	"fmt"
	"hash/fnv"
	"html/template"
	"net/http"
	"time"
)

//go:embed pages/*.html
var files embed.FS

var pages = template.Must(template.New("").Funcs(template.FuncMap{
	"hue":   hue,
	"short": func(d time.Duration) string { return d.Round(10 * time.Microsecond).String() },
	"clock": func(t time.Time) string { return t.Format("15:04:05.000") },
}).ParseFS(files, "pages/*.html"))

// hue is a service's colour, degrees on the wheel.
func hue(service string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(service)) // never fails
	return h.Sum32() % 360
}

// listed is how many traces the list has at most.
const listed = 200

func (s *store) list(metrics string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		f := filter{Service: query.Get("service"), Text: query.Get("text"), FailedOnly: query.Get("failed") != ""}
		if text := query.Get("least"); text != "" {
			least, err := time.ParseDuration(text)
			if err != nil {
				http.Error(w, "least is a duration: 100ms, 2s", http.StatusBadRequest)
				return
			}
			f.Least = least
		}
		found, services := s.latest(f, listed)
		write(w, "list.html", map[string]any{"Traces": found, "Services": services, "Filter": f, "Least": query.Get("least"), "Charts": "http://" + metrics + "/vmui/#/dashboards"})
	}
}

func (s *store) show(w http.ResponseWriter, r *http.Request) {
	spans, records := s.trace(r.PathValue("id"))
	if len(spans) == 0 && len(records) == 0 {
		http.Error(w, "nothing is kept of this trace", http.StatusNotFound)
		return
	}
	write(w, "trace.html", map[string]any{"ID": r.PathValue("id"), "Spans": spans, "Records": records})
}

func write(w http.ResponseWriter, page string, data any) {
	var made bytes.Buffer
	if err := pages.ExecuteTemplate(&made, page, data); err != nil {
		http.Error(w, fmt.Sprintf("write the page: %v", err), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'")
	_, _ = w.Write(made.Bytes()) // fails only if the reader is gone
}
