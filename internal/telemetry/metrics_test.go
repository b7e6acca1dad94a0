package telemetry

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.opentelemetry.io/otel"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

var update = flag.Bool("update", false, "write docs/observability.md, terraform/metrics.json and the local dashboard anew")

const (
	page      = "../../docs/observability.md"
	inCloud   = "../../terraform/metrics.json"
	dashboard = "../../local/viewer/dashboards/larder.json"
	begin     = "<!-- metrics: written by go test ./internal/telemetry -update -->\n"
	end       = "<!-- end of metrics -->\n"
)

// The page for people, Google Cloud's dashboard and the local one are made from the metrics that there are.
func TestMadeFromTheMetrics(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, _ := strings.Cut(string(text), begin)
	_, after, found := strings.Cut(rest, end)
	if !found {
		t.Fatalf("%s lacks %q or %q", page, begin, end)
	}
	for file, want := range map[string][]byte{
		page: []byte(before + begin + table() + end + after), inCloud: encode(t, charts()), dashboard: encode(t, local()),
	} {
		if *update {
			if err := os.WriteFile(file, want, 0o644); err != nil { //nolint:gosec // as the other files of the repository
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s isn't what the metrics give (%v); write it anew: go test ./internal/telemetry -run TestMadeFromTheMetrics -update", file, err)
		}
	}
}

func table() string {
	var rows strings.Builder
	rows.WriteString("| metric | kind, unit | attributes | meaning | alert |\n| --- | --- | --- | --- | --- |\n")
	for _, m := range All {
		var attributes []string
		for _, a := range m.Attributes {
			if a.Values == nil {
				attributes = append(attributes, "`"+a.Key+"`")
				continue
			}
			attributes = append(attributes, "`"+a.Key+"`: "+strings.Join(a.Values, ", "))
		}
		alert := ""
		if m.Alert != "" {
			alert = fmt.Sprintf("[%s](playbooks/%s.md)", m.Alert, m.Alert)
		}
		meaning := m.Meaning
		if m.Library != "" {
			meaning += " Recorded by " + m.Library + "."
		}
		fmt.Fprintf(&rows, "| `%s` | %s, %s | %s | %s | %s |\n", m.Name, m.Kind, m.Unit, strings.Join(attributes, "; "), meaning, alert)
	}
	return rows.String()
}

// chart is a metric as terraform/observability.tf reads it.
type chart struct {
	Title string   `json:"title"`
	Name  string   `json:"name"`
	Kind  Kind     `json:"kind"`
	By    []string `json:"by"`
}

func charts() []chart {
	all := make([]chart, 0, len(All))
	for _, m := range All {
		c := chart{Title: fmt.Sprintf("%s, %s", m.Name, unitOf(m)), Name: m.Name, Kind: m.Kind, By: []string{}}
		for _, a := range m.Attributes {
			c.By = append(c.By, a.Key)
		}
		all = append(all, c)
	}
	return all
}

func unitOf(m Metric) string {
	switch m.Kind {
	case KindHistogram:
		return "99th percentile, s"
	case KindCounter:
		return "a second"
	default:
		return m.Unit
	}
}

// panel is a chart of vmui's dashboards.
type panel struct {
	Title       string   `json:"title"`
	Description string   `json:"description"`
	Expr        []string `json:"expr"`
	Width       int      `json:"width"`
}

func local() any {
	type row struct {
		Panels []panel `json:"panels"`
	}
	var rows []row
	for pair := range slices.Chunk(All, 2) {
		var r row
		for _, m := range pair {
			r.Panels = append(r.Panels, panel{Title: m.Name + ", " + unitOf(m), Description: m.Meaning, Expr: queries(m), Width: 6})
		}
		rows = append(rows, r)
	}
	return map[string]any{"title": "Larder", "rows": rows}
}

// queries are a metric's in MetricsQL, by the names of OpenTelemetry's mapping to Prometheus.
func queries(m Metric) []string {
	name := strings.ReplaceAll(m.Name, ".", "_")
	var by []string
	for _, a := range m.Attributes {
		by = append(by, strings.ReplaceAll(a.Key, ".", "_"))
	}
	switch m.Kind {
	case KindHistogram:
		return []string{fmt.Sprintf("histogram_quantile(0.99, sum(rate(%s_seconds_bucket[1m])) by (%s))", name, strings.Join(append([]string{"le"}, by...), ", "))}
	case KindCounter:
		return []string{fmt.Sprintf("sum(rate(%s_total[1m])) by (%s)", name, strings.Join(by, ", "))}
	default:
		if m.Unit == "s" {
			name += "_seconds"
		}
		return []string{fmt.Sprintf("max(%s) by (%s)", name, strings.Join(by, ", "))}
	}
}

func encode(t *testing.T, value any) []byte {
	t.Helper()
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		t.Fatal(err)
	}
	return text.Bytes()
}

// Every alert has its playbook; every metric is recorded by somebody, and none but these is.
func TestMetricsAreUsed(t *testing.T) {
	var code bytes.Buffer
	own, err := os.ReadFile("telemetry.go") // what every program records
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{"internal", "functions", "pipelines"} {
		err := filepath.WalkDir("../../"+folder, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "/telemetry/") {
				return err
			}
			text, err := os.ReadFile(path)
			code.Write(text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	table, err := os.ReadFile("metrics.go")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(table)) {
		variable, rest, found := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "var "), " = ")
		if found && (strings.HasPrefix(rest, "counter(") || strings.HasPrefix(rest, "duration(") || strings.HasPrefix(rest, "gauge(") || strings.HasPrefix(rest, "level(")) &&
			!bytes.Contains(code.Bytes(), []byte("telemetry."+strings.TrimSpace(variable)+".")) && !bytes.Contains(own, []byte(variable+".Observe(")) {
			t.Errorf("nobody records %s", variable)
		}
	}
	for _, other := range []string{".Int64Counter(", ".Float64Histogram(", ".Float64ObservableGauge(", ".Float64Gauge(", ".Int64ObservableGauge("} {
		if bytes.Contains(code.Bytes(), []byte(other)) {
			t.Errorf("an instrument is made by %s outside of metrics.go", other)
		}
	}
	names := map[string]bool{}
	for _, m := range All {
		if names[m.Name] {
			t.Errorf("%s is there twice", m.Name)
		}
		names[m.Name] = true
		if _, err := os.Stat("../../docs/playbooks/" + m.Alert + ".md"); m.Alert != "" && err != nil {
			t.Errorf("%s: %v", m.Name, err)
		}
	}
}

// Whatever values are recorded, the series stay few: unknown ones are one, and those of the contract are bounded.
func TestSeriesAreBounded(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	before := otel.GetMeterProvider()
	otel.SetMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)))
	t.Cleanup(func() { otel.SetMeterProvider(before) })
	for i := range 2000 {
		wild := strconv.Itoa(i)
		PaymentCalls.Add(t.Context(), 1, "confirm", wild)
		ServerCalls.Record(t.Context(), 1, "method-"+wild, wild)
		Epochs.Add(t.Context(), 1, wild)
		CheckoutSteps.Record(t.Context(), 1) // no value at all
	}
	PaymentCalls.Add(t.Context(), 1, "confirm", "EXPIRED_CARD")
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	series := map[string]int{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				series[m.Name] = len(data.DataPoints)
			case metricdata.Histogram[float64]:
				series[m.Name] = len(data.DataPoints)
			}
		}
	}
	want := map[string]int{"larder.payment.calls": 2, "rpc.server.call.duration": maxOpen + 1, "larder.stock.epochs": 1, "larder.checkout.step.duration": 1}
	for name, most := range want {
		if got := series[name]; got != most {
			t.Errorf("%s has %d series, want %d", name, got, most)
		}
	}
	for _, m := range All { // what the table itself allows
		combinations := 1
		for _, a := range m.Attributes {
			combinations *= cmp.Or(len(a.Values), 1) + 1
		}
		if combinations > 200 {
			t.Errorf("%s may have %d series", m.Name, combinations)
		}
	}
}
