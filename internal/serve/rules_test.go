package serve

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	accesspb "larder.dev/api/access/v1"
	_ "larder.dev/api/cart/v1"
	_ "larder.dev/api/checkout/v1"
	_ "larder.dev/api/order/v1"
	_ "larder.dev/api/payment/v1"
	_ "larder.dev/api/product/v1"
	_ "larder.dev/api/search/v1"
	_ "larder.dev/api/stock/v1"
	_ "larder.dev/api/user/v1"
	"larder.dev/internal/identity"
)

// inFiles reads the names of all services from the protos themselves, so that a new one can't be missed.
func inFiles(t *testing.T) (names []string) {
	t.Helper()
	files, err := filepath.Glob("../../api/*/v1/*.proto")
	if err != nil || len(files) == 0 {
		t.Fatalf("found %d protos, error %v", len(files), err)
	}
	pattern := regexp.MustCompile(`(?m)^(?:package ([\w.]+);|service (\w+) )`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		pkg := ""
		for _, m := range pattern.FindAllStringSubmatch(string(text), -1) {
			if m[1] != "" {
				pkg = m[1]
			} else {
				names = append(names, pkg+"."+m[2])
			}
		}
	}
	return names
}

func TestEveryMethodHasARule(t *testing.T) {
	services := inFiles(t)
	if len(services) < 8 {
		t.Fatalf("found the services %v only", services)
	}
	methods := 0
	for _, name := range services {
		found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name))
		if err != nil {
			t.Errorf("%s isn't in this test: import its package", name)
			continue
		}
		rules, err := rulesOf(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for i := range found.(protoreflect.ServiceDescriptor).Methods().Len() {
			method := found.(protoreflect.ServiceDescriptor).Methods().Get(i)
			if method.IsStreamingClient() || method.IsStreamingServer() {
				t.Errorf("%s streams: streams don't pass the interceptors", method.FullName())
			}
			if _, ok := rules["/"+name+"/"+string(method.Name())]; !ok {
				t.Errorf("%s has no rule", method.FullName())
			}
			methods++
		}
	}
	t.Logf("%d methods of %d services", methods, len(services))
}

// Where a token is needed anyway, it must hold anyway.
func TestOnlyMethodsForAnyoneSayThatTokensMustHold(t *testing.T) {
	for _, name := range inFiles(t) {
		rules, err := rulesOf(name)
		if err != nil {
			t.Fatal(err)
		}
		for method, rule := range rules {
			if rule.held && !rule.anyone {
				t.Errorf("%s says token_must_hold, and isn't for anyone", method)
			}
		}
	}
}

// A method with a path on REST and callers of no kind would be for services only, which REST doesn't know.
func TestInternalMethodsHaveNoPath(t *testing.T) {
	for _, name := range inFiles(t) {
		found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name))
		if err != nil {
			t.Fatal(err)
		}
		for i := range found.(protoreflect.ServiceDescriptor).Methods().Len() {
			method := found.(protoreflect.ServiceDescriptor).Methods().Get(i)
			rule := proto.GetExtension(method.Options(), accesspb.E_Rule).(*accesspb.Rule)
			hasPath := false
			method.Options().(*descriptorpb.MethodOptions).ProtoReflect().Range(func(field protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
				hasPath = hasPath || field.FullName() == "google.api.http"
				return true
			})
			if hasPath && len(rule.GetCallers()) == 0 {
				t.Errorf("%s has a path, and a rule for services only", method.FullName())
			}
		}
	}
}

func TestRuleAdmits(t *testing.T) {
	shopper := identity.Caller{UserID: "u", Roles: []string{identity.RoleShopper}}
	operator := identity.Caller{UserID: "u", Roles: []string{identity.RoleOperator}}
	checkout := identity.Caller{Service: "checkout"}
	both := identity.Caller{UserID: "u", Roles: []string{identity.RoleOperator}, Service: "checkout"}
	roleless := identity.Caller{Roles: []string{identity.RoleOperator}} // a role of nobody
	callers := map[string]identity.Caller{"nobody": {}, "shopper": shopper, "operator": operator, "checkout": checkout, "both": both, "roleless": roleless}
	for _, c := range []struct {
		name string
		rule rule
		want []string
	}{
		{"none", rule{}, nil},
		{"anyone", rule{anyone: true}, []string{"nobody", "shopper", "operator", "checkout", "both", "roleless"}},
		{"shopper", rule{shopper: true}, []string{"shopper", "operator", "both"}},
		{"operator", rule{roles: []string{identity.RoleOperator}}, []string{"operator", "both"}},
		{"checkout", rule{services: []string{"checkout"}}, []string{"checkout", "both"}},
		{"order", rule{services: []string{"order"}}, nil},
	} {
		for name, caller := range callers {
			if got, want := c.rule.admits(caller), slices.Contains(c.want, name); got != want {
				t.Errorf("the rule %s admits %s: %v, want %v", c.name, name, got, want)
			}
		}
	}
}
