package serve

import (
	"fmt"
	"slices"

	"github.com/failsafe-go/failsafe-go/priority"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	accesspb "larder.dev/api/access/v1"
	"larder.dev/internal/identity"
)

// rule is who may call a method and how urgent that is, as the proto's options (larder.access.v1.rule, .priority) state it.
type rule struct {
	anyone, shopper bool
	// held is for anyone's methods: credentials that are sent must be valid.
	held     bool
	roles    []string
	services []string
	// priority is what a call is worth under overload.
	priority priority.Priority
}

func (r rule) admits(c identity.Caller) bool {
	if r.anyone || (r.shopper && c.UserID != "") || (c.Service != "" && slices.Contains(r.services, c.Service)) {
		return true
	}
	return slices.ContainsFunc(r.roles, c.HasRole)
}

// rulesOf reads the rules of a service's methods. A method without one is an error: it would be refused for everybody.
func rulesOf(service string) (map[string]rule, error) {
	methods, err := methodsOf(service)
	if err != nil {
		return nil, err
	}
	rules := map[string]rule{}
	for i := range methods.Len() {
		method := methods.Get(i)
		stated, ok := proto.GetExtension(method.Options(), accesspb.E_Rule).(*accesspb.Rule)
		if !ok || stated == nil || len(stated.GetCallers())+len(stated.GetServices()) == 0 {
			return nil, fmt.Errorf("%s has no access rule", method.FullName())
		}
		r := rule{services: stated.GetServices(), held: stated.GetTokenMustHold()}
		for _, c := range stated.GetCallers() {
			switch c {
			case accesspb.Caller_CALLER_ANYONE:
				r.anyone = true
			case accesspb.Caller_CALLER_SHOPPER:
				r.shopper = true
			case accesspb.Caller_CALLER_MERCHANDISER:
				r.roles = append(r.roles, identity.RoleMerchandiser)
			case accesspb.Caller_CALLER_OPERATOR:
				r.roles = append(r.roles, identity.RoleOperator)
			default:
				return nil, fmt.Errorf("%s has an unknown caller in its access rule", method.FullName())
			}
		}
		if urgency, ok := proto.GetExtension(method.Options(), accesspb.E_Priority).(accesspb.Priority); ok {
			r.priority = priorityOf(urgency)
		}
		rules[fmt.Sprintf("/%s/%s", service, method.Name())] = r
	}
	return rules, nil
}

// methodsOf finds the methods of a service that is linked into the program.
func methodsOf(service string) (protoreflect.MethodDescriptors, error) {
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service))
	if err != nil {
		return nil, fmt.Errorf("find service %s: %w", service, err)
	}
	described, ok := found.(protoreflect.ServiceDescriptor)
	if !ok {
		return nil, fmt.Errorf("%s is no service", service)
	}
	return described.Methods(), nil
}
