package main

import (
	"regexp"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/reflect/protoreflect"

	accesspb "larder.dev/api/access/v1"
	"larder.dev/internal/contract"
)

// accessToken is the one security scheme's name.
const accessToken = "access_token"

const about = `Groceries from search to doorstep. docs/api.md is a tour of it, docs/errors.md explains every reason of refusal.

Money is in minor units. 64-bit integers are strings in answers; requests may send numbers or strings. Times are RFC 3339. Unknown
fields and parameters are refused. Text has no control characters but tab and line ends.

Etags: an etag goes back as the field or parameter etag, and the change is made only if the resource still has it, else the answer is 412
ETAG_MISMATCH. If-Match is not read.`

// operation is what api/operations.yaml says of one.
type operation struct {
	// Refuses are the reasons of refusal that are the operation's own.
	Refuses        []string `yaml:"refuses"`
	IdempotencyKey bool     `yaml:"idempotency_key"`
	// Bodies are the content types of a body that is a file, in the place of JSON.
	Bodies []string `yaml:"bodies"`
	// Streams is the content type that a request may accept in the place of JSON, to be told what is still to come.
	Streams string `yaml:"streams"`
	// Example is one of the body.
	Example any `yaml:"example"`
}

// described is every method with a path by operation id, and by the name of its schema every message that one takes or gives. Another
// message may have the same name.
func described() (map[string]contract.Method, map[string]protoreflect.MessageDescriptor) {
	methods, messages := map[string]contract.Method{}, map[string]protoreflect.MessageDescriptor{}
	for _, method := range contract.Public() {
		methods[method.Operation()] = method
		collect(messages, method.Input())
		collect(messages, method.Output())
	}
	return methods, messages
}

// collect adds a message and all that its fields have.
func collect(into map[string]protoreflect.MessageDescriptor, message protoreflect.MessageDescriptor) {
	if !strings.HasPrefix(string(message.FullName()), "larder.") {
		return
	}
	name := strings.ReplaceAll(strings.TrimPrefix(string(message.FullName()), string(message.ParentFile().Package())+"."), ".", "_")
	if _, known := into[name]; known {
		return
	}
	into[name] = message
	for i := range message.Fields().Len() {
		if of := message.Fields().Get(i).Message(); of != nil {
			collect(into, of)
		}
	}
}

var template = regexp.MustCompile(`\{(?:[a-z_]+\.)*([a-z_]+)\}`)

// finish completes one operation.
func finish(doc *openapi3.T, path string, op *openapi3.Operation, method contract.Method, said operation) error {
	for _, p := range op.Parameters {
		limitParameter(p.Value, method.Input(), method.HTTP.GetBody())
	}
	if said.IdempotencyKey {
		op.AddParameter(openapi3.NewHeaderParameter("Idempotency-Key").WithRequired(true).
			WithDescription("New for each intention. The same key and request again give the same answer, and nothing is done twice.").
			WithSchema(openapi3.NewStringSchema().WithPattern("^[A-Za-z0-9_-]{8,100}$")))
	}
	if op.RequestBody != nil {
		finishBody(doc, path, op.RequestBody.Value, method.HTTP, said)
	}
	finishCallers(op, method.Rule)
	done := op.Responses.Value("200").Value
	done.Description = new("Done.")
	if said.Streams != "" {
		done.Content[said.Streams] = openapi3.NewMediaType().WithSchema(openapi3.NewStringSchema())
	}
	reasons, err := refusals(path, op, method.Rule, said)
	if err != nil {
		return err
	}
	answers(doc, op, reasons)
	return nil
}

const schemas = "#/components/schemas/"

// finishBody leaves out of a body what its path says, and adds the example, or the content types of a file.
func finishBody(doc *openapi3.T, path string, body *openapi3.RequestBody, route *annotations.HttpRule, said operation) {
	json := body.Content["application/json"]
	if len(said.Bodies) > 0 {
		body.Content = openapi3.Content{}
		for _, kind := range said.Bodies {
			body.Content[kind] = openapi3.NewMediaType().WithSchema(openapi3.NewStringSchema())
		}
		return
	}
	switch name := strings.TrimPrefix(json.Schema.Ref, schemas); {
	case route.GetBody() == "*": // the request itself, which has its schema to itself
		schema := doc.Components.Schemas[name].Value
		for _, variable := range template.FindAllStringSubmatch(path, -1) {
			delete(schema.Properties, variable[1])
			schema.Required = slices.DeleteFunc(schema.Required, func(field string) bool { return field == variable[1] })
		}
	case route.GetPatch() != "": // some fields of a resource
		change := *doc.Components.Schemas[name].Value
		change.Required = nil
		doc.Components.Schemas[name+"Change"] = openapi3.NewSchemaRef("", &change)
		json.Schema = openapi3.NewSchemaRef(schemas+name+"Change", &change)
	}
	if said.Example != nil {
		json.Example = said.Example
	}
	body.Content = openapi3.Content{"application/json": json}
}

// finishCallers says who may call.
func finishCallers(op *openapi3.Operation, access *accesspb.Rule) {
	var roles []string
	anyone := false
	for _, caller := range access.GetCallers() {
		switch caller {
		case accesspb.Caller_CALLER_ANYONE:
			anyone = true
		case accesspb.Caller_CALLER_SHOPPER:
			roles = append(roles, "anybody who is signed in")
		default:
			roles = append(roles, "the role "+strings.ToLower(strings.TrimPrefix(caller.String(), "CALLER_")))
		}
	}
	op.Security = &openapi3.SecurityRequirements{{accessToken: {}}}
	if anyone {
		op.Security = &openapi3.SecurityRequirements{{}, {accessToken: {}}}
		return
	}
	op.Description = strings.TrimSpace(op.Description + "\n\nFor " + strings.Join(roles, " or ") + ".")
}
