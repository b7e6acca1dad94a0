package test

import (
	"compress/gzip"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	colmetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// receiver takes what the platform's programs tell by OTLP.
type receiver struct {
	mu      sync.Mutex
	traces  []*coltrace.ExportTraceServiceRequest
	metrics []*colmetrics.ExportMetricsServiceRequest
}

// receive listens where the platform was told to send to, until the test ends.
func receive(t *testing.T) *receiver {
	t.Helper()
	to, err := url.Parse(setting(t, "OTEL_EXPORTER_OTLP_ENDPOINT"))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", to.Host)
	if err != nil {
		t.Fatalf("%v; the platform has to send to where nobody else listens", err)
	}
	r := &receiver{}
	server := httptest.NewUnstartedServer(r)
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body := q.Body
	if q.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(q.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		body = unzipped
	}
	raw, err := io.ReadAll(body)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err != nil:
	case strings.HasSuffix(q.URL.Path, "/traces"):
		sent := new(coltrace.ExportTraceServiceRequest)
		err = proto.Unmarshal(raw, sent)
		r.traces = append(r.traces, sent)
	case strings.HasSuffix(q.URL.Path, "/metrics"):
		sent := new(colmetrics.ExportMetricsServiceRequest)
		err = proto.Unmarshal(raw, sent)
		r.metrics = append(r.metrics, sent)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// spans are "service: name" of a trace's spans.
func (r *receiver) spans(trace string) (names []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, sent := range r.traces {
		for _, of := range sent.GetResourceSpans() {
			service := ""
			for _, a := range of.GetResource().GetAttributes() {
				if a.GetKey() == "service.name" {
					service = a.GetValue().GetStringValue()
				}
			}
			for _, scope := range of.GetScopeSpans() {
				for _, span := range scope.GetSpans() {
					if hex.EncodeToString(span.GetTraceId()) == trace {
						names = append(names, service+": "+span.GetName())
					}
				}
			}
		}
	}
	return names
}

// text is all that came in, as JSON, one export a line.
func (r *receiver) text(t *testing.T) []string {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []string
	add := func(message proto.Message) {
		line, err := protojson.Marshal(message)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(line))
	}
	for _, sent := range r.traces {
		add(sent)
	}
	for _, sent := range r.metrics {
		add(sent)
	}
	return all
}

// traceparent is a new trace that is recorded, and its id.
func traceparent() (header, id string) {
	raw := make([]byte, 24)
	_, _ = rand.Read(raw) // never fails
	id = hex.EncodeToString(raw[:16])
	return fmt.Sprintf("Traceparent: 00-%s-%s-01", id, hex.EncodeToString(raw[16:])), id
}

// One trace leads from a shopper's click through checkout, Spanner, Redis, the outbox, functions and the provider's webhook; another from a
// merchandiser's change to the index. Nothing in them, or in metrics, tells of a person.
func TestOneTrace(t *testing.T) {
	told := receive(t)
	w := visit(t)
	click, id := traceparent()
	bought := w.must(t, "shopper", "POST", "/v1/checkouts", w.checkout(delivery, "pm_card_visa", w.total), "Idempotency-Key: {key}", click)
	if bought.word("order.order_id") == "" {
		t.Fatalf("no order: %s", bought)
	}
	has := func(trace string, wanted ...string) func() bool {
		return func() bool {
			spans := told.spans(trace)
			return !slices.ContainsFunc(wanted, func(want string) bool {
				return !slices.ContainsFunc(spans, func(span string) bool { return strings.HasPrefix(span, want) })
			})
		}
	}
	order := []string{
		"checkout: larder.checkout.v1.CheckoutService/CreateCheckout", "checkout: checkout reserve", "checkout: evalsha",
		"checkout: checkout commit", "checkout: cloud.google.com/go/spanner", "payment: larder.payment.v1.PaymentService/", "payment: HTTP POST",
		"relay: send order-events", "clearcart: process ClearCart", "notifyshopper: process NotifyShopper", "paymentwebhook: POST /v1/webhooks/payments/stripe",
	}
	if !within(60*time.Second, has(id, order...)) {
		t.Errorf("the order's trace lacks some of %q: it has %q", order, told.spans(id))
	}

	change, changed := traceparent()
	w.must(t, "merchandiser", "PATCH", "/v1/products/"+w.sold, `{"name":"Endtoend traced"}`, change)
	road := []string{"product: larder.product.v1.ProductService/UpdateProduct", "product: ", "productindex: index product", "productindex: index bundle", "productindex: bulk"}
	if !within(60*time.Second, has(changed, road...)) {
		t.Errorf("the change's trace lacks some of %q: it has %q", road, told.spans(changed))
	}

	metered := func() bool {
		all := strings.Join(told.text(t), "\n")
		return strings.Contains(all, "larder.checkout.step.duration") && strings.Contains(all, "larder.outbox.lag")
	}
	if !within(60*time.Second, metered) {
		t.Error("no metrics came in")
	}
	for _, line := range told.text(t) {
		if kind := leak(line); kind != "" {
			t.Errorf("what is told holds a %s", kind)
		}
	}
}

func within(limit time.Duration, holds func() bool) bool {
	for deadline := time.After(limit); !holds(); {
		select {
		case <-deadline:
			return holds()
		case <-time.After(200 * time.Millisecond):
		}
	}
	return true
}
