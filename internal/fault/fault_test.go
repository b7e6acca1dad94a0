package fault_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	typepb "larder.dev/api/type/v1"
	"larder.dev/internal/fault"
)

func TestEveryReasonIsComplete(t *testing.T) {
	if len(fault.All()) < 30 {
		t.Fatalf("there are %d reasons only", len(fault.All()))
	}
	form := regexp.MustCompile(`^[A-Z][A-Z0-9_]+[A-Z0-9]$`) // ErrorInfo.reason
	for name, reason := range fault.All() {
		if name != reason.Name || !form.MatchString(name) || len(name) > 63 {
			t.Errorf("%q is no name for the reason %q", reason.Name, name)
		}
		if reason.Code == codes.OK || reason.Code == codes.Unknown {
			t.Errorf("%s has the code %s", name, reason.Code)
		}
		if reason.HTTP < 400 || reason.HTTP > 599 {
			t.Errorf("%s has the HTTP status %d", name, reason.HTTP)
		}
		if (reason.HTTP >= 500) != slices.Contains([]codes.Code{codes.Internal, codes.Unavailable, codes.DeadlineExceeded}, reason.Code) {
			t.Errorf("%s is %s and %d: one blames us, one the caller", name, reason.Code, reason.HTTP)
		}
		if len(reason.Help) < 20 || !strings.HasSuffix(reason.Help, ".") {
			t.Errorf("%s helps with %q, want sentences", name, reason.Help)
		}
	}
}

// Code and HTTP status of what every client handles alike.
func TestCommonReasons(t *testing.T) {
	for _, c := range []struct {
		reason fault.Reason
		code   codes.Code
		http   int
	}{
		{fault.InvalidArgument, codes.InvalidArgument, http.StatusBadRequest},
		{fault.Unauthenticated, codes.Unauthenticated, http.StatusUnauthorized},
		{fault.PermissionDenied, codes.PermissionDenied, http.StatusForbidden},
		{fault.EtagMismatch, codes.Aborted, http.StatusPreconditionFailed},
		{fault.IdempotencyKeyReused, codes.InvalidArgument, http.StatusUnprocessableEntity},
		{fault.PriceChanged, codes.FailedPrecondition, http.StatusConflict},
		{fault.Overloaded, codes.ResourceExhausted, http.StatusTooManyRequests},
		{fault.Unavailable, codes.Unavailable, http.StatusServiceUnavailable},
	} {
		if c.reason.Code != c.code || c.reason.HTTP != c.http {
			t.Errorf("%s is %s and %d, want %s and %d", c.reason.Name, c.reason.Code, c.reason.HTTP, c.code, c.http)
		}
	}
}

func TestErrorsSurviveTheWire(t *testing.T) {
	for name, reason := range fault.All() {
		sent := reason.New("%d of %s", 3, "these").
			WithViolation("lines[2].quantity", "too many").WithViolation("store", "unknown").
			WithMetadata("class", "insufficient_funds").
			WithDetail(&typepb.Money{Currency: "GBP", MinorUnits: 120}).
			WithRetryAfter(1500 * time.Millisecond).
			WithCause(errors.New("hunter2 at 10.0.0.7"))
		st := sent.Status()
		if strings.Contains(fmt.Sprint(st.Proto()), "hunter2") {
			t.Errorf("%s tells its cause", name)
		}
		if st.Code() != reason.Code || st.Message() != "3 of these" {
			t.Errorf("%s became %s %q", name, st.Code(), st.Message())
		}
		got := fault.FromRPC(fmt.Errorf("call: %w", st.Err()))
		if reason.Internal {
			if fault.Is(got, reason) {
				t.Errorf("another service's %s is passed on as ours", name)
			}
			continue
		}
		if !fault.Is(got, reason) || !fault.Is(st.Err(), reason) {
			t.Errorf("%s came back as %v", name, got)
			continue
		}
		if again := fault.From(got).Status(); !proto.Equal(again.Proto(), st.Proto()) {
			t.Errorf("%s came back as\n%v, sent was\n%v", name, again.Proto(), st.Proto())
		}
	}
}

func TestFromStatusFallsBack(t *testing.T) {
	fallback := errors.New("fallback")
	foreign, err := status.New(codes.NotFound, "no").WithDetails(&errdetails.ErrorInfo{Reason: "PRODUCT_NOT_FOUND", Domain: "elsewhere.example"})
	if err != nil {
		t.Fatal(err)
	}
	unknown, err := status.New(codes.NotFound, "no").WithDetails(&errdetails.ErrorInfo{Reason: "FROM_THE_FUTURE", Domain: fault.Domain})
	if err != nil {
		t.Fatal(err)
	}
	for name, st := range map[string]*status.Status{
		"no details": status.New(codes.NotFound, "no"), "another domain": foreign, "an unknown reason": unknown,
	} {
		if got := fault.FromStatus(st, fallback); !errors.Is(got, fallback) {
			t.Errorf("%s: %v, want the fallback", name, got)
		}
	}
	if fault.FromRPC(nil) != nil {
		t.Error("no error became one")
	}
	if plain := errors.New("plain"); !errors.Is(fault.FromRPC(plain), plain) {
		t.Error("an error that is no status changed")
	}
}

func TestFrom(t *testing.T) {
	for _, c := range []struct {
		err  error
		want fault.Reason
	}{
		{errors.New("anything"), fault.Internal},
		{fmt.Errorf("read: %w", fault.CartEmpty.New("empty")), fault.CartEmpty},
		{errors.Join(errors.New("a"), fault.CartEmpty.New("empty")), fault.CartEmpty},
		{fmt.Errorf("read: %w", context.DeadlineExceeded), fault.DeadlineExceeded},
		{fmt.Errorf("read: %w", context.Canceled), fault.Cancelled},
		{status.Error(codes.Unavailable, "away"), fault.Unavailable},
		{status.Error(codes.ResourceExhausted, "full"), fault.Unavailable},
		{status.Error(codes.DeadlineExceeded, "late"), fault.DeadlineExceeded},
		{status.Error(codes.Canceled, "left"), fault.Cancelled},
		{status.Error(codes.PermissionDenied, "our own fault"), fault.Internal},
		{status.Error(codes.NotFound, "ours to handle"), fault.Internal},
	} {
		got := fault.From(c.err)
		if got.Reason().Name != c.want.Name {
			t.Errorf("%v became %s, want %s", c.err, got.Reason().Name, c.want.Name)
		}
		if !errors.Is(got, c.err) && !errors.Is(c.err, got) {
			t.Errorf("%v lost its cause", c.err)
		}
	}
	if fault.From(nil) != nil || fault.ToStatus(nil) != nil {
		t.Error("no error became one")
	}
	if fault.Is(nil, fault.Internal) || fault.Is(errors.New("x"), fault.Internal) {
		t.Error("what has no reason has one")
	}
}

func TestErrorIsForLogs(t *testing.T) {
	err := fault.Invalid("quantity", "at most %d", 99).WithCause(errors.New("cause"))
	if got, want := err.Error(), "INVALID_ARGUMENT: the request has invalid fields; quantity: at most 99: cause"; got != want {
		t.Errorf("logged as %q, want %q", got, want)
	}
}
