package simulator

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"
)

// hangLimit is how long a call that "times out" holds its connection at most.
const hangLimit = 2 * time.Minute

// Duration is a time.Duration written as Go writes it ("80ms").
type Duration time.Duration

// UnmarshalText reads "80ms".
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = Duration(v)
	return err
}

// MarshalText writes "80ms".
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// fault is what happens to the next Count calls whose method and path contain Match. Kinds:
//
//	error         500 before the effect; the idempotency key stays free
//	error_after   500 after the effect
//	drop          the connection is cut before the effect
//	drop_after    the connection is cut after the effect
//	timeout       the effect happens and no answer ever comes
//	slow          the call takes Delay longer
type fault struct {
	Kind  string   `json:"kind"`
	Count int      `json:"count"` // 1 to 100000; 0 means 1
	Match string   `json:"match"` // part of "POST /v1/payment_intents/pi_1/confirm"; empty is every call
	Delay Duration `json:"delay"`
}

var faultKinds = map[string]bool{
	"error": true, "error_after": true, "drop": true, "drop_after": true, "timeout": true, "slow": true,
}

// faults is the list that is used up from the front.
type faults struct {
	mu   sync.Mutex
	list []*fault
}

func (fs *faults) add(f *fault) bool {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if len(fs.list) >= 1000 {
		return false
	}
	fs.list = append(fs.list, f)
	return true
}

func (fs *faults) clear() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.list = nil
}

func (fs *faults) pending() []fault {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	out := make([]fault, 0, len(fs.list))
	for _, f := range fs.list {
		out = append(out, *f)
	}
	return out
}

// take uses up one of the first fault that matches; nil when there is none.
func (fs *faults) take(call string) *fault {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for i, f := range fs.list {
		if !strings.Contains(call, f.Match) {
			continue
		}
		if f.Count--; f.Count <= 0 {
			fs.list = append(fs.list[:i:i], fs.list[i+1:]...)
		}
		return f
	}
	return nil
}

// before reports whether the fault has ended the call before its effect.
func (f *fault) before(w http.ResponseWriter, _ *http.Request, s *Simulator) bool {
	if f == nil {
		return false
	}
	switch f.Kind {
	case "error":
		s.refuse(w, internal("A fault was asked for."))
		return true
	case "drop":
		panic(http.ErrAbortHandler)
	case "slow":
		time.Sleep(min(time.Duration(f.Delay), hangLimit))
	}
	return false
}

// after reports whether the fault has ended the call after its effect.
func (f *fault) after(w http.ResponseWriter, r *http.Request, s *Simulator) bool {
	if f == nil {
		return false
	}
	switch f.Kind {
	case "error_after":
		writeJSON(w, http.StatusInternalServerError, internal("A fault was asked for.").body())
		return true
	case "drop_after":
		panic(http.ErrAbortHandler)
	case "timeout":
		hang := time.NewTimer(hangLimit)
		defer hang.Stop()
		select {
		case <-r.Context().Done():
		case <-s.done:
		case <-hang.C:
		}
		panic(http.ErrAbortHandler)
	}
	return false
}

// routeControl serves what tests and provers need and Stripe does not have. It is open: the simulator listens on loopback.
//
//	GET, POST, DELETE /_control/faults   list, add ({"kind":"timeout","count":3,"match":"/confirm"}), clear
//	POST /_control/latency               {"p50":"80ms","p99":"400ms"}
//	POST /_control/webhooks              {"duplicates":1,"delay":"1s","jitter":"2s","lose":0.1}
//	POST /_control/advance               {"by":"24h"}: moves the clock forward, for expiries; a restart forgets it
//	GET /_control/stats                  how many intents in which status, and the money in them
func (s *Simulator) routeControl(mux *http.ServeMux) {
	mux.HandleFunc("GET /_control/faults", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, s.faults.pending())
	})
	mux.HandleFunc("DELETE /_control/faults", func(w http.ResponseWriter, _ *http.Request) {
		s.faults.clear()
		writeJSON(w, http.StatusOK, []fault{})
	})
	mux.HandleFunc("POST /_control/faults", control(func(f *fault) error {
		if !faultKinds[f.Kind] || f.Count < 0 || f.Count > 100_000 || f.Delay < 0 {
			return errors.New("unknown kind, or count or delay out of range")
		}
		f.Count = max(1, f.Count)
		if !s.faults.add(f) {
			return errors.New("too many faults are waiting")
		}
		return nil
	}))
	mux.HandleFunc("POST /_control/latency", control(func(l *struct{ P50, P99 Duration }) error {
		return s.latency.set(time.Duration(l.P50), time.Duration(l.P99))
	}))
	mux.HandleFunc("POST /_control/webhooks", control(func(r *hookRules) error {
		if s.hooks == nil {
			return errors.New("no webhook address is set")
		}
		if r.Duplicates < 0 || r.Duplicates > 10 || r.Delay < 0 || r.Jitter < 0 || !(r.Lose >= 0 && r.Lose <= 1) {
			return errors.New("duplicates, delay, jitter or lose out of range")
		}
		s.hooks.set(*r)
		return nil
	}))
	mux.HandleFunc("POST /_control/advance", control(func(a *struct{ By Duration }) error {
		if a.By <= 0 {
			return errors.New("by must be above zero")
		}
		s.mu.Lock()
		s.shift += time.Duration(a.By)
		s.mu.Unlock()
		s.settleDue()
		return nil
	}))
	mux.HandleFunc("GET /_control/stats", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, s.stats())
	})
}

// control decodes a control request and answers what was set, or 400 with the reason.
func control[T any](set func(*T) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v := new(T)
		dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
		dec.DisallowUnknownFields()
		err := dec.Decode(v)
		if err == nil {
			err = set(v)
		}
		if err != nil {
			writeJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
			return
		}
		writeJSON(w, http.StatusOK, v)
	}
}

func (s *Simulator) stats() object {
	s.settleDue()
	s.mu.Lock()
	defer s.mu.Unlock()
	byStatus := map[string]int{}
	var authorised, captured, refunded int64
	for _, in := range s.state.intents {
		byStatus[in.Status]++
		if in.Status == statusNeedsCapture {
			authorised += in.Amount
		}
		captured += in.Received
		refunded += in.Refunded
	}
	return object{
		"intents": len(s.state.intents), "by_status": byStatus, "authorised": authorised, "captured": captured,
		"refunded": refunded, "idempotency_keys": len(s.state.answers), "pending_events": len(s.state.events),
	}
}
