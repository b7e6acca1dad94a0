package serve_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"larder.dev/internal/fault"
	"larder.dev/internal/identity"
	"larder.dev/internal/serve"
)

// onBoth runs a test on each wire: the interceptors and their order must be the same.
func onBoth(t *testing.T, change func(*serve.Config), test func(t *testing.T, r *rig, w wire)) {
	t.Helper()
	for _, w := range wires {
		t.Run(w.name, func(t *testing.T) { test(t, newRig(t, change), w) })
	}
}

// refused fails unless an outcome is a reason, with its code on either wire and a request id.
func refused(t *testing.T, what string, got outcome, reason fault.Reason) {
	t.Helper()
	if got.OK || got.Reason != reason.Name {
		t.Errorf("%s: %s %q %v, want %s", what, got.Reason, got.Message, got.Fields, reason.Name)
	}
	if (got.HTTP != 0 && got.HTTP != reason.HTTP) || (got.HTTP == 0 && got.Code != reason.Code) {
		t.Errorf("%s: HTTP %d, gRPC %s, want %d or %s", what, got.HTTP, got.Code, reason.HTTP, reason.Code)
	}
	if got.Header.Get("X-Request-Id") == "" {
		t.Errorf("%s: no request id", what)
	}
}

func TestIdentityComesBeforeValidation(t *testing.T) {
	onBoth(t, nil, func(t *testing.T, r *rig, w wire) {
		refused(t, "no token of ours, invalid", w.put(t, r, bearer("nonsense"), 0), fault.Unauthenticated)
		invalid := w.put(t, r, r.shopper(t), 0)
		refused(t, "a shopper, invalid", invalid, fault.InvalidArgument)
		if !slices.Equal(invalid.Fields, []string{"quantity"}) {
			t.Errorf("the violations are of %v", invalid.Fields)
		}
		if got := w.put(t, r, r.shopper(t), 1); !got.OK {
			t.Errorf("a shopper, valid: %+v", got)
		}
	})
}

func TestAdmissionComesBetweenIdentityAndValidation(t *testing.T) {
	one := func(c *serve.Config) { c.MaxConcurrent = 1 }
	onBoth(t, one, func(t *testing.T, r *rig, w wire) {
		inside, leave := make(chan struct{}), make(chan struct{})
		r.do = func(context.Context) error {
			close(inside)
			<-leave
			return nil
		}
		first := make(chan outcome)
		go func() { first <- w.put(t, r, r.shopper(t), 1) }()
		<-inside
		refused(t, "no token of ours, while full", w.put(t, r, bearer("nonsense"), 1), fault.Unauthenticated)
		full := w.put(t, r, r.shopper(t), 0)
		refused(t, "invalid, while full", full, fault.Overloaded)
		if !full.RetryAfter {
			t.Error("the refusal doesn't tell when to try again")
		}
		close(leave)
		if got := <-first; !got.OK {
			t.Errorf("the request that was inside: %+v", got)
		}
		r.do = func(context.Context) error { return nil }
		if got := w.put(t, r, r.shopper(t), 1); !got.OK {
			t.Errorf("with room again: %+v", got)
		}
	})
}

const (
	traceID     = "4bf92f3577b34da6a3ce929d0e0e4736"
	traceparent = "00-" + traceID + "-00f067aa0ba902b7-01"
)

func TestPanicsAreInsideOfRequestIDAndTracing(t *testing.T) {
	onBoth(t, nil, func(t *testing.T, r *rig, w wire) {
		r.do = func(context.Context) error { panic("secret of ours") }
		headers := with(with(r.shopper(t), "x-request-id", "request-1"), "traceparent", traceparent)
		got := w.put(t, r, headers, 1)
		refused(t, "a panic", got, fault.Internal)
		if id := got.Header.Get("X-Request-Id"); id != "request-1" {
			t.Errorf("the request id is %q, want the caller's", id)
		}
		if strings.Contains(got.Body+got.Message, "secret") {
			t.Errorf("the answer tells what went wrong inside: %s %s", got.Message, got.Body)
		}
		line := r.logs.line(t, "panic")
		if line["severity"] != "ERROR" || line["request_id"] != "request-1" || line["panic"] != "secret of ours" ||
			line["logging.googleapis.com/trace"] != "projects/larder-test/traces/"+traceID {
			t.Errorf("the panic's line is %v", line)
		}
		r.do = func(context.Context) error { return nil }
		if got := w.put(t, r, r.shopper(t), 1); !got.OK {
			t.Errorf("after a panic: %+v", got)
		}
	})
}

func TestTraceContinues(t *testing.T) {
	onBoth(t, nil, func(t *testing.T, r *rig, w wire) {
		var inside trace.SpanContext
		r.do = func(ctx context.Context) error {
			inside = trace.SpanContextFromContext(ctx)
			return nil
		}
		w.put(t, r, with(r.shopper(t), "traceparent", traceparent), 1)
		if inside.TraceID().String() != traceID || inside.SpanID().String() == "00f067aa0ba902b7" || !inside.IsSampled() {
			t.Errorf("the method runs in %v, want a span of its own in the caller's trace", inside)
		}
		for _, none := range []string{"", "nonsense"} {
			w.put(t, r, with(r.shopper(t), "traceparent", none), 1)
			if !inside.IsValid() || inside.TraceID().String() == traceID {
				t.Errorf("with traceparent %q the method runs in %v, want a new trace", none, inside)
			}
		}
	})
}

func TestRequestID(t *testing.T) {
	onBoth(t, nil, func(t *testing.T, r *rig, w wire) {
		var inside string
		r.do = func(ctx context.Context) error {
			inside = serve.RequestID(ctx)
			return nil
		}
		for given, kept := range map[string]bool{"abc-123": true, "": false, "with space": false, strings.Repeat("x", 200): false} {
			got := w.put(t, r, with(r.shopper(t), "x-request-id", given), 1).Header.Get("X-Request-Id")
			if got == "" || got != inside || (got == given) != kept {
				t.Errorf("%q became %q inside and %q in the answer, want it kept: %v", given, inside, got, kept)
			}
		}
	})
}

func TestDeadline(t *testing.T) {
	onBoth(t, func(c *serve.Config) { c.RequestTimeout = 200 * time.Millisecond }, func(t *testing.T, r *rig, w wire) {
		var left time.Duration
		r.do = func(ctx context.Context) error {
			deadline, _ := ctx.Deadline()
			left = time.Until(deadline)
			return nil
		}
		w.put(t, r, r.shopper(t), 1)
		if left <= 0 || left > 200*time.Millisecond {
			t.Errorf("the method has %v, want at most the configured 200ms", left)
		}
		w.put(t, r, with(r.shopper(t), "grpc-timeout", "100m"), 1)
		if left <= 0 || left > 100*time.Millisecond {
			t.Errorf("the method has %v, want at most the caller's 100ms", left)
		}
		r.do = func(ctx context.Context) error {
			<-ctx.Done()
			return fmt.Errorf("read: %w", ctx.Err())
		}
		refused(t, "a slow method", w.put(t, r, r.shopper(t), 1), fault.DeadlineExceeded)
	})
}

func TestErrorsAreTranslatedOnce(t *testing.T) {
	onBoth(t, nil, func(t *testing.T, r *rig, w wire) {
		for _, c := range []struct {
			err    error
			reason fault.Reason
			logged bool
		}{
			{errors.New("dial 10.0.0.7: password hunter2"), fault.Internal, true},
			{fmt.Errorf("read: %w", status.Error(codes.Unavailable, "10.0.0.7 hunter2")), fault.Unavailable, true},
			{status.Error(codes.NotFound, "10.0.0.7 hunter2"), fault.Internal, true},
			{fmt.Errorf("take: %w", fault.OutOfStock.New("too few").WithCause(errors.New("10.0.0.7"))), fault.OutOfStock, false},
			{fault.IdempotencyKeyReused.New("used"), fault.IdempotencyKeyReused, false},
			{fault.PaymentDeclined.New("no"), fault.PaymentDeclined, false},
			{fault.EtagMismatch.New("changed"), fault.EtagMismatch, false},
		} {
			r.logs.reset()
			r.do = func(context.Context) error { return c.err }
			got := w.put(t, r, r.shopper(t), 1)
			refused(t, c.err.Error(), got, c.reason)
			if text := got.Message + got.Body; strings.Contains(text, "hunter2") || strings.Contains(text, "10.0.0.7") {
				t.Errorf("the answer tells what went wrong inside: %s", text)
			}
			if c.reason.Code == codes.Unavailable && !got.RetryAfter {
				t.Errorf("%s doesn't tell when to try again", c.reason.Name)
			}
			line := r.logs.line(t, "request failed")
			if (line != nil) != c.logged || (c.logged && line["error"] != c.err.Error()) {
				t.Errorf("%v is logged as %v, want logged %v", c.err, line, c.logged)
			}
		}
	})
}

func TestIdempotencyKey(t *testing.T) {
	onBoth(t, nil, func(t *testing.T, r *rig, w wire) {
		var key string
		r.do = func(ctx context.Context) (err error) {
			key, err = serve.IdempotencyKey(ctx)
			return err
		}
		long := strings.Repeat("k", 100)
		for _, good := range []string{"12345678", "A-Z_a-z0", long} {
			if got := w.put(t, r, with(r.shopper(t), "idempotency-key", good), 1); !got.OK || key != good {
				t.Errorf("%q was read as %q: %+v", good, key, got)
			}
		}
		refused(t, "no key", w.put(t, r, r.shopper(t), 1), fault.IdempotencyKeyRequired)
		for _, bad := range []string{"", "1234567", long + "k", "with space", "semi;colon", "ümlauts-too"} {
			if w.name == "gRPC" && strings.HasPrefix(bad, "ü") {
				continue // the client refuses to send it
			}
			refused(t, bad, w.put(t, r, with(r.shopper(t), "idempotency-key", bad), 1), fault.IdempotencyKeyRequired)
		}
	})
}

func TestControlCharactersAreRefused(t *testing.T) {
	r := newRig(t, nil)
	for body, field := range map[string]string{
		`{"quantity":1,"etag":"a\u0000b"}`: "etag", `{"quantity":1,"etag":"\u001b[2J"}`: "etag", `{"quantity":1,"etag":"a\tb\r\n"}`: "",
	} {
		got := r.rest(t, "PUT", "/v1/carts/me/items/bananas", r.shopper(t), body)
		if (field == "" && !got.OK) || (field != "" && (got.HTTP != http.StatusBadRequest || !slices.Equal(got.Fields, []string{field}))) {
			t.Errorf("%s: %d %v %s, want a violation of %q", body, got.HTTP, got.Fields, got.Body, field)
		}
	}
}

func TestCallerReachesTheMethod(t *testing.T) {
	onBoth(t, nil, func(t *testing.T, r *rig, w wire) {
		var caller identity.Caller
		r.do = func(ctx context.Context) error {
			caller = identity.FromContext(ctx)
			return nil
		}
		w.put(t, r, r.shopper(t), 1)
		if caller.UserID != ada || caller.SessionID != "s" || !caller.HasRole(identity.RoleShopper) || caller.Service != "" {
			t.Errorf("the caller is %+v", caller)
		}
	})
}
