// Package contract lists the methods of every service, for the programs that hold deployments against the contract.
package contract

import (
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	accesspb "larder.dev/api/access/v1"
	_ "larder.dev/api/cart/v1" // the contracts, for their access rules
	_ "larder.dev/api/checkout/v1"
	_ "larder.dev/api/order/v1"
	_ "larder.dev/api/payment/v1"
	_ "larder.dev/api/product/v1"
	_ "larder.dev/api/search/v1"
	_ "larder.dev/api/stock/v1"
	_ "larder.dev/api/user/v1"
)

// Method is a method that has an access rule.
type Method struct {
	protoreflect.MethodDescriptor
	// Server is the program that serves it: the room's name, and checkout for stock, which is a room of checkout's.
	Server string
	Rule   *accesspb.Rule
}

// Methods lists every method with an access rule, in no order.
func Methods() (all []Method) {
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		server := strings.Replace(strings.Split(string(file.Package())+"..", ".")[1], "stock", "checkout", 1)
		for i := range file.Services().Len() {
			methods := file.Services().Get(i).Methods()
			for j := range methods.Len() {
				options, _ := methods.Get(j).Options().(*descriptorpb.MethodOptions)
				if rule, ok := proto.GetExtension(options, accesspb.E_Rule).(*accesspb.Rule); ok {
					all = append(all, Method{methods.Get(j), server, rule})
				}
			}
		}
		return true
	})
	return all
}
