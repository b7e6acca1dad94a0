package parameters_test

import (
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"larder.dev/pipelines/internal/parameters"
)

func TestDefine(t *testing.T) {
	t.Setenv("INDEX", "products-1")
	t.Setenv("SUBSCRIPTION", "productindex-1")
	flags := flag.NewFlagSet("test", flag.ContinueOnError)
	parameters.Define(flags, "INDEX", "SUBSCRIPTION")
	if err := flags.Parse([]string{"--index=products-2"}); err != nil {
		t.Fatal(err)
	}
	if os.Getenv("INDEX") != "products-2" || os.Getenv("SUBSCRIPTION") != "productindex-1" {
		t.Errorf("the index is %q, the subscription %q", os.Getenv("INDEX"), os.Getenv("SUBSCRIPTION"))
	}
}

// What the template says it takes, the program takes.
func TestTemplate(t *testing.T) {
	text, err := os.ReadFile("../../productindex/metadata.json")
	if err != nil {
		t.Fatal(err)
	}
	var metadata struct {
		Parameters []struct{ Name, Label string }
	}
	if err := json.Unmarshal(text, &metadata); err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile("../../productindex/main.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range metadata.Parameters {
		if strings.ToUpper(p.Name) != p.Label || !strings.Contains(string(program), `"`+p.Label+`"`) {
			t.Errorf("%s is no parameter of the program", p.Name)
		}
	}
	if len(metadata.Parameters) == 0 {
		t.Error("the template takes nothing")
	}
}
