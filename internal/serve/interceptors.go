package serve

import (
	"context"
	"errors"
	"log/slog"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"buf.build/go/protovalidate"
	"github.com/google/uuid"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	codepb "google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc"
	grpccodes "google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"larder.dev/internal/fault"
	"larder.dev/internal/identity"
	"larder.dev/internal/telemetry"
)

// chain is every interceptor in the order in which a request meets them. It is the same for gRPC and for REST, which
// calls the same server in the process.
func (a *App) chain() []grpc.UnaryServerInterceptor {
	return []grpc.UnaryServerInterceptor{
		requestID, tracing, panics, a.identity, a.rates.limit, a.admit, a.deadline, a.validation, errorsOf,
	}
}

// parts is the chain of calls that are parts of one request, which counts once however many they are.
func (a *App) parts() []grpc.UnaryServerInterceptor {
	return []grpc.UnaryServerInterceptor{
		requestID, tracing, panics, a.identity, a.admit, a.deadline, a.validation, errorsOf,
	}
}

// chained makes one interceptor of many, the first outermost, for the in-process channel, which takes only one.
func chained(chain []grpc.UnaryServerInterceptor) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		for _, interceptor := range slices.Backward(chain) {
			inner := next
			next = func(ctx context.Context, req any) (any, error) { return interceptor(ctx, req, info, inner) }
		}
		return next(ctx, req)
	}
}

// noStreams refuses streaming methods: the chain is for unary ones, and none may go past it.
func noStreams(any, grpc.ServerStream, *grpc.StreamServerInfo, grpc.StreamHandler) error {
	return fault.ToStatus(fault.PermissionDenied.New("nobody may call this method"))
}

type requestIDKey struct{}

// RequestID returns the request's id, empty outside of one.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

var requestIDForm = regexp.MustCompile(`^[A-Za-z0-9_.:-]{1,128}$`)

// validRequestID takes over a caller's id, or makes one.
func validRequestID(given string) string {
	if requestIDForm.MatchString(given) {
		return given
	}
	return uuid.NewString()
}

// requestID takes over the caller's id or makes one, and answers it.
func requestID(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	id := validRequestID(header(ctx, "x-request-id"))
	ctx = context.WithValue(ctx, requestIDKey{}, id)
	if err := grpc.SetHeader(ctx, metadata.Pairs("x-request-id", id)); err != nil {
		slog.DebugContext(ctx, "set header", "error", err)
	}
	return next(ctx, req)
}

var tracer = otel.Tracer("larder.dev/internal/serve")

// spanStarts has each method's name and options of its spans, made once: with a new set a request, a span that isn't recorded would cost
// most of what one that is does.
var spanStarts sync.Map // by full method: *spanStart

type spanStart struct {
	name    string
	options []trace.SpanStartOption
}

func startOf(fullMethod string) *spanStart {
	if known, ok := spanStarts.Load(fullMethod); ok {
		return known.(*spanStart) //nolint:errcheck,forcetypeassert // the map holds nothing else
	}
	name := strings.TrimPrefix(fullMethod, "/")
	made, _ := spanStarts.LoadOrStore(fullMethod, &spanStart{name, []trace.SpanStartOption{
		trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(semconv.RPCSystemNameGRPC, semconv.RPCMethod(name)),
	}})
	return made.(*spanStart) //nolint:errcheck,forcetypeassert // as above
}

// tracing continues the caller's trace and measures the method, by OpenTelemetry's semantic conventions for RPC.
func tracing(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	began, start := time.Now(), startOf(info.FullMethod)
	md, _ := metadata.FromIncomingContext(ctx)
	ctx, span := tracer.Start(telemetry.Propagator.Extract(ctx, carrier(md)), start.name, start.options...)
	defer span.End()
	answer, err := next(ctx, req)
	outcome := codepb.Code(status.Code(err)).String() //nolint:gosec // gRPC's codes are from 0 to 16
	if span.IsRecording() {
		span.SetAttributes(semconv.RPCResponseStatusCode(outcome))
		if ours(err) {
			span.SetAttributes(semconv.ErrorTypeKey.String(outcome))
			span.SetStatus(codes.Error, outcome)
		}
	}
	telemetry.ServerCalls.Since(ctx, began, start.name, outcome)
	return answer, err
}

// panics turns a panic into INTERNAL; the process goes on.
func panics(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (answer any, err error) {
	defer func() {
		if p := recover(); p != nil {
			slog.ErrorContext(ctx, "panic", "method", info.FullMethod, "panic", p, "stack", string(debug.Stack()))
			err = fault.ToStatus(fault.Internal.New("internal error"))
		}
	}()
	return next(ctx, req)
}

// identity finds out who calls and whether the method's rule lets them.
func (a *App) identity(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	ctx, err := a.authorize(ctx, info.FullMethod)
	if err != nil {
		return nil, fault.ToStatus(err)
	}
	return next(ctx, req)
}

func (a *App) authorize(ctx context.Context, method string) (context.Context, error) {
	rule, known := a.rules[method]
	if !known {
		return nil, fault.PermissionDenied.New("nobody may call this method")
	}
	var caller identity.Caller
	var invalid error
	if token := header(ctx, identity.ServiceTokenHeader); token != "" {
		caller.Service, invalid = a.verifier.Service(ctx, token)
	}
	if given := header(ctx, "authorization"); given != "" && invalid == nil {
		var person identity.Caller
		token, ok := strings.CutPrefix(given, "Bearer ")
		if !ok {
			invalid = fault.Unauthenticated.New("the header Authorization must be Bearer and an access token")
		} else if person, invalid = a.verifier.Person(ctx, token); invalid == nil {
			caller.UserID, caller.SessionID, caller.Roles = person.UserID, person.SessionID, person.Roles
			ctx = identity.WithAccessToken(ctx, token)
		}
	}
	ctx = identity.WithCaller(ctx, caller)
	switch {
	case invalid != nil && rule.held:
		return nil, invalid
	case rule.admits(caller):
		return ctx, nil
	case invalid != nil:
		return nil, invalid
	case caller.UserID == "" && caller.Service == "":
		return nil, fault.Unauthenticated.New("this method needs an access token")
	default:
		return nil, fault.PermissionDenied.New("your role doesn't allow this method")
	}
}

// deadline bounds each request; a caller's shorter deadline stays.
func (a *App) deadline(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, a.config.RequestTimeout)
	defer cancel()
	return next(ctx, req)
}

// validation holds a request against the rules of its proto.
func (a *App) validation(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if message, ok := req.(proto.Message); ok {
		if err := Validate(a.validator, message); err != nil {
			return nil, fault.ToStatus(err)
		}
	}
	return next(ctx, req)
}

// Validate answers INVALID_ARGUMENT with every violated field, or with the first one that has control characters.
func Validate(validator protovalidate.Validator, message proto.Message) error {
	err := validator.Validate(message)
	if err == nil {
		return plainText(message)
	}
	var violated *protovalidate.ValidationError
	if !errors.As(err, &violated) {
		return fault.Internal.New("internal error").WithCause(err)
	}
	refusal := fault.InvalidArgument.New("the request has invalid fields")
	for _, v := range violated.Violations {
		refusal = refusal.WithViolation(protovalidate.FieldPathString(v.Proto.GetField()), v.Proto.GetMessage())
	}
	return refusal
}

// errorsOf translates errors for the wire and logs, once, those that are our fault.
func errorsOf(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	answer, err := next(ctx, req)
	if err == nil {
		return answer, nil
	}
	coded := fault.From(err)
	if coded.Reason().HTTP >= 500 {
		slog.ErrorContext(ctx, "request failed", "method", info.FullMethod, "reason", coded.Reason().Name, "error", err.Error())
	} else {
		slog.DebugContext(ctx, "request refused", "method", info.FullMethod, "reason", coded.Reason().Name, "error", err.Error())
	}
	return nil, coded.Status().Err()
}

// ours tells whether a translated error is a fault of the platform.
func ours(err error) bool {
	switch status.Code(err) {
	case grpccodes.Internal, grpccodes.Unavailable, grpccodes.DeadlineExceeded, grpccodes.Unknown:
		return true
	default:
		return false
	}
}

func headers(ctx context.Context, name string) []string {
	return metadata.ValueFromIncomingContext(ctx, name)
}

func header(ctx context.Context, name string) string {
	if values := headers(ctx, name); len(values) > 0 {
		return values[0]
	}
	return ""
}

// carrier lets the propagator read and write gRPC metadata.
type carrier metadata.MD

func (c carrier) Get(key string) string {
	if values := metadata.MD(c).Get(key); len(values) > 0 {
		return values[0]
	}
	return ""
}
func (c carrier) Set(key, value string) { metadata.MD(c).Set(key, value) }
func (c carrier) Keys() []string {
	keys := make([]string, 0, len(c))
	for key := range c {
		keys = append(keys, key)
	}
	return keys
}
