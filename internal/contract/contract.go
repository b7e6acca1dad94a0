// Package contract lists the methods of every service, for all that holds something against each of them: the description of the REST API,
// the Go client, the deployments, and tests that leave none out.
package contract

import (
	"cmp"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	accesspb "larder.dev/api/access/v1"
	_ "larder.dev/api/cart/v1" // the contracts
	_ "larder.dev/api/checkout/v1"
	_ "larder.dev/api/order/v1"
	_ "larder.dev/api/outbox/v1"
	_ "larder.dev/api/payment/v1"
	_ "larder.dev/api/product/v1"
	_ "larder.dev/api/search/v1"
	_ "larder.dev/api/stock/v1"
	_ "larder.dev/api/user/v1"
)

// Method is a method of the contract.
type Method struct {
	protoreflect.MethodDescriptor
	// Server is the program that serves it: the room's name, and checkout for stock, which is a room of checkout's.
	Server string
	// Rule is its access rule, nil if it has none.
	Rule *accesspb.Rule
	// HTTP is its path on REST, nil if it has none.
	HTTP *annotations.HttpRule
}

// Methods lists every method of every service, by service and in the order of its proto.
func Methods() (all []Method) {
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		room, ours := strings.CutPrefix(string(file.Package()), "larder.")
		if !ours {
			return true
		}
		room, _, _ = strings.Cut(room, ".")
		server := strings.Replace(room, "stock", "checkout", 1)
		for i := range file.Services().Len() {
			methods := file.Services().Get(i).Methods()
			for j := range methods.Len() {
				options := methods.Get(j).Options()
				rule, _ := proto.GetExtension(options, accesspb.E_Rule).(*accesspb.Rule)
				http, _ := proto.GetExtension(options, annotations.E_Http).(*annotations.HttpRule)
				all = append(all, Method{methods.Get(j), server, rule, http})
			}
		}
		return true
	})
	slices.SortFunc(all, func(a, b Method) int {
		return cmp.Or(cmp.Compare(a.Parent().FullName(), b.Parent().FullName()), cmp.Compare(a.Index(), b.Index()))
	})
	return all
}

// Public lists the methods that have a path on REST.
func Public() []Method {
	return slices.DeleteFunc(Methods(), func(m Method) bool { return m.HTTP == nil })
}

// Route is a public method's HTTP method and its path, as the proto has it: "GET", "/v1/carts/{cart_id}".
func (m Method) Route() (verb, path string) {
	switch pattern := m.HTTP.GetPattern().(type) {
	case *annotations.HttpRule_Get:
		return "GET", pattern.Get
	case *annotations.HttpRule_Put:
		return "PUT", pattern.Put
	case *annotations.HttpRule_Post:
		return "POST", pattern.Post
	case *annotations.HttpRule_Delete:
		return "DELETE", pattern.Delete
	case *annotations.HttpRule_Patch:
		return "PATCH", pattern.Patch
	default:
		return "", ""
	}
}

// Operation is a method's name in the description of the REST API: "CartService_GetCart".
func (m Method) Operation() string { return string(m.Parent().Name()) + "_" + string(m.Name()) }
