// Package fault holds the platform's coded errors: each has a stable reason that clients can act on, and what is told
// never contains anything internal. ToStatus is the one place that translates them for the wire (AIP-193).
package fault

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Domain is the ErrorInfo domain of every reason.
const Domain = "larder.dev"

// Error is a coded error. Build one with a Reason's New; add to it with the With functions.
type Error struct {
	reason     Reason
	message    string
	metadata   map[string]string
	violations []*errdetails.BadRequest_FieldViolation
	details    []proto.Message
	retryAfter time.Duration
	cause      error
}

// New makes an error of this reason. The message is told to the caller: it holds nothing internal.
func (r Reason) New(format string, args ...any) *Error {
	return &Error{reason: r, message: text(fmt.Sprintf(format, args...))}
}

// Invalid is INVALID_ARGUMENT for one field, named as in JSON ("lines[2].quantity").
func Invalid(field, format string, args ...any) *Error {
	return InvalidArgument.New("the request has invalid fields").WithViolation(field, fmt.Sprintf(format, args...))
}

// WithViolation names a field and what is wrong with it.
func (e *Error) WithViolation(field, description string) *Error {
	e.violations = append(e.violations, &errdetails.BadRequest_FieldViolation{Field: text(field), Description: text(description)})
	return e
}

// WithMetadata adds a fact that a program can read.
func (e *Error) WithMetadata(key, value string) *Error {
	if e.metadata == nil {
		e.metadata = map[string]string{}
	}
	e.metadata[text(key)] = text(value)
	return e
}

// text is UTF-8, as all text of protobuf has to be. What a caller has sent may be quoted in a refusal, and need not be: without this the
// refusal couldn't be told, and would blame us.
func text(said string) string { return strings.ToValidUTF8(said, "\uFFFD") }

// WithDetail adds a typed detail of the contract.
func (e *Error) WithDetail(detail proto.Message) *Error {
	e.details = append(e.details, detail)
	return e
}

// WithRetryAfter tells when to try again; it becomes RetryInfo and the Retry-After header.
func (e *Error) WithRetryAfter(d time.Duration) *Error {
	e.retryAfter = d
	return e
}

// WithCause keeps the internal error for the log; it is never told.
func (e *Error) WithCause(err error) *Error {
	e.cause = err
	return e
}

// Reason returns the stable reason.
func (e *Error) Reason() Reason { return e.reason }

// Violations are the named fields with what is wrong with them.
func (e *Error) Violations() []*errdetails.BadRequest_FieldViolation { return e.violations }

// Message is what the caller is told.
func (e *Error) Message() string { return e.message }

// Error is for logs.
func (e *Error) Error() string {
	line := e.reason.Name + ": " + e.message
	for _, v := range e.violations {
		line += fmt.Sprintf("; %s: %s", v.GetField(), v.GetDescription())
	}
	if e.cause != nil {
		line += ": " + e.cause.Error()
	}
	return line
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

// Status is the wire's form.
func (e *Error) Status() *status.Status {
	details := []protoadapt.MessageV1{protoadapt.MessageV1Of(&errdetails.ErrorInfo{
		Reason: e.reason.Name, Domain: Domain, Metadata: maps.Clone(e.metadata),
	})}
	if len(e.violations) > 0 {
		details = append(details, protoadapt.MessageV1Of(&errdetails.BadRequest{FieldViolations: e.violations}))
	}
	if e.retryAfter > 0 {
		details = append(details, protoadapt.MessageV1Of(&errdetails.RetryInfo{RetryDelay: durationpb.New(e.retryAfter)}))
	}
	for _, d := range e.details {
		details = append(details, protoadapt.MessageV1Of(d))
	}
	st, err := status.New(e.reason.Code, e.message).WithDetails(details...)
	if err != nil { // only for codes.OK, which no reason has
		return status.New(codes.Internal, "internal error")
	}
	return st
}

// From finds or makes the coded error of any error: what isn't coded becomes DEADLINE_EXCEEDED, CANCELLED, UNAVAILABLE (a
// service behind us is) or INTERNAL, with the error as its cause. From(nil) is nil.
func From(err error) *Error {
	if err == nil {
		return nil
	}
	var coded *Error
	if errors.As(err, &coded) {
		return coded
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return DeadlineExceeded.New("the request took too long").WithCause(err)
	case errors.Is(err, context.Canceled):
		return Cancelled.New("the request was cancelled").WithCause(err)
	}
	switch status.Code(err) {
	case codes.Unavailable, codes.ResourceExhausted:
		return Unavailable.New("a part of the platform is unavailable, try again").WithRetryAfter(time.Second).WithCause(err)
	case codes.DeadlineExceeded:
		return DeadlineExceeded.New("the request took too long").WithCause(err)
	case codes.Canceled:
		return Cancelled.New("the request was cancelled").WithCause(err)
	default:
		return Internal.New("internal error").WithCause(err)
	}
}

// ToStatus translates any error for the wire.
func ToStatus(err error) error {
	if err == nil {
		return nil
	}
	return From(err).Status().Err()
}

// FromRPC takes over the answer of another of our services: a coded refusal stays the coded refusal that it is, with its
// reason, violations and details; anything else is an error to wrap.
func FromRPC(err error) error {
	// Not status.FromError: it makes what the error was wrapped with a part of the message, which callers are told.
	var answer interface{ GRPCStatus() *status.Status }
	if !errors.As(err, &answer) {
		return err
	}
	return FromStatus(answer.GRPCStatus(), err)
}

// FromStatus reads a status that this package wrote; of any other it returns the fallback.
func FromStatus(st *status.Status, fallback error) error {
	coded := &Error{message: st.Message(), cause: nil}
	for _, detail := range st.Details() {
		switch d := detail.(type) {
		case *errdetails.ErrorInfo:
			reason, known := byName[d.GetReason()]
			if d.GetDomain() != Domain || !known || reason.Internal {
				return fallback
			}
			coded.reason, coded.metadata = reason, d.GetMetadata()
		case *errdetails.BadRequest:
			coded.violations = d.GetFieldViolations()
		case *errdetails.RetryInfo:
			coded.retryAfter = d.GetRetryDelay().AsDuration()
		case proto.Message:
			coded.details = append(coded.details, d)
		}
	}
	if coded.reason.Name == "" {
		return fallback
	}
	return coded
}

// Is tells whether an error, ours or one that another of our services answered, has a reason.
func Is(err error, reason Reason) bool {
	var coded *Error
	if errors.As(err, &coded) {
		return coded.reason.Name == reason.Name
	}
	if errors.As(FromRPC(err), &coded) {
		return coded.reason.Name == reason.Name
	}
	return false
}
