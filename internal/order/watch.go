package order

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"

	orderpb "larder.dev/api/order/v1"
	"larder.dev/internal/fault"
	"larder.dev/internal/serve"
)

// WatchPattern is where Watchers serve: every GET of one order, of which they leave to the gateway what isn't a stream.
const WatchPattern = "GET /v1/orders/{order}"

// WatchConfig bounds the streams of one process.
type WatchConfig struct {
	// Max is how many streams are open at once; the next one is refused with OVERLOADED.
	Max int `env:"WATCH_MAX" envDefault:"1000"`
	// Every is the time between two looks at the versions of all orders that are watched: one read for all of them.
	Every time.Duration `env:"WATCH_EVERY" envDefault:"1s"`
	// Heartbeat is how long a stream is silent at most, so that whatever stands between keeps it open.
	Heartbeat time.Duration `env:"WATCH_HEARTBEAT" envDefault:"15s"`
	// Lasts is how long a stream is served, less than an access token holds; then the client comes again.
	Lasts time.Duration `env:"WATCH_LASTS" envDefault:"10m"`
}

// watchWrite is how long a client may take to read an event.
const watchWrite = 10 * time.Second

// Watchers stream the changes of orders as server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html). Whatever is
// shown was answered by WatchOrder, through every interceptor: who may see an order is decided there, anew at each change. A stream costs no
// read of its own while nothing changes.
type Watchers struct {
	config WatchConfig
	orders orderpb.OrderServiceClient
	store  Store
	rest   http.Handler
	end    <-chan struct{}
	places chan struct{}

	mu      sync.Mutex
	watched map[string]*watched
}

// watched is an order that is watched.
type watched struct {
	watchers int
	version  int64
	changed  chan struct{} // closed when the version has moved on
}

// NewWatchers makes them. local is the process's own methods, rest what is no stream; streams end when ctx does.
func NewWatchers(ctx context.Context, config WatchConfig, local grpc.ClientConnInterface, store Store, rest http.Handler) *Watchers {
	return &Watchers{
		config: config, orders: orderpb.NewOrderServiceClient(local), store: store, rest: rest, end: ctx.Done(),
		places: make(chan struct{}, config.Max), watched: map[string]*watched{},
	}
}

// ServeHTTP implements http.Handler.
func (w *Watchers) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	id, watch := strings.CutSuffix(r.PathValue("order"), ":watch")
	if !watch || !strings.Contains(r.Header.Get("Accept"), "text/event-stream") {
		w.rest.ServeHTTP(out, r)
		return
	}
	after, err := afterVersion(r)
	if err != nil {
		serve.WriteError(out, r, err)
		return
	}
	select {
	case w.places <- struct{}{}:
		defer func() { <-w.places }()
	default:
		serve.WriteError(out, r, fault.Overloaded.New("too many are watching").WithRetryAfter(w.config.Every))
		return
	}
	w.stream(out, r, id, after)
}

// afterVersion is the version that the client has seen: Last-Event-ID of a client that comes again, or else after_version.
func afterVersion(r *http.Request) (int64, error) {
	text, field := r.Header.Get("Last-Event-ID"), "last_event_id"
	for name := range r.URL.Query() {
		if name != "after_version" {
			return 0, fault.Invalid(strings.ToValidUTF8(name, "?"), "no such parameter")
		}
	}
	if text == "" {
		text, field = r.URL.Query().Get("after_version"), "after_version"
	}
	if text == "" {
		return 0, nil
	}
	version, err := strconv.ParseInt(text, 10, 64)
	if err != nil || version < 0 {
		return 0, fault.Invalid(field, "must be a version")
	}
	return version, nil
}

// stream writes changes until the order's final state, the stream's end, or the client's.
func (w *Watchers) stream(out http.ResponseWriter, r *http.Request, id string, after int64) {
	over := time.NewTimer(w.config.Lasts)
	defer over.Stop()
	heartbeat := time.NewTicker(w.config.Heartbeat)
	defer heartbeat.Stop()
	to := eventWriter{out: out, controller: http.NewResponseController(out)}
	defer w.leave(id)
	for changed := w.join(id); ; changed = w.next(id) {
		// changed is older than what is read: nothing that comes in between is missed.
		answer, err := w.orders.WatchOrder(serve.CallContext(r), &orderpb.WatchOrderRequest{OrderId: id, AfterVersion: after}) //nolint:contextcheck // it is made of the request
		if err != nil {
			if !to.begun {
				serve.WriteError(out, r, fault.FromRPC(err))
			}
			return // the client comes again, and is told
		}
		for _, change := range answer.GetChanges() {
			if err := to.change(change); err != nil {
				return
			}
			after = change.GetVersion()
			if change.GetFinal() {
				return
			}
		}
		if err := to.begin(); err != nil || answer.GetOrder().GetState() == orderpb.Order_DELIVERED || answer.GetOrder().GetState() == orderpb.Order_CANCELLED {
			return
		}
		for waiting := true; waiting; {
			select {
			case <-changed:
				waiting = false
			case <-heartbeat.C:
				if err := to.comment(); err != nil {
					return
				}
			case <-over.C:
				return
			case <-w.end:
				return
			case <-r.Context().Done():
				return
			}
		}
	}
}

// join adds a watcher of an order; the channel is closed at its next change.
func (w *Watchers) join(id string) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.watched[id] == nil {
		w.watched[id] = &watched{changed: make(chan struct{})}
	}
	w.watched[id].watchers++
	return w.watched[id].changed
}

func (w *Watchers) next(id string) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.watched[id].changed
}

func (w *Watchers) leave(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.watched[id].watchers--; w.watched[id].watchers == 0 {
		delete(w.watched, id)
	}
}

// Run looks for changes of the orders that are watched until ctx ends.
func (w *Watchers) Run(ctx context.Context) error {
	for {
		select {
		case <-time.After(w.config.Every + rand.N(w.config.Every/4+1)): // many processes don't look at the same time
		case <-ctx.Done():
			return nil
		}
		if err := w.look(ctx); err != nil && ctx.Err() == nil {
			slog.WarnContext(ctx, "look after watched orders", "error", err)
		}
	}
}

// look wakes the watchers of orders whose version has moved on. The first look at an order wakes them too, for what came in between.
func (w *Watchers) look(ctx context.Context) error {
	w.mu.Lock()
	ids := slices.Collect(maps.Keys(w.watched))
	w.mu.Unlock()
	if len(ids) == 0 {
		return nil
	}
	versions, err := w.store.Versions(ctx, ids)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, version := range versions {
		if o := w.watched[id]; o != nil && o.version != version {
			o.version = version
			close(o.changed)
			o.changed = make(chan struct{})
		}
	}
	return nil
}

// eventWriter writes server-sent events.
type eventWriter struct {
	out        http.ResponseWriter
	controller *http.ResponseController
	begun      bool
}

// begin sends the headers.
func (e *eventWriter) begin() error {
	if e.begun {
		return nil
	}
	e.begun = true
	e.out.Header().Set("Content-Type", "text/event-stream")
	e.out.Header().Set("Cache-Control", "no-store")
	e.out.Header().Set("X-Accel-Buffering", "no") // proxies that keep an answer together until its end
	return e.write(": watching\n\n")
}

func (e *eventWriter) change(change *orderpb.OrderChange) error {
	data, err := serve.Encode(change)
	if err != nil {
		return err
	}
	return errors.Join(e.begin(), e.write(fmt.Sprintf("id: %d\nevent: change\ndata: %s\n\n", change.GetVersion(), data)))
}

func (e *eventWriter) comment() error { return e.write(": \n\n") }

func (e *eventWriter) write(text string) error {
	// A connection without deadlines is none of our servers'; the write itself tells of any other fault.
	_ = e.controller.SetWriteDeadline(time.Now().Add(watchWrite))
	if _, err := e.out.Write([]byte(text)); err != nil {
		return err
	}
	return e.controller.Flush()
}
