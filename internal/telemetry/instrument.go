package telemetry

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Kind of a metric.
type Kind string

const (
	KindCounter   Kind = "counter"
	KindHistogram Kind = "histogram"
	KindGauge     Kind = "gauge"
)

// Metric is what is known of one; all are in All.
type Metric struct {
	Name string
	Kind Kind
	// Unit after UCUM: "s", "{event}".
	Unit string
	// Meaning says in a sentence what it measures.
	Meaning    string
	Attributes []Attribute
	// Alert is the playbook of the alert on it; empty for none.
	Alert string
	// Library names who records it, where that isn't ours.
	Library string
}

// Attribute of a metric, with all the values that it can have. Any other value is recorded as Other: so no caller, and no stranger's
// request, makes a series of their own.
type Attribute struct {
	Key string
	// Values are all that there are; nil: they come from the contract, or are the shop's own stores, and at most maxOpen combinations of them are told apart.
	Values []string
}

// Other stands for a value that isn't among an attribute's.
const Other = "other"

// maxOpen bounds the combinations of an instrument whose values the code doesn't list. The contract has some 100 methods.
const maxOpen = 500

var meter = otel.Meter("larder.dev/internal/telemetry")

// sets are an instrument's attributes ready made: to record costs no allocation.
type sets struct {
	attributes []Attribute
	known      map[[2]string]bool // of each place: the place's digit and the value
	made       sync.Map           // [2]string to metric.MeasurementOption
	count      atomic.Int64
}

func newSets(attributes []Attribute) *sets {
	s := &sets{attributes: attributes, known: map[[2]string]bool{}}
	for i, a := range attributes {
		for _, value := range a.Values {
			s.known[[2]string{a.Key, value}] = true
		}
		if i > 1 {
			panic("a metric has at most two attributes: " + a.Key) // a fault of the table, seen by its first test
		}
	}
	return s
}

// of is the option for these values, in the order of the metric's attributes.
func (s *sets) of(values []string) metric.MeasurementOption {
	var key [2]string
	for i := range s.attributes {
		key[i] = Other
		if i < len(values) && (s.attributes[i].Values == nil || s.known[[2]string{s.attributes[i].Key, values[i]}]) {
			key[i] = values[i]
		}
	}
	if made, ok := s.made.Load(key); ok {
		return made.(metric.MeasurementOption) //nolint:errcheck,forcetypeassert // the map holds nothing else
	}
	if s.count.Load() >= maxOpen {
		for i := range s.attributes {
			key[i] = Other
		}
	}
	pairs := make([]attribute.KeyValue, len(s.attributes))
	for i, a := range s.attributes {
		pairs[i] = attribute.String(a.Key, key[i])
	}
	made, there := s.made.LoadOrStore(key, metric.WithAttributeSet(attribute.NewSet(pairs...)))
	if !there {
		s.count.Add(1)
	}
	return made.(metric.MeasurementOption) //nolint:errcheck,forcetypeassert // as above
}

// Counter counts. It is safe for concurrent use, as all instruments are.
type Counter struct {
	sets *sets
	to   metric.Int64Counter
}

// Add counts n more under the values of the metric's attributes.
func (c *Counter) Add(ctx context.Context, n int64, values ...string) {
	c.to.Add(ctx, n, c.sets.of(values))
}

// Duration is a histogram of seconds.
type Duration struct {
	sets *sets
	to   metric.Float64Histogram
}

// Record takes what something took. The context's trace becomes its exemplar, if it is recorded.
func (d *Duration) Record(ctx context.Context, took time.Duration, values ...string) {
	d.to.Record(ctx, took.Seconds(), d.sets.of(values))
}

// Since records what something took that began then.
func (d *Duration) Since(ctx context.Context, began time.Time, values ...string) {
	d.Record(ctx, time.Since(began), values...)
}

// Gauge is a value that is asked for whenever metrics are sent.
type Gauge struct {
	sets *sets
	to   metric.Float64ObservableGauge
}

// Observe lets a function be asked, until it is undone.
func (g *Gauge) Observe(read func() float64, values ...string) (undo func()) {
	as := g.sets.of(values)
	registered, err := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		o.ObserveFloat64(g.to, read(), as)
		return nil
	}, g.to)
	if err != nil {
		otel.Handle(err)
		return func() {}
	}
	return func() { _ = registered.Unregister() } // fails only if it is no callback of this meter
}

// Level is a value that whoever has counted tells; what was told last stands until then.
type Level struct {
	sets *sets
	to   metric.Float64Gauge
}

// Set tells it.
func (l *Level) Set(ctx context.Context, value float64, values ...string) {
	l.to.Record(ctx, value, l.sets.of(values))
}

func define(m Metric) { All = append(All, m) }

// described is a metric that a library measures.
func described(m Metric) Metric {
	define(m)
	return m
}

// must is for names and units that the SDK refuses: a fault of the table, seen by its first test.
func must[T any](made T, err error) T {
	if err != nil {
		panic(err)
	}
	return made
}

func counter(m Metric) *Counter {
	m.Kind = KindCounter
	define(m)
	return &Counter{newSets(m.Attributes), must(meter.Int64Counter(m.Name, metric.WithUnit(m.Unit), metric.WithDescription(m.Meaning)))}
}

// seconds are the bounds that the semantic conventions advise for the durations of calls, and two longer ones for what waits.
var seconds = []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 120}

func duration(m Metric) *Duration {
	m.Kind, m.Unit = KindHistogram, "s"
	define(m)
	return &Duration{newSets(m.Attributes), must(meter.Float64Histogram(m.Name, metric.WithUnit(m.Unit), metric.WithDescription(m.Meaning),
		metric.WithExplicitBucketBoundaries(seconds...)))}
}

func gauge(m Metric) *Gauge {
	m.Kind = KindGauge
	define(m)
	return &Gauge{newSets(m.Attributes), must(meter.Float64ObservableGauge(m.Name, metric.WithUnit(m.Unit), metric.WithDescription(m.Meaning)))}
}

func level(m Metric) *Level {
	m.Kind = KindGauge
	define(m)
	return &Level{newSets(m.Attributes), must(meter.Float64Gauge(m.Name, metric.WithUnit(m.Unit), metric.WithDescription(m.Meaning)))}
}
