// Command openapi completes api/openapi.yaml: go run ./internal/openapi api/openapi.yaml. protoc-gen-openapi, which knows the protos'
// comments, writes paths, parameters and messages; what is true of the REST side beyond that is added here:
//
//   - the limits of every field, from the rules of the proto that the services validate by (rules.go)
//   - every status that an operation answers, with its reasons, and the errors' real form (refusals.go)
//   - who may call, from the access rules; Idempotency-Key, examples and other content types, from api/operations.yaml
//   - one template a path: the protos name a path's variable now brand_id, now brand.brand_id
//
// make generate runs it behind the generator; a check holds what is committed against both.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/getkin/kin-openapi/openapi3" // reads, writes and validates OpenAPI 3; the only one kept up in Go
	"go.yaml.in/yaml/v3"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: openapi <openapi.yaml> <operations.yaml>")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "openapi:", err)
		os.Exit(1)
	}
}

func run(path, operations string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	said, err := os.ReadFile(operations)
	if err != nil {
		return err
	}
	complete, err := Complete(text, said)
	if err != nil {
		return err
	}
	return os.WriteFile(path, complete, 0o644)
}

// header stands before the description; arch_test.go knows generated files by it.
const header = "# Generated from the protos of this folder and operations.yaml by make generate. DO NOT EDIT.\n\n"

// Complete makes the whole description of what protoc-gen-openapi has written and of api/operations.yaml. What isn't valid by
// OpenAPI's own rules, an example against its schema included, is an error.
func Complete(generated, operations []byte) ([]byte, error) {
	doc, err := openapi3.NewLoader().LoadFromData(generated)
	if err != nil {
		return nil, fmt.Errorf("read the generated description: %w", err)
	}
	if doc.Info == nil || doc.Components == nil {
		return nil, errors.New("the generated description is empty")
	}
	said := map[string]operation{}
	if err := yaml.Unmarshal(operations, &said); err != nil {
		return nil, fmt.Errorf("read the operations: %w", err)
	}
	methods, messages := described()

	onePathEach(doc)
	doc.Info.Description = about
	doc.Servers = openapi3.Servers{{URL: "/", Description: "Where this description is served."}}
	describeErrors(doc)
	doc.Components.SecuritySchemes = openapi3.SecuritySchemes{accessToken: {Value: openapi3.NewJWTSecurityScheme().
		WithDescription("The access token of POST /v1/sessions, 15 minutes long. Send it as `Authorization: Bearer ...`.")}}
	for name, ref := range doc.Components.Schemas {
		if message, ok := messages[name]; ok {
			limitMessage(ref.Value, message)
		}
	}
	for path, item := range doc.Paths.Map() {
		for verb, op := range item.Operations() {
			method, ok := methods[op.OperationID]
			if !ok {
				return nil, fmt.Errorf("%s %s: no method %s with a path in the protos", verb, path, op.OperationID)
			}
			if err := finish(doc, path, op, method, said[op.OperationID]); err != nil {
				return nil, fmt.Errorf("%s: %w", op.OperationID, err)
			}
			delete(said, op.OperationID)
		}
	}
	for name := range said {
		return nil, fmt.Errorf("operations.yaml has %s, which isn't in the protos", name)
	}
	strict(doc, messages)

	text, err := yaml.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("write the description: %w", err)
	}
	// Read again, as a reader does: references have to lead somewhere.
	written, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		return nil, fmt.Errorf("read what was written: %w", err)
	}
	if err := written.Validate(context.Background()); err != nil {
		return nil, fmt.Errorf("the description isn't valid: %w", err)
	}
	return append([]byte(header), text...), nil
}

// onePathEach joins /v1/brands/{brand.brand_id} to /v1/brands/{brand_id}: to OpenAPI they are the same path, which may stand there once.
func onePathEach(doc *openapi3.T) {
	for path, item := range doc.Paths.Map() {
		short := template.ReplaceAllString(path, "{$1}")
		if short == path {
			continue
		}
		doc.Paths.Delete(path)
		for _, op := range item.Operations() {
			for _, p := range op.Parameters {
				if p.Value.In == openapi3.ParameterInPath {
					p.Value.Name = p.Value.Name[strings.LastIndex(p.Value.Name, ".")+1:]
				}
			}
		}
		into := doc.Paths.Value(short)
		if into == nil {
			doc.Paths.Set(short, item)
			continue
		}
		for verb, op := range item.Operations() {
			into.SetOperation(verb, op)
		}
	}
}
