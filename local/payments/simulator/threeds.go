package simulator

import (
	_ "embed"
	"html/template"
	"net/http"
	"net/url"
)

// page asks the shopper, in the place of the card's issuer.
//
//go:embed threeds.html
var pageText string

var page = template.Must(template.New("threeds").Parse(pageText))

func (s *Simulator) routeThreeDS(mux *http.ServeMux) {
	mux.HandleFunc("GET /3ds/{id}", s.showThreeDS)
	mux.HandleFunc("POST /3ds/{id}", func(w http.ResponseWriter, r *http.Request) {
		switch r.FormValue("outcome") {
		case "complete":
			s.finishThreeDS(w, r, true)
		case "fail":
			s.finishThreeDS(w, r, false)
		default:
			s.renderThreeDS(w, http.StatusBadRequest, &Intent{}, "Choose an outcome: complete or fail.")
		}
	})
	mux.HandleFunc("POST /3ds/{id}/complete", func(w http.ResponseWriter, r *http.Request) { s.finishThreeDS(w, r, true) })
	mux.HandleFunc("POST /3ds/{id}/fail", func(w http.ResponseWriter, r *http.Request) { s.finishThreeDS(w, r, false) })
}

// actionURL is the page for an intent. A change that time caused has no request, and needs no page.
func (s *Simulator) actionURL(r *http.Request, in *Intent) string {
	base := s.cfg.PublicURL
	if base == "" && r != nil {
		base = "http://" + r.Host
	}
	return base + "/3ds/" + in.ID
}

func (s *Simulator) showThreeDS(w http.ResponseWriter, r *http.Request) {
	var in *Intent
	_ = s.update(func(c *change) { in = c.intent(r.PathValue("id")) })
	switch {
	case in == nil:
		s.renderThreeDS(w, http.StatusNotFound, &Intent{}, "This payment is unknown.")
	case in.Status != statusNeedsAction:
		s.renderThreeDS(w, http.StatusOK, in, "This payment does not wait for you.")
	default:
		s.renderThreeDS(w, http.StatusOK, in, "")
	}
}

func (s *Simulator) finishThreeDS(w http.ResponseWriter, r *http.Request, passed bool) {
	var in *Intent
	waiting := false
	err := s.update(func(c *change) {
		if in = c.intent(r.PathValue("id")); in == nil {
			return
		}
		if waiting = in.Status == statusNeedsAction; waiting {
			c.put(in)
			c.act(in, passed)
		}
	})
	switch {
	case err != nil:
		s.renderThreeDS(w, http.StatusInternalServerError, &Intent{}, "The answer could not be stored.")
	case in == nil:
		s.renderThreeDS(w, http.StatusNotFound, &Intent{}, "This payment is unknown.")
	case !waiting:
		s.renderThreeDS(w, http.StatusConflict, in, "This payment does not wait for you.")
	case in.ReturnURL != "":
		http.Redirect(w, r, in.returnTo(), http.StatusSeeOther)
	case in.Status == statusNeedsMethod:
		s.renderThreeDS(w, http.StatusOK, in, "The payment was refused. You may close this page.")
	default:
		s.renderThreeDS(w, http.StatusOK, in, "The payment is confirmed. You may close this page.")
	}
}

// returnTo is the shop's page with what Stripe adds to it.
func (in *Intent) returnTo() string {
	u, err := url.Parse(in.ReturnURL)
	if err != nil {
		return in.ReturnURL
	}
	q := u.Query()
	q.Set("payment_intent", in.ID)
	q.Set("payment_intent_client_secret", in.ID+"_secret_"+in.Secret)
	q.Set("redirect_status", "succeeded")
	if in.Status == statusNeedsMethod {
		q.Set("redirect_status", "failed")
	}
	u.RawQuery = q.Encode()
	return u.String()
}

func (s *Simulator) renderThreeDS(w http.ResponseWriter, status int, in *Intent, notice string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = page.Execute(w, map[string]any{"Intent": in, "Notice": notice})
}
