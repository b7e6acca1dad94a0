package serve

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"larder.dev/internal/fault"
)

// strictJSON refuses what stands behind the value of a body. The gateway would pass over it.
type strictJSON struct{ runtime.JSONPb }

// NewDecoder implements runtime.Marshaler.
func (s *strictJSON) NewDecoder(r io.Reader) runtime.Decoder {
	decoder := json.NewDecoder(r)
	return runtime.DecoderFunc(func(v any) error {
		if err := (runtime.DecoderWrapper{Decoder: decoder, UnmarshalOptions: s.UnmarshalOptions}).Decode(v); err != nil {
			return err
		}
		switch _, err := decoder.Token(); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		default:
			return errors.New("more than one value")
		}
	})
}

// query says which query parameters a route takes: the fields of its request that come neither by path nor by body.
type query struct {
	message protoreflect.MessageDescriptor
	// bound are fields that come otherwise; "*" is all.
	bound []string
}

// takes tells whether a parameter, by names of the proto or of JSON, is a field of the request.
func (q query) takes(parameter string) bool {
	name, _, _ := strings.Cut(parameter, "[") // the key of a map's entry
	message := q.message
	for i, part := range strings.Split(name, ".") {
		if message == nil {
			return false
		}
		field := message.Fields().ByTextName(part)
		if field == nil {
			field = message.Fields().ByJSONName(part)
		}
		if field == nil || i == 0 && (slices.Contains(q.bound, "*") || slices.Contains(q.bound, field.TextName())) {
			return false
		}
		message = field.Message()
	}
	return true
}

// queriesOf reads the queries of a service's routes, by verb and path.
func queriesOf(service string) (map[string]query, error) {
	methods, err := methodsOf(service)
	if err != nil {
		return nil, err
	}
	queries := map[string]query{}
	for i := range methods.Len() {
		method := methods.Get(i)
		stated, ok := proto.GetExtension(method.Options(), annotations.E_Http).(*annotations.HttpRule)
		if !ok || stated == nil {
			continue
		}
		for _, binding := range append([]*annotations.HttpRule{stated}, stated.GetAdditionalBindings()...) {
			route := routeOf(binding)
			q := query{message: method.Input()}
			if body := binding.GetBody(); body != "" {
				q.bound = append(q.bound, body)
			}
			for _, variable := range variables.FindAllStringSubmatch(route, -1) {
				q.bound = append(q.bound, variable[1])
			}
			queries[route] = q
		}
	}
	return queries, nil
}

var variables = regexp.MustCompile(`\{([a-z0-9_]+)`)

// routeOf is the verb and path of a binding: "GET /v1/carts/{cart_id}".
func routeOf(binding *annotations.HttpRule) string {
	switch pattern := binding.GetPattern().(type) {
	case *annotations.HttpRule_Get:
		return "GET " + pattern.Get
	case *annotations.HttpRule_Put:
		return "PUT " + pattern.Put
	case *annotations.HttpRule_Post:
		return "POST " + pattern.Post
	case *annotations.HttpRule_Delete:
		return "DELETE " + pattern.Delete
	case *annotations.HttpRule_Patch:
		return "PATCH " + pattern.Patch
	case *annotations.HttpRule_Custom:
		return pattern.Custom.GetKind() + " " + pattern.Custom.GetPath()
	}
	return ""
}

// strictQueries refuses query parameters that a route doesn't take, once or at all. The gateway would pass over them, and answer
// another question than the caller asked. The queries are those of routes that are registered later, too.
func strictQueries(queries map[string]query) runtime.Middleware {
	return func(next runtime.HandlerFunc) runtime.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request, path map[string]string) {
			values, err := url.ParseQuery(r.URL.RawQuery)
			if err != nil {
				WriteError(w, r, fault.Invalid("query", "malformed"))
				return
			}
			pattern, _ := runtime.HTTPPattern(r.Context())
			q := queries[r.Method+" "+strings.ReplaceAll(pattern.String(), "=*}", "}")] // so the gateway writes a variable of one segment
			for _, name := range slices.Sorted(maps.Keys(values)) {
				if !q.takes(name) {
					WriteError(w, r, noSuchParameter(name))
					return
				}
			}
			next(w, r, path)
		}
	}
}

// NoQuery refuses any query parameter, as the gateway does with those that a method doesn't take. Errors: INVALID_ARGUMENT.
func NoQuery(r *http.Request) error {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return fault.Invalid("query", "malformed")
	}
	if names := slices.Sorted(maps.Keys(values)); len(names) > 0 {
		return noSuchParameter(names[0])
	}
	return nil
}

func noSuchParameter(name string) error {
	return fault.Invalid(strings.ToValidUTF8(name, "?"), "no such parameter")
}
