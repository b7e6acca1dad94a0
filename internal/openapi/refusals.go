package main

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	accesspb "larder.dev/api/access/v1"
	"larder.dev/internal/fault"
)

// Reasons that operations have by their form.
var (
	always = []string{ // validation, limits, and what may be away
		fault.InvalidArgument.Name, fault.Overloaded.Name, fault.RateLimited.Name, fault.Internal.Name, fault.Unavailable.Name, fault.DeadlineExceeded.Name,
	}
	withToken = []string{fault.Unauthenticated.Name, fault.TokenExpired.Name}
	withBody  = []string{fault.RequestTooLarge.Name, fault.UnsupportedMediaType.Name}
	// A variable that isn't as it must be can make another path of it.
	withVariable = []string{fault.RouteNotFound.Name, fault.MethodNotAllowed.Name}
	withKey      = []string{fault.IdempotencyKeyRequired.Name, fault.IdempotencyKeyReused.Name}
)

// refusals are the reasons that an operation may answer, by HTTP status.
func refusals(path string, op *openapi3.Operation, access *accesspb.Rule, said operation) (map[int][]string, error) {
	names := slices.Concat(always, said.Refuses)
	anyone := slices.Contains(access.GetCallers(), accesspb.Caller_CALLER_ANYONE)
	if !anyone || access.GetTokenMustHold() {
		names = append(names, withToken...)
	}
	if !anyone && !slices.Contains(access.GetCallers(), accesspb.Caller_CALLER_SHOPPER) {
		names = append(names, fault.PermissionDenied.Name)
	}
	if op.RequestBody != nil {
		names = append(names, withBody...)
	}
	if strings.Contains(path, "{") {
		names = append(names, withVariable...)
	}
	if said.IdempotencyKey {
		names = append(names, withKey...)
	}
	slices.Sort(names)
	byStatus := map[int][]string{}
	for _, name := range slices.Compact(names) {
		reason, ok := fault.All()[name]
		if !ok {
			return nil, fmt.Errorf("there is no reason %s", name)
		}
		byStatus[reason.HTTP] = append(byStatus[reason.HTTP], name)
	}
	return byStatus, nil
}

// answers writes them into an operation: one response a status, whose x-reasons programs can read. Operations share those that are alike.
func answers(doc *openapi3.T, op *openapi3.Operation, byStatus map[int][]string) {
	op.Responses.Delete("default")
	for status, reasons := range byStatus {
		name := strings.Join(reasons, ".")
		if doc.Components.Responses[name] == nil {
			doc.Components.Responses[name] = &openapi3.ResponseRef{Value: answer(status, reasons)}
		}
		op.Responses.Set(strconv.Itoa(status), &openapi3.ResponseRef{Ref: "#/components/responses/" + name})
	}
}

func answer(status int, reasons []string) *openapi3.Response {
	lines := make([]string, 0, len(reasons))
	for _, name := range reasons {
		lines = append(lines, name+": "+fault.All()[name].Help)
	}
	response := openapi3.NewResponse().WithDescription(strings.Join(lines, "\n\n")).WithJSONSchemaRef(openapi3.NewSchemaRef(errorRef, nil))
	response.Extensions = map[string]any{"x-reasons": reasons}
	switch status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		response.Headers = openapi3.Headers{"Retry-After": {Ref: "#/components/headers/Retry-After"}}
	case http.StatusUnauthorized:
		response.Headers = openapi3.Headers{"WWW-Authenticate": {Ref: "#/components/headers/WWW-Authenticate"}}
	}
	return response
}

const errorRef = schemas + "Error"

// describeErrors adds the errors' real form (AIP-193). The generated Status is what gRPC answers; here it stands only inside a checkout.
func describeErrors(doc *openapi3.T) {
	text := openapi3.NewStringSchema
	detail := openapi3.NewObjectSchema().WithProperty("@type", text().WithPattern(`^type\.googleapis\.com/`)).WithAnyAdditionalProperties()
	detail.Required = []string{"@type"}
	detail.Description = "One of google.rpc.ErrorInfo (reason, domain, metadata), google.rpc.BadRequest (field_violations), google.rpc.RetryInfo " +
		"(retry_delay), and the details of larder.checkout.v1. The first is an ErrorInfo, always."
	inner := openapi3.NewObjectSchema().
		WithProperty("code", openapi3.NewIntegerSchema().WithMin(400).WithMax(599)).
		WithProperty("status", text().WithPattern("^[A-Z_]+$")).
		WithProperty("message", text()).
		WithProperty("details", openapi3.NewArraySchema().WithItems(detail).WithMinItems(1))
	inner.Properties["code"].Value.Description = "The HTTP status."
	inner.Properties["status"].Value.Description = "The gRPC code."
	inner.Properties["message"].Value.Description = "For people; it may change."
	inner.Required = []string{"code", "status", "message", "details"}
	outer := openapi3.NewObjectSchema().WithProperty("error", inner)
	outer.Required = []string{"error"}
	outer.Description = "Every refusal. Decide by the reason of the detail google.rpc.ErrorInfo; docs/errors.md explains each."
	outer.Example = map[string]any{"error": map[string]any{
		"code": 412, "status": "ABORTED", "message": "the cart has changed since it was read",
		"details": []any{map[string]any{
			"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "ETAG_MISMATCH", "domain": fault.Domain, "metadata": map[string]any{},
		}},
	}}
	doc.Components.Schemas["Error"] = openapi3.NewSchemaRef("", outer)
	doc.Components.Responses = openapi3.ResponseBodies{}
	doc.Components.Headers = openapi3.Headers{
		"Retry-After":      headerOf("Seconds until it makes sense to try again.", openapi3.NewIntegerSchema().WithMin(1)),
		"WWW-Authenticate": headerOf("Bearer.", openapi3.NewStringSchema()),
	}
}

func headerOf(description string, schema *openapi3.Schema) *openapi3.HeaderRef {
	h := openapi3.Header{}
	h.Description, h.Schema = description, openapi3.NewSchemaRef("", schema)
	return &openapi3.HeaderRef{Value: &h}
}
