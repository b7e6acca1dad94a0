package main

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	colmetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	"google.golang.org/protobuf/proto"
)

// receiver takes the counters and gauges that the platform's programs tell by OTLP: what only they know.
type receiver struct {
	server *http.Server
	mu     sync.Mutex
	told   []told
}

// told is a counter's sum, or a gauge's value, at a moment. A program that is started anew begins at zero again.
type told struct {
	at          time.Time
	name        string
	attributes  map[string]string
	sum         float64
	fromProgram string
}

// listen receives at "host:port".
func listen(ctx context.Context, address string) (*receiver, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("receive the platform's metrics: %w", err)
	}
	r := &receiver{}
	r.server = &http.Server{Handler: r, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = r.server.Serve(listener) }() // until Close
	return r, nil
}

func (r *receiver) close() error { return r.server.Close() }

// ServeHTTP implements http.Handler.
func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	var body io.Reader = q.Body
	if q.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(q.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		body = unzipped
	}
	raw, err := io.ReadAll(body)
	if err == nil && strings.HasSuffix(q.URL.Path, "/metrics") {
		sent := new(colmetrics.ExportMetricsServiceRequest)
		if err = proto.Unmarshal(raw, sent); err == nil {
			r.take(sent, time.Now())
		}
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

func (r *receiver) take(sent *colmetrics.ExportMetricsServiceRequest, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, of := range sent.GetResourceMetrics() {
		program := ""
		for _, a := range of.GetResource().GetAttributes() {
			if a.GetKey() == "service.name" {
				program = a.GetValue().GetStringValue()
			}
		}
		for _, scope := range of.GetScopeMetrics() {
			for _, metric := range scope.GetMetrics() {
				for _, point := range slices.Concat(metric.GetSum().GetDataPoints(), metric.GetGauge().GetDataPoints()) {
					one := told{at: now, name: metric.GetName(), attributes: map[string]string{}, sum: float64(point.GetAsInt()) + point.GetAsDouble(), fromProgram: program}
					for _, a := range point.GetAttributes() {
						one.attributes[a.GetKey()] = a.GetValue().GetStringValue()
					}
					r.told = append(r.told, one)
				}
			}
		}
	}
}

// between is how much a counter has grown in a while, by the values of an attribute, as far as it was told of: between the last value told
// before the while, or the first in it, and the last in it.
func (r *receiver) between(name, attribute string, from, to time.Time) map[string]float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	type series struct{ first, last float64 }
	found := map[string]*series{}
	for _, one := range r.told { // in the order of their times
		if one.name != name || one.at.After(to) {
			continue
		}
		key := one.fromProgram + fmt.Sprint(one.attributes) // fmt sorts a map's keys
		switch s := found[key]; {
		case s == nil:
			found[key] = &series{first: one.sum, last: one.sum}
		case one.at.Before(from):
			s.first, s.last = one.sum, one.sum
		default:
			s.last = one.sum
		}
	}
	grown := map[string]float64{}
	seen := map[string]bool{}
	for _, one := range r.told {
		key := one.fromProgram + fmt.Sprint(one.attributes)
		if s := found[key]; s != nil && !seen[key] && one.name == name {
			seen[key] = true
			grown[one.attributes[attribute]] += max(0, s.last-s.first)
		}
	}
	return grown
}

// latest is what each program has last told of a gauge.
func (r *receiver) latest(name string) map[string]float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	found := map[string]float64{}
	for _, one := range r.told {
		if one.name == name {
			found[one.fromProgram] = one.sum
		}
	}
	return found
}
