package main

import (
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"larder.dev/pipelines/internal/cdc"
	"larder.dev/pipelines/internal/process"
)

// worker is set in the process that a test starts in the place of a worker of Dataflow: the settings of the job, as JSON, as Beam hands them over.
const worker = "TEST_WORKER_SETTINGS"

const traceOfChange = "0af7651916cd43dd8448eb211c80319c"

// A worker of Dataflow runs no main program and has no variable of ours. What it does with a change still stands in the change's trace: the job's
// settings tell it where to send that.
func TestAWorkerTellsWhatItDoes(t *testing.T) {
	if handed := os.Getenv(worker); handed != "" {
		work(t, handed)
		return
	}
	var mu sync.Mutex
	spans := map[string]string{} // name: of which service
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body := r.Body
		if r.Header.Get("Content-Encoding") == "gzip" {
			unpacked, err := gzip.NewReader(body)
			if err != nil {
				t.Error(err)
				return
			}
			body = unpacked
		}
		raw, err := io.ReadAll(body)
		sent := new(coltrace.ExportTraceServiceRequest)
		if err == nil {
			err = proto.Unmarshal(raw, sent)
		}
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, from := range sent.GetResourceSpans() {
			for _, scope := range from.GetScopeSpans() {
				for _, span := range scope.GetSpans() {
					if hex.EncodeToString(span.GetTraceId()) == traceOfChange {
						spans[span.GetName()] = from.GetResource().String()
					}
				}
			}
		}
	}))
	defer receiver.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.URL)
	t.Setenv("OTEL_METRICS_EXPORTER", "none")
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=hush")
	handed, err := json.Marshal(settings{Elasticsearch: "http://127.0.0.1:1", Index: "products-1", Told: process.Told()})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(handed), "hush") {
		t.Errorf("everybody who sees the job sees a header: %s", handed)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestAWorkerTellsWhatItDoes$", "-test.count=1") //nolint:gosec // this program
	cmd.Env = []string{worker + "=" + string(handed)}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	mu.Lock()
	defer mu.Unlock()
	for _, name := range []string{"index product", "index bundle"} {
		if !strings.Contains(spans[name], `"productindex"`) {
			t.Errorf("the change's trace has no span %q of productindex: %v", name, spans)
		}
	}
}

// work does what a worker does with a bundle of one change, but for the write, which needs an index.
func work(t *testing.T, handed string) {
	t.Helper()
	f := new(indexFn)
	if err := json.Unmarshal([]byte(handed), &f.Settings); err != nil {
		t.Fatal(err)
	}
	if err := f.Setup(t.Context()); err != nil {
		t.Fatal(err)
	}
	change := cdc.Change{ProductID: "milk", Revision: 7, Traceparent: "00-" + traceOfChange + "-b7ad6b7169203331-01"}
	_, traced := traceBundle(t.Context(), []event{{Change: change}})
	traced.end(nil)
	if provider, ok := otel.GetTracerProvider().(*sdktrace.TracerProvider); !ok || provider.ForceFlush(t.Context()) != nil {
		t.Errorf("nothing was sent by %T", otel.GetTracerProvider())
	}
}
