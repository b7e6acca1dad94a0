package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"larder.dev/internal/fault"
)

var (
	marshal   = protojson.MarshalOptions{UseProtoNames: true, EmitDefaultValues: true}
	unmarshal = protojson.UnmarshalOptions{} // unknown fields are refused
)

// newGateway translates REST to calls of the same server: google.api.http on the way in, AIP-193 errors on the way out.
// It takes the query parameters of these queries only, and no other method or verb than the request's line says.
func newGateway(queries map[string]query) *runtime.ServeMux {
	return runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, &strictJSON{runtime.JSONPb{MarshalOptions: marshal, UnmarshalOptions: unmarshal}}),
		runtime.WithMiddlewares(strictQueries(queries)),
		runtime.WithDisablePathLengthFallback(), // a POST of a form as a GET
		runtime.WithDisableHTTPMethodOverride(),
		runtime.WithIncomingHeaderMatcher(incomingHeader),
		runtime.WithOutgoingHeaderMatcher(outgoingHeader),
		runtime.WithErrorHandler(writeError),
		runtime.WithRoutingErrorHandler(routingError),
		runtime.WithMetadata(func(context.Context, *http.Request) metadata.MD { return nil }),
	)
}

// incomingHeader lets through what a method may read; a service's token is taken by gRPC only.
func incomingHeader(name string) (string, bool) {
	switch strings.ToLower(name) {
	case "authorization", "idempotency-key", "x-request-id", "traceparent", "tracestate", "if-match":
		return strings.ToLower(name), true
	}
	return "", false
}

// outgoingHeader lets no metadata out: the one that is set, the request id, is on the answer already.
func outgoingHeader(string) (string, bool) { return "", false }

// CallContext is the context of a call that a handler of plain HTTP makes for a request: with the headers that the gateway would pass on.
func CallContext(r *http.Request) context.Context {
	md := metadata.MD{}
	for name, values := range r.Header {
		if key, passed := incomingHeader(name); passed {
			md[key] = values
		}
	}
	return metadata.NewOutgoingContext(r.Context(), md)
}

// Decode reads the JSON form of a message as the gateway does. Errors: INVALID_ARGUMENT with the field, "body" for the whole.
func Decode(text []byte, into proto.Message) error {
	if err := unmarshal.Unmarshal(text, into); err != nil {
		field, description := decodeFault(err.Error())
		return fault.Invalid(field, "%s", description)
	}
	return nil
}

// Encode writes the JSON form of a message as the gateway does, on one line.
func Encode(message proto.Message) ([]byte, error) {
	text, err := marshal.Marshal(message)
	if err != nil {
		return nil, fmt.Errorf("encode a message: %w", err)
	}
	return text, nil
}

// WriteMessage answers a message on REST outside of the gateway.
func WriteMessage(w http.ResponseWriter, r *http.Request, message proto.Message) {
	body, err := marshal.Marshal(message)
	if err != nil {
		WriteError(w, r, fmt.Errorf("encode an answer: %w", err))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body) // the caller is gone: nobody is left to tell
}

// NameRequest gives a REST request its id before anything can go wrong with it; the interceptors take it over. RequestID has it of the
// returned request's context.
func NameRequest(w http.ResponseWriter, r *http.Request) *http.Request {
	id := validRequestID(r.Header.Get("X-Request-Id"))
	r.Header.Set("X-Request-Id", id)
	w.Header().Set("X-Request-Id", id)
	return r.WithContext(context.WithValue(r.Context(), requestIDKey{}, id))
}

// limitBody refuses bodies that are too large or no JSON before they are read, and gives up on those that take too long to come.
func limitBody(limit int64, patience time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength > limit {
			WriteError(w, r, fault.RequestTooLarge.New("the body may have %d bytes", limit))
			return
		}
		if r.ContentLength != 0 {
			if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); r.Header.Get("Content-Type") != "" && (err != nil || kind != "application/json") {
				WriteError(w, r, fault.UnsupportedMediaType.New("the body must be application/json"))
				return
			}
		}
		if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(patience)); err != nil {
			slog.DebugContext(r.Context(), "set a deadline", "error", err) // of tests without a connection
		}
		r.Body = http.MaxBytesReader(w, r.Body, limit)
		next.ServeHTTP(w, r)
	})
}

// WriteError answers an error on REST outside of the gateway.
func WriteError(w http.ResponseWriter, r *http.Request, err error) {
	writeError(r.Context(), nil, nil, w, r, fault.ToStatus(err))
}

func routingError(ctx context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, code int) {
	refusal := fault.RouteNotFound.New("there is no %s", r.URL.Path)
	switch code {
	case http.StatusMethodNotAllowed:
		refusal = fault.MethodNotAllowed.New("%s doesn't take %s", r.URL.Path, r.Method)
	case http.StatusBadRequest:
		refusal = fault.InvalidArgument.New("the path is malformed")
	}
	writeError(ctx, nil, nil, w, r, fault.ToStatus(refusal))
}

// writeError answers {"error": {"code", "message", "status", "details"}}, the JSON form of google.rpc.Status after AIP-193.
func writeError(ctx context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, err error) {
	st := coded(err)
	httpStatus := runtime.HTTPStatusFromCode(st.Code())
	for _, detail := range st.Details() {
		switch d := detail.(type) {
		case *errdetails.ErrorInfo:
			if reason, ok := fault.All()[d.GetReason()]; ok {
				httpStatus = reason.HTTP
			}
		case *errdetails.RetryInfo:
			seconds := (d.GetRetryDelay().AsDuration() + 999_999_999).Truncate(1_000_000_000).Seconds()
			w.Header().Set("Retry-After", strconv.Itoa(int(seconds)))
		}
	}
	if httpStatus == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	body, err := errorBody(st, httpStatus)
	if err != nil {
		slog.ErrorContext(ctx, "encode an error", "error", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(httpStatus)
	_, _ = w.Write(body) // the caller is gone: nobody is left to tell
}

func errorBody(st *status.Status, httpStatus int) ([]byte, error) {
	details := make([]json.RawMessage, 0, len(st.Proto().GetDetails()))
	for _, detail := range st.Proto().GetDetails() {
		text, err := marshal.Marshal(detail)
		if err != nil {
			return nil, fmt.Errorf("encode %s: %w", detail.GetTypeUrl(), err)
		}
		details = append(details, text)
	}
	return json.Marshal(map[string]any{"error": map[string]any{
		"code": httpStatus, "status": statusName(st.Code()), "message": st.Message(), "details": details,
	}})
}

// coded gives errors of the gateway itself (a body that can't be decoded) their reason and field.
func coded(err error) *status.Status {
	st := status.Convert(err)
	for _, detail := range st.Details() {
		if _, ok := detail.(*errdetails.ErrorInfo); ok {
			return st
		}
	}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge) || strings.Contains(st.Message(), "request body too large"):
		return fault.RequestTooLarge.New("the body is too large").Status()
	case strings.Contains(st.Message(), "i/o timeout"):
		return fault.DeadlineExceeded.New("the body didn't come in time").Status()
	case st.Code() == codes.InvalidArgument:
		field, description := decodeFault(st.Message())
		return fault.Invalid(field, "%s", description).Status()
	default:
		return fault.From(err).Status()
	}
}

var (
	unknownField  = regexp.MustCompile(`unknown field "([^"]+)"`)
	givenTwice    = regexp.MustCompile(`duplicate field "?([^"\s]+)"?`)
	syntaxError   = regexp.MustCompile(`\(line (\d+:\d+)\)`)
	invalidValue  = regexp.MustCompile(`invalid value for (\S+) field (\S+?):`)
	pathParameter = regexp.MustCompile(`type mismatch, parameter: ([A-Za-z0-9_.]+)`)
	queryField    = regexp.MustCompile(`(?:parsing field|values for field) "([^"]+)"`)
)

// decodeFault finds the field in a decoder's message. protojson words its errors for people only and keeps no structure.
func decodeFault(message string) (field, description string) {
	message = strings.ReplaceAll(message, "\u00a0", " ") // protojson varies its spaces on purpose
	if m := unknownField.FindStringSubmatch(message); m != nil {
		return m[1], "no such field"
	}
	if m := givenTwice.FindStringSubmatch(message); m != nil {
		return m[1], "given twice"
	}
	if m := invalidValue.FindStringSubmatch(message); m != nil {
		return snake(strings.Trim(m[2], `"`)), "not a valid " + m[1] // protojson names the field as it doesn't write it
	}
	if m := pathParameter.FindStringSubmatch(message); m != nil {
		return m[1], "malformed"
	}
	if m := queryField.FindStringSubmatch(message); m != nil {
		return m[1], "malformed"
	}
	if m := syntaxError.FindStringSubmatch(message); m != nil {
		return "body", "not valid JSON for this method at " + m[1]
	}
	return "body", "not valid JSON for this method"
}

// statusName is the upper-snake name of a gRPC code ("NOT_FOUND").
func statusName(code codes.Code) string {
	if code == codes.Canceled {
		return "CANCELLED"
	}
	return strings.ToUpper(snake(code.String()))
}

// snake makes tax_rate_bps of taxRateBps.
func snake(camel string) string {
	var name strings.Builder
	for i, r := range camel {
		if i > 0 && r >= 'A' && r <= 'Z' {
			name.WriteByte('_')
		}
		name.WriteRune(r)
	}
	return strings.ToLower(name.String())
}
