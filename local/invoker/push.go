package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"time"
)

// Bounds of a delivery. A message has up to 10 MB, which base64 makes a third larger; the deadline is a little below the
// subscriptions' 30 s, after which Pub/Sub sends again.
const (
	maxDelivery  = 16 << 20
	pushDeadline = 28 * time.Second
)

// push passes deliveries on.
type push struct {
	caller *caller
	room   map[string]chan struct{} // by function, as many as may be under way
	log    *slog.Logger
}

func newPush(caller *caller, functions []string, atOnce int, log *slog.Logger) *push {
	p := &push{caller: caller, room: map[string]chan struct{}{}, log: log}
	for _, function := range functions {
		p.room[lower(function)] = make(chan struct{}, atOnce)
	}
	return p
}

// ServeHTTP answers 204 and the like only if the function did: any other status makes Pub/Sub send again.
func (p *push) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	function := lower(r.PathValue("function"))
	room := p.room[function]
	if room == nil {
		http.Error(w, "there is no such function", http.StatusNotFound)
		return
	}
	select {
	case room <- struct{}{}:
		defer func() { <-room }()
	default:
		http.Error(w, "too many deliveries are under way", http.StatusTooManyRequests)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), pushDeadline)
	defer cancel()
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxDelivery))
	if err != nil {
		status := http.StatusBadRequest
		if tooLong := new(http.MaxBytesError); errors.As(err, &tooLong) {
			status = http.StatusRequestEntityTooLarge
		}
		http.Error(w, "the delivery could not be read", status)
		return
	}
	if types := r.URL.Query()["type"]; len(types) > 0 && !slices.Contains(types, typeOf(body)) {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	header := http.Header{"Content-Type": {"application/json"}, "User-Agent": {"larder-invoker (as Pub/Sub)"}}
	if given := r.Header.Get("Content-Type"); given != "" {
		header.Set("Content-Type", given)
	}
	got, err := p.caller.post(ctx, pushAccount, function, header, body)
	if err != nil {
		p.log.Info("delivery put off", "function", function, "error", err)
		http.Error(w, "the function gives no answer", http.StatusServiceUnavailable)
		return
	}
	got.pass(w)
}

// typeOf is the type of the event that a delivery brings; empty where it says none.
func typeOf(delivery []byte) string {
	var pushed struct {
		Message struct {
			Attributes struct {
				Type string `json:"ce-type"`
			} `json:"attributes"`
		} `json:"message"`
	}
	if err := json.Unmarshal(delivery, &pushed); err != nil {
		return ""
	}
	return pushed.Message.Attributes.Type
}
