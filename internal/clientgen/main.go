// Command clientgen writes the methods of the Go client from the contract: go run ./internal/clientgen api/operations.yaml
// api/client/methods.gen.go. A method of the protos that has a path on REST becomes one of the client's; what it sends and how is in
// package client, once for all of them.
package main

import (
	"bytes"
	"fmt"
	"go/format"
	"maps"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"larder.dev/internal/contract"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: clientgen <operations.yaml> <methods.gen.go>")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "clientgen:", err)
		os.Exit(1)
	}
}

func run(operations, path string) error {
	text, err := os.ReadFile(operations)
	if err != nil {
		return err
	}
	code, err := Methods(text)
	if err != nil {
		return err
	}
	return os.WriteFile(path, code, 0o644)
}

// operation is what the client needs of api/operations.yaml.
type operation struct {
	IdempotencyKey bool     `yaml:"idempotency_key"`
	Bodies         []string `yaml:"bodies"`
}

// Methods is the file of the client's methods. operations is api/operations.yaml. What the client can't call is an error: a name that two
// services have, or a message of a file that has no Go package.
func Methods(operations []byte) ([]byte, error) {
	said := map[string]operation{}
	if err := yaml.Unmarshal(operations, &said); err != nil {
		return nil, fmt.Errorf("read the operations: %w", err)
	}
	var body bytes.Buffer
	imports, names := map[string]string{}, map[string]bool{}
	for _, method := range contract.Public() {
		about := said[method.Operation()]
		if len(about.Bodies) > 0 { // its body is a file: package client has it by hand
			continue
		}
		name := string(method.Name())
		if names[name] {
			return nil, fmt.Errorf("two services have a method %s", name)
		}
		names[name] = true
		in, err := goName(imports, method.Input())
		if err != nil {
			return nil, err
		}
		out, err := goName(imports, method.Output())
		if err != nil {
			return nil, err
		}
		call := "call"
		if about.IdempotencyKey {
			call = "callWithKey"
		}
		verb, path := method.Route()
		fmt.Fprintf(&body, "\n// %s is %s %s.\nfunc (c *Client) %s(ctx context.Context, request *%s, options ...Option) (*%s, error) {\n\treturn %s(ctx, c, %q, request, new(%s), options)\n}\n",
			name, verb, path, name, in, out, call, method.FullName(), out)
	}

	var file bytes.Buffer
	file.WriteString("// Code generated from the protos of api/ and operations.yaml by make generate. DO NOT EDIT.\n\npackage client\n\nimport (\n\t\"context\"\n\n")
	for _, path := range slices.Sorted(maps.Keys(imports)) {
		fmt.Fprintf(&file, "\t%s %q\n", imports[path], path)
	}
	file.WriteString(")\n")
	file.Write(body.Bytes())
	return format.Source(file.Bytes())
}

// goName is a message's name in Go; its package goes into imports.
func goName(imports map[string]string, message protoreflect.MessageDescriptor) (string, error) {
	options, _ := message.ParentFile().Options().(*descriptorpb.FileOptions)
	path, name, named := strings.Cut(options.GetGoPackage(), ";")
	if path == "" {
		return "", fmt.Errorf("%s has no go_package", message.FullName())
	}
	if !named {
		name = path[strings.LastIndex(path, "/")+1:]
	}
	imports[path] = name
	return name + "." + string(message.Name()), nil
}
