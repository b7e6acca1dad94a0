package main

import (
	"cmp"
	"compress/gzip"
	"encoding/hex"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// maxBody bounds one export, bytes; the SDK sends 512 spans at once.
const maxBody = 16 << 20

// span is one as it is shown.
type span struct {
	Trace, ID, Parent string
	Service, Name     string
	Kind              string
	Start, End        time.Time
	Failed            bool
	Attributes        []pair
	Links             []string // ids of traces
}

type pair struct{ Key, Value string }

// record is a line of a log.
type record struct {
	Trace, Span, Service, Severity, Text string
	Time                                 time.Time
	Attributes                           []pair
}

// store keeps the latest spans and records. It is safe for concurrent use.
type store struct {
	mu      sync.Mutex
	spans   ring[span]
	records ring[record]
}

// ring keeps its latest items.
type ring[T any] struct {
	items []T
	next  int
	limit int
}

func (r *ring[T]) add(item T) {
	if len(r.items) < r.limit {
		r.items = append(r.items, item)
		return
	}
	r.items[r.next] = item
	r.next = (r.next + 1) % r.limit
}

func newStore(spans, records int) *store {
	return &store{spans: ring[span]{limit: spans}, records: ring[record]{limit: records}}
}

// take answers an export: OTLP/HTTP with protobuf.
func take[M any, P interface {
	*M
	proto.Message
}](into func(P)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body io.Reader = http.MaxBytesReader(w, r.Body, maxBody)
		if r.Header.Get("Content-Encoding") == "gzip" {
			unzipped, err := gzip.NewReader(body)
			if err != nil {
				http.Error(w, "the body is no gzip", http.StatusBadRequest)
				return
			}
			body = io.LimitReader(unzipped, maxBody)
		}
		raw, err := io.ReadAll(body)
		request := P(new(M))
		if err == nil {
			err = proto.Unmarshal(raw, request)
		}
		if err != nil || r.Header.Get("Content-Type") != "application/x-protobuf" {
			http.Error(w, "the body is no OTLP in protobuf", http.StatusBadRequest)
			return
		}
		into(request)
		w.Header().Set("Content-Type", "application/x-protobuf") // an empty answer: all was taken
	})
}

func (s *store) takeTraces(request *coltrace.ExportTraceServiceRequest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, of := range request.GetResourceSpans() {
		service := serviceOf(of.GetResource())
		for _, scope := range of.GetScopeSpans() {
			for _, sent := range scope.GetSpans() {
				made := span{
					Trace: hex.EncodeToString(sent.GetTraceId()), ID: hex.EncodeToString(sent.GetSpanId()), Parent: hex.EncodeToString(sent.GetParentSpanId()),
					Service: service, Name: sent.GetName(), Kind: strings.ToLower(strings.TrimPrefix(sent.GetKind().String(), "SPAN_KIND_")),
					Start: time.Unix(0, int64(sent.GetStartTimeUnixNano())), End: time.Unix(0, int64(sent.GetEndTimeUnixNano())), //nolint:gosec // a time
					Failed: sent.GetStatus().GetCode() == tracepb.Status_STATUS_CODE_ERROR, Attributes: pairs(sent.GetAttributes()),
				}
				for _, link := range sent.GetLinks() {
					made.Links = append(made.Links, hex.EncodeToString(link.GetTraceId()))
				}
				s.spans.add(made)
			}
		}
	}
}

func (s *store) takeLogs(request *collogs.ExportLogsServiceRequest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, of := range request.GetResourceLogs() {
		service := serviceOf(of.GetResource())
		for _, scope := range of.GetScopeLogs() {
			for _, sent := range scope.GetLogRecords() {
				s.records.add(record{
					Trace: hex.EncodeToString(sent.GetTraceId()), Span: hex.EncodeToString(sent.GetSpanId()), Service: service,
					Severity: sent.GetSeverityText(), Text: text(sent.GetBody()), Time: time.Unix(0, int64(sent.GetTimeUnixNano())), //nolint:gosec // a time
					Attributes: pairs(sent.GetAttributes()),
				})
			}
		}
	}
}

func serviceOf(r *resource.Resource) string {
	for _, a := range r.GetAttributes() {
		if a.GetKey() == "service.name" {
			return a.GetValue().GetStringValue()
		}
	}
	return "unknown"
}

func pairs(attributes []*common.KeyValue) []pair {
	made := make([]pair, 0, len(attributes))
	for _, a := range attributes {
		made = append(made, pair{a.GetKey(), text(a.GetValue())})
	}
	return made
}

func text(v *common.AnyValue) string {
	switch v := v.GetValue().(type) {
	case *common.AnyValue_StringValue:
		return v.StringValue
	case *common.AnyValue_IntValue:
		return strconv.FormatInt(v.IntValue, 10)
	case *common.AnyValue_DoubleValue:
		return strconv.FormatFloat(v.DoubleValue, 'g', -1, 64)
	case *common.AnyValue_BoolValue:
		return strconv.FormatBool(v.BoolValue)
	case *common.AnyValue_ArrayValue:
		all := make([]string, 0, len(v.ArrayValue.GetValues()))
		for _, one := range v.ArrayValue.GetValues() {
			all = append(all, text(one))
		}
		return strings.Join(all, ", ")
	default:
		return ""
	}
}

// summary is a trace as the list has it.
type summary struct {
	Trace, Name, Service string
	Start                time.Time
	Took                 time.Duration
	Spans, Failed        int
	Services             []string
}

// filter is what the list is asked for; empty fields ask for nothing.
type filter struct {
	Service, Text string
	Least         time.Duration
	FailedOnly    bool
}

func (f filter) fits(s summary, names map[string]bool) bool {
	found := f.Text == ""
	for name := range names {
		found = found || strings.Contains(strings.ToLower(name), strings.ToLower(f.Text))
	}
	return found && s.Took >= f.Least && (!f.FailedOnly || s.Failed > 0) && (f.Service == "" || slices.Contains(s.Services, f.Service))
}

// latest lists traces by their begin, the latest first, and all services that are known.
func (s *store) latest(f filter, limit int) (found []summary, services []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	traces, all := map[string][]span{}, map[string]bool{}
	for _, one := range s.spans.items {
		traces[one.Trace] = append(traces[one.Trace], one)
		all[one.Service] = true
	}
	for id, spans := range traces {
		if made, names := summarise(id, spans); f.fits(made, names) {
			found = append(found, made)
		}
	}
	slices.SortFunc(found, func(a, b summary) int { return cmp.Or(b.Start.Compare(a.Start), cmp.Compare(a.Trace, b.Trace)) })
	return found[:min(limit, len(found))], slices.Sorted(maps.Keys(all))
}

func summarise(id string, spans []span) (made summary, names map[string]bool) {
	first, end := spans[0], spans[0].End
	in := map[string]bool{}
	names = map[string]bool{id: true}
	made = summary{Trace: id, Spans: len(spans)}
	for _, one := range spans {
		if one.Start.Before(first.Start) {
			first = one
		}
		if one.End.After(end) {
			end = one.End
		}
		if one.Failed {
			made.Failed++
		}
		in[one.Service], names[one.Name] = true, true
	}
	made.Name, made.Service, made.Start, made.Took = first.Name, first.Service, first.Start, end.Sub(first.Start)
	made.Services = slices.Sorted(maps.Keys(in))
	return made, names
}

// trace is one as its page has it: spans in the order of a tree, and what was logged.
func (s *store) trace(id string) (spans []placed, records []record) {
	s.mu.Lock()
	var of []span
	for _, one := range s.spans.items {
		if one.Trace == id {
			of = append(of, one)
		}
	}
	for _, one := range s.records.items {
		if one.Trace == id {
			records = append(records, one)
		}
	}
	s.mu.Unlock()
	slices.SortFunc(records, func(a, b record) int { return a.Time.Compare(b.Time) })
	return place(of), records
}

// placed is a span's place on the page: how deep it is, and where it begins and how long it is, in percent of the trace.
type placed struct {
	span
	Depth       int
	Left, Width float64
}

func (p placed) Took() time.Duration { return p.End.Sub(p.Start).Round(10 * time.Microsecond) }

// place orders spans as a tree, children by their begin. One whose parent isn't here stands at the top.
func place(spans []span) []placed {
	if len(spans) == 0 {
		return nil
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.ID, b.ID)) })
	begin, end := spans[0].Start, spans[0].End
	here, children := map[string]bool{}, map[string][]span{}
	for _, one := range spans {
		here[one.ID] = true
		if one.End.After(end) {
			end = one.End
		}
	}
	for _, one := range spans {
		parent := one.Parent
		if !here[parent] || parent == one.ID {
			parent = ""
		}
		children[parent] = append(children[parent], one)
	}
	whole := max(end.Sub(begin).Seconds(), 1e-9)
	var ordered []placed
	var walk func(parent string, depth int)
	walk = func(parent string, depth int) {
		below := children[parent]
		delete(children, parent) // so that a circle, which nobody should send, ends
		for _, one := range below {
			ordered = append(ordered, placed{
				span: one, Depth: depth, Left: 100 * one.Start.Sub(begin).Seconds() / whole, Width: max(100*one.End.Sub(one.Start).Seconds()/whole, 0.2),
			})
			walk(one.ID, depth+1)
		}
	}
	walk("", 0)
	return ordered
}
