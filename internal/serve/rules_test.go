package serve

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"larder.dev/internal/contract"
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
	found := map[string]int{}
	for _, method := range contract.Methods() {
		name := string(method.Parent().FullName())
		found[name]++
		rules, err := rulesOf(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if method.IsStreamingClient() || method.IsStreamingServer() {
			t.Errorf("%s streams: streams don't pass the interceptors", method.FullName())
		}
		if _, ok := rules["/"+name+"/"+string(method.Name())]; !ok || method.Rule == nil {
			t.Errorf("%s has no rule", method.FullName())
		}
	}
	for _, name := range services {
		if found[name] == 0 {
			t.Errorf("internal/contract has no %s: import its package there", name)
		}
	}
	t.Logf("%d methods of %d services", len(contract.Methods()), len(services))
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
	public := contract.Public()
	for _, method := range public {
		if len(method.Rule.GetCallers()) == 0 {
			t.Errorf("%s has a path, and a rule for services only", method.FullName())
		}
	}
	if len(public) < 60 || len(public) == len(contract.Methods()) {
		t.Errorf("%d of %d methods have a path", len(public), len(contract.Methods()))
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
