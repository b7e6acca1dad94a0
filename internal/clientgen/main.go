// Command clientgen writes the methods of the Go client from the contract: go run ./internal/clientgen api/operations.yaml
// api/client/methods.gen.go. A method of the protos that has a path on REST becomes one of the client's; what it sends and how is in
// package client, once for all of them.
package main

import (
	"bytes"
	"cmp"
	"fmt"
	"go/format"
	"maps"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	_ "larder.dev/api/cart/v1"
	_ "larder.dev/api/checkout/v1"
	_ "larder.dev/api/order/v1"
	_ "larder.dev/api/payment/v1"
	_ "larder.dev/api/product/v1"
	_ "larder.dev/api/search/v1"
	_ "larder.dev/api/stock/v1"
	_ "larder.dev/api/user/v1"
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
	for _, method := range methods() {
		about := said[string(method.Parent().Name())+"_"+string(method.Name())]
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
		fmt.Fprintf(&body, "\n// %s is %s.\nfunc (c *Client) %s(ctx context.Context, request *%s, options ...Option) (*%s, error) {\n\treturn %s(ctx, c, %q, request, new(%s), options)\n}\n",
			name, route(method), name, in, out, call, method.FullName(), out)
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

// methods are those with a path on REST, by service and in the order of its proto.
func methods() []protoreflect.MethodDescriptor {
	var found []protoreflect.MethodDescriptor
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		if !strings.HasPrefix(string(file.Package()), "larder.") {
			return true
		}
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			for j := range service.Methods().Len() {
				if proto.HasExtension(service.Methods().Get(j).Options(), annotations.E_Http) {
					found = append(found, service.Methods().Get(j))
				}
			}
		}
		return true
	})
	slices.SortStableFunc(found, func(a, b protoreflect.MethodDescriptor) int {
		return cmp.Or(cmp.Compare(a.Parent().FullName(), b.Parent().FullName()), cmp.Compare(a.Index(), b.Index()))
	})
	return found
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

func route(method protoreflect.MethodDescriptor) string {
	rule, _ := proto.GetExtension(method.Options(), annotations.E_Http).(*annotations.HttpRule)
	for verb, path := range map[string]string{
		"GET": rule.GetGet(), "POST": rule.GetPost(), "PUT": rule.GetPut(), "PATCH": rule.GetPatch(), "DELETE": rule.GetDelete(),
	} {
		if path != "" {
			return verb + " " + path
		}
	}
	return "without a path"
}
