// Package elastic finds products in Elasticsearch: query.go makes the request's body, answer.go reads the answer, documents.go
// lists documents, and this file carries them, with a time limit, one retry and a circuit breaker.
package elastic

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/elastic/go-elasticsearch/v8"
	"github.com/elastic/go-elasticsearch/v8/esapi"
	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
	"github.com/go-json-experiment/json" // the next encoding/json: half the time of the first one

	"larder.dev/internal/fault"
	"larder.dev/internal/search"
	"larder.dev/internal/search/index"
	"larder.dev/internal/telemetry"
)

// Config is how Elasticsearch is reached, and how hits are ranked.
type Config struct {
	URL string `env:"ELASTICSEARCH_URL,required"`
	// APIKey may read the index and nothing else; empty where Elasticsearch asks for none.
	APIKey string `env:"ELASTICSEARCH_API_KEY"`
	// Index is an index or alias.
	Index string `env:"SEARCH_INDEX" envDefault:"products"`
	// Timeout bounds one question to Elasticsearch, a retry included.
	Timeout time.Duration `env:"SEARCH_TIMEOUT" envDefault:"2s"`
	// Pause is how long nothing is asked once Elasticsearch is found away; then one question tries again.
	Pause   time.Duration `env:"SEARCH_PAUSE" envDefault:"5s"`
	Weights search.Weights
	// RankingFile has weights that go over these, and are read anew while the process runs; empty: none. See ranking.go.
	RankingFile string `env:"RANKING_FILE"`
}

// Index finds products. It is safe for concurrent use.
type Index struct {
	config    Config
	client    *elasticsearch.Client
	transport *http.Transport
	breaker   circuitbreaker.CircuitBreaker[[]byte]
	executor  failsafe.Executor[[]byte]
	weights   atomic.Pointer[search.Weights]
	labels    atomic.Pointer[labelSet]
	labelling sync.Mutex // held while labels are asked for
	unobserve func()     // ends the breaker's metric
}

// New makes the adapter; it connects with the first question. Error: the weights could lift a hit above a more relevant
// class, the ranking file can't be read, or the URL is malformed.
func New(config Config) (*Index, error) {
	weights, err := ranking(config)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout: time.Second,
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: 256, // as many as may be asking at once, else connections are opened and closed all the time
		IdleConnTimeout:     time.Minute,
		DisableCompression:  true, // the two are beside each other: packing and unpacking an answer takes longer than sending it
	}
	client, err := elasticsearch.NewClient(elasticsearch.Config{
		Addresses: []string{config.URL}, APIKey: config.APIKey, Transport: transport,
		DisableRetry:    true, // the executor retries
		Instrumentation: index.Instrumentation(),
	})
	if err != nil {
		return nil, fmt.Errorf("make the Elasticsearch client: %w", err)
	}
	// Open when half of ten or more questions within ten seconds failed.
	breaker := circuitbreaker.NewBuilder[[]byte]().
		HandleIf(func(_ []byte, err error) bool { return errors.As(err, new(*awayError)) }).
		WithFailureRateThreshold(0.5, 10, 10*time.Second).
		WithDelay(config.Pause).
		OnStateChanged(func(e circuitbreaker.StateChangedEvent) {
			slog.Warn("Elasticsearch's circuit breaker", "from", e.OldState.String(), "to", e.NewState.String())
		}).
		Build()
	retry := retrypolicy.NewBuilder[[]byte]().
		HandleIf(func(_ []byte, err error) bool {
			var away *awayError
			return errors.As(err, &away) && away.again
		}).
		WithMaxRetries(1).WithBackoff(20*time.Millisecond, 100*time.Millisecond).WithJitterFactor(0.5).
		ReturnLastFailure().
		Build()
	x := &Index{
		config: config, client: client, transport: transport, breaker: breaker,
		executor: failsafe.With(breaker, retry),
	}
	x.weights.Store(&weights)
	x.unobserve = telemetry.Breaker.Observe(func() float64 { return telemetry.BreakerState(breaker) }, "elasticsearch")
	return x, nil
}

// Close closes idle connections.
func (x *Index) Close() {
	x.unobserve()
	x.transport.CloseIdleConnections()
}

// Find answers one question. Errors: fault.Unavailable, when Elasticsearch is away, too slow or overloaded, or the
// index isn't there yet.
func (x *Index) Find(ctx context.Context, l search.Lookup) (search.Found, error) {
	weights := x.Weights()
	if l.Weights != nil && fit(*l.Weights) == nil {
		weights = *l.Weights
	}
	raw, err := x.question(ctx, body(l, weights), wanted, l.Explain)
	if err != nil {
		return search.Found{}, err
	}
	a, err := read(raw)
	if err != nil {
		return search.Found{}, fmt.Errorf("search: %w", err)
	}
	labels, err := x.labelsOf(ctx, a)
	if err != nil {
		return search.Found{}, err
	}
	f, err := found(l, weights, a, labels)
	if err != nil {
		return f, fmt.Errorf("search: %w", err)
	}
	return f, nil
}

// question puts a search's body to Elasticsearch and returns of the answer what is at these paths (filter_path). Errors: as Find.
// What matched is told by name and score only if that is to be explained.
func (x *Index) question(ctx context.Context, body object, paths []string, explain bool) ([]byte, error) {
	request, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("encode a search: %w", err)
	}
	limited, cancel := context.WithTimeout(ctx, x.config.Timeout)
	defer cancel()
	raw, err := x.executor.WithContext(limited).Get(func() ([]byte, error) { return x.ask(ctx, limited, request, paths, explain) })
	if err != nil {
		return nil, x.told(ctx, err)
	}
	return raw, nil
}

// Keep renews what answers need and no answer brings, every few seconds until the context ends: the ranking file's weights, and labels.
// Nil in the end.
func (x *Index) Keep(ctx context.Context) error {
	ticker := time.NewTicker(keepEvery)
	defer ticker.Stop()
	var complaint string
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		complaint = x.rereadRanking(complaint)
		if x.labels.Load() != nil {
			// What goes wrong here is told by the answers, which need labels too.
			_, _ = x.loadLabels(ctx)
		}
	}
}

// keepEvery is how long a change of the ranking file, or of a label, takes to be noticed.
const keepEvery = 5 * time.Second

// Check tells whether the index can be searched.
func (x *Index) Check(ctx context.Context) error {
	res, err := x.client.Search(x.client.Search.WithContext(ctx), x.client.Search.WithIndex(x.config.Index), x.client.Search.WithSize(0))
	if err != nil {
		return fmt.Errorf("search %s: %w", x.config.Index, err)
	}
	defer res.Body.Close()
	if res.IsError() {
		return fmt.Errorf("search %s: status %d", x.config.Index, res.StatusCode)
	}
	return nil
}

// awayError is a failure of Elasticsearch, not of the question.
type awayError struct {
	cause error
	again bool // worth asking again at once
}

func (e *awayError) Error() string { return "elasticsearch is away: " + e.cause.Error() }
func (e *awayError) Unwrap() error { return e.cause }

// ask sends one request within the limited context; when the caller's own context ended, that is no failure of
// Elasticsearch.
func (x *Index) ask(caller, limited context.Context, request []byte, paths []string, explain bool) ([]byte, error) {
	s := x.client.Search
	options := []func(*esapi.SearchRequest){
		s.WithContext(limited), s.WithIndex(x.config.Index), s.WithBody(bytes.NewReader(request)), s.WithFilterPath(paths...),
		s.WithAllowPartialSearchResults(false), // part of the products is a wrong answer
	}
	if explain {
		options = append(options, s.WithIncludeNamedQueriesScore(true))
	}
	res, err := s(options...)
	if err != nil {
		return nil, failed(caller, limited, err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, failed(caller, limited, err)
	}
	switch {
	case !res.IsError():
		return answer, nil
	case res.StatusCode >= 500 || res.StatusCode == http.StatusTooManyRequests || res.StatusCode == http.StatusNotFound:
		// 429 is a full search queue, 404 an alias that isn't made yet.
		return nil, &awayError{cause: refusal(res.StatusCode, answer), again: res.StatusCode == http.StatusBadGateway || res.StatusCode == http.StatusServiceUnavailable}
	default:
		return nil, refusal(res.StatusCode, answer)
	}
}

func failed(caller, limited context.Context, err error) error {
	if caller.Err() != nil {
		return caller.Err()
	}
	return &awayError{cause: err, again: limited.Err() == nil}
}

func refusal(status int, answer []byte) error {
	return fmt.Errorf("elasticsearch answered %d: %s", status, answer[:min(len(answer), 500)])
}

// told is the error for the caller.
func (x *Index) told(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, circuitbreaker.ErrOpen) || errors.As(err, new(*awayError)) || errors.Is(err, context.DeadlineExceeded) {
		wait := max(time.Second, x.breaker.RemainingDelay())
		return fault.Unavailable.New("search is unavailable, try again").WithRetryAfter(wait).WithCause(err)
	}
	return fmt.Errorf("search: %w", err)
}
