package fault_test

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/code"

	"larder.dev/internal/fault"
)

var update = flag.Bool("update", false, "write docs/errors.md anew")

// docs/errors.md tells clients the reasons: it may not lag behind the table.
func TestErrorsDoc(t *testing.T) {
	const path = "../../docs/errors.md"
	want := errorsDoc(t)
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/errors.md differs from the table of reasons; write it anew: go test ./internal/fault -run TestErrorsDoc -update")
	}
}

// errorsDoc is testdata/errors.md, which explains, and the table by name.
func errorsDoc(t *testing.T) []byte {
	t.Helper()
	intro, err := os.ReadFile("testdata/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	page := bytes.NewBuffer(intro)
	page.WriteString("\n| reason | HTTP | gRPC | what happened, and what to do |\n| --- | --- | --- | --- |\n")
	reasons := fault.All()
	for _, name := range slices.Sorted(maps.Keys(reasons)) {
		r := reasons[name]
		if r.Name != name || r.Help == "" || r.HTTP < 400 {
			t.Errorf("%s has no help or no status", name)
		}
		fmt.Fprintf(page, "| `%s` | %d | `%s` | %s |\n", r.Name, r.HTTP, code.Code(r.Code), r.Help)
	}
	return page.Bytes()
}
