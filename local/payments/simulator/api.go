package simulator

import (
	"encoding/json"
	"net/http"
	"strings"
)

// routeAPI serves the used part of https://docs.stripe.com/api.
func (s *Simulator) routeAPI(mux *http.ServeMux) {
	mux.Handle("POST /v1/payment_intents", s.call(s.createIntent, "amount", "currency", "capture_method", "confirm",
		"payment_method", "return_url", "description", "metadata[]", "expand[]", "payment_method_types[]",
		"automatic_payment_methods[]", "confirmation_method"))
	mux.Handle("GET /v1/payment_intents", s.call(s.listIntents, "limit", "starting_after", "created", "created[]", "expand[]"))
	mux.Handle("GET /v1/payment_intents/{id}", s.call(s.getIntent, "expand[]", "client_secret"))
	mux.Handle("POST /v1/payment_intents/{id}/confirm", s.call(s.confirmIntent, "payment_method", "return_url", "expand[]"))
	mux.Handle("POST /v1/payment_intents/{id}/capture", s.call(s.captureIntent, "amount_to_capture", "expand[]", "metadata[]"))
	mux.Handle("POST /v1/payment_intents/{id}/cancel", s.call(s.cancelIntent, "cancellation_reason", "expand[]"))
	mux.Handle("POST /v1/refunds", s.call(s.createRefund, "payment_intent", "amount", "reason", "metadata[]", "expand[]"))
	mux.Handle("GET /v1/refunds", s.call(s.listRefunds, "payment_intent", "limit", "starting_after", "expand[]"))
	mux.Handle("/v1/", s.call(func(_ *change, r *http.Request, _ params) (*Intent, object, *apiError) {
		e := invalid("", "", "There is no %s %s here.", r.Method, r.URL.Path)
		e.status = http.StatusNotFound
		return nil, nil, e
	}))
}

// endpoint does one call inside a change. The intent is the one the call was about.
type endpoint func(c *change, r *http.Request, p params) (*Intent, object, *apiError)

// call wraps an endpoint with what all share: the key, parameters, faults, latency, idempotency and one change. Half of the
// latency is spent before the effect and half after, so that callers who give up meet both sides.
func (s *Simulator) call(do endpoint, allowed ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Request-Id", newID("req"))
		w.Header().Set("Stripe-Version", apiVersion)
		key := ""
		if r.Method == http.MethodPost {
			if key = r.Header.Get("Idempotency-Key"); key != "" {
				w.Header().Set("Idempotency-Key", key)
			}
		}
		if e := s.authorise(r); e != nil {
			s.refuse(w, e)
			return
		}
		p, e := readParams(r, allowed)
		if e != nil {
			s.refuse(w, e)
			return
		}
		request := fingerprint(r, p)
		done, e := s.begin(key, request)
		if e != nil {
			s.refuse(w, e)
			return
		}
		if done != nil {
			wait(s.latency.draw())
			w.Header().Set("Idempotent-Replayed", "true")
			writeJSON(w, done.Status, done.Body)
			return
		}
		if key != "" {
			defer s.end(key)
		}
		fault := s.faults.take(r.Method + " " + r.URL.Path)
		if fault.before(w, r, s) {
			return
		}
		half := s.latency.draw() / 2
		wait(half)
		status, body := s.execute(do, r, p, key, request)
		s.end(key) // the answer is kept: a second request may have it while this one is still on its way
		wait(half)
		if fault.after(w, r, s) {
			return
		}
		writeJSON(w, status, body)
	})
}

// execute runs an endpoint as one change and keeps its answer under the key.
func (s *Simulator) execute(do endpoint, r *http.Request, p params, key, request string) (int, json.RawMessage) {
	status, body := http.StatusOK, json.RawMessage(nil)
	err := s.update(func(c *change) {
		c.request, c.key = r, key
		in, result, e := do(c, r, p)
		if e != nil {
			status, body = e.status, e.body()
		} else {
			body = mustJSON(result)
		}
		if key != "" && in != nil && (e == nil || !e.refused) {
			c.Answers = append(c.Answers, &answer{
				Key: key, Fingerprint: request, Intent: in.ID, Status: status, Body: body, Created: c.now,
			})
		}
	})
	if err != nil {
		e := internal("The change could not be stored.")
		return e.status, e.body()
	}
	return status, body
}

func (s *Simulator) authorise(r *http.Request) *apiError {
	given, _, ok := r.BasicAuth()
	if !ok {
		given, _ = strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	}
	if given == s.cfg.Key {
		return nil
	}
	return &apiError{
		status: http.StatusUnauthorized, Type: typeInvalidRequest, Message: "The API key is missing or unknown.", refused: true,
	}
}

func (s *Simulator) refuse(w http.ResponseWriter, e *apiError) {
	wait(s.latency.draw())
	if e.status == http.StatusConflict {
		w.Header().Set("Stripe-Should-Retry", "true")
	}
	writeJSON(w, e.status, e.body())
}
