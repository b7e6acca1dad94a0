package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	colmetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/protobuf/proto"
)

// A counter's growth is what is told of between two moments, by its attribute's values; what is told before and after doesn't count.
func TestReceiver(t *testing.T) {
	r := &receiver{}
	began := time.Now()
	tell := func(name, source string, sum int64) {
		t.Helper()
		sent := &colmetrics.ExportMetricsServiceRequest{ResourceMetrics: []*metrics.ResourceMetrics{{ScopeMetrics: []*metrics.ScopeMetrics{{Metrics: []*metrics.Metric{{
			Name: name, Data: &metrics.Metric_Sum{Sum: &metrics.Sum{DataPoints: []*metrics.NumberDataPoint{{
				Attributes: []*common.KeyValue{{Key: "source", Value: &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: source}}}},
				Value:      &metrics.NumberDataPoint_AsInt{AsInt: sum},
			}}}},
		}}}}}}}
		body, err := proto.Marshal(sent)
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		r.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/v1/metrics", bytes.NewReader(body)))
		if w.Code != http.StatusOK {
			t.Fatalf("told: %d %s", w.Code, w.Body)
		}
		r.told[len(r.told)-1].at = began.Add(time.Duration(len(r.told)) * time.Second)
	}
	tell("answers", "kept", 10)
	tell("answers", "kept", 12)
	tell("others", "kept", 100)
	tell("answers", "kept", 20)
	tell("answers", "index", 5)
	tell("answers", "kept", 40)
	tell("answers", "index", 9)
	tell("answers", "kept", 99)
	got := r.between("answers", "source", began.Add(2500*time.Millisecond), began.Add(7500*time.Millisecond))
	if len(got) != 2 || got["kept"] != 28 || got["index"] != 4 {
		t.Errorf("grew by %v, want kept 28 and index 4", got)
	}
	w := httptest.NewRecorder()
	r.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/v1/metrics", bytes.NewReader([]byte("no metrics"))))
	if w.Code != http.StatusBadRequest {
		t.Errorf("nonsense is answered with %d", w.Code)
	}
}
