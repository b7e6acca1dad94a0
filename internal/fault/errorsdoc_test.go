package fault_test

import (
	"bytes"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/code"

	"larder.dev/internal/fault"
)

var update = flag.Bool("update", false, "write docs/errors.md anew")

// docs/errors.md tells clients the reasons: it may not lag behind the table.
func TestErrorsDoc(t *testing.T) {
	const path = "../../docs/errors.md"
	want := errorsDoc(t, fault.All())
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, differs := range differences(got, want) {
		t.Errorf("docs/errors.md: %s; write it anew: go test ./internal/fault -run TestErrorsDoc -update", differs)
	}
}

// TestErrorsDocCatches plants what TestErrorsDoc is there to find.
func TestErrorsDocCatches(t *testing.T) {
	page := errorsDoc(t, fault.All())
	one := fault.CartEmpty
	row := rows(page)[one.Name]
	more, other := maps.Clone(fault.All()), maps.Clone(fault.All())
	more["CART_ON_FIRE"] = fault.Reason{Name: "CART_ON_FIRE", Code: one.Code, HTTP: one.HTTP, Help: "Run."}
	changed := one
	changed.HTTP = 410
	other[one.Name] = changed
	for name, c := range map[string]struct {
		page    []byte
		reasons map[string]fault.Reason
		want    string
	}{
		"nothing":               {page, fault.All(), ""},
		"a reason of code only": {page, more, "CART_ON_FIRE is not in the page"},
		"another status":        {page, other, one.Name + " is otherwise in the page"},
		"a reason of docs only": {bytes.Replace(page, []byte(row), []byte(strings.Replace(row, one.Name, "CART_ON_FIRE", 1)+"\n"+row), 1), fault.All(), "CART_ON_FIRE is in the page only"},
		"a reason left out":     {bytes.Replace(page, []byte(row+"\n"), nil, 1), fault.All(), one.Name + " is not in the page"},
		"other words":           {bytes.Replace(page, []byte(one.Help), []byte("Put something in."), 1), fault.All(), one.Name + " is otherwise in the page"},
		"another introduction":  {bytes.Replace(page, []byte("# Errors"), []byte("# Faults"), 1), fault.All(), "its text is not testdata/errors.md's"},
	} {
		if got := strings.Join(differences(c.page, errorsDoc(t, c.reasons)), "; "); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestReasonsAreTheTables: a reason comes from the table in reasons.go, which has none that nothing refuses with.
func TestReasonsAreTheTables(t *testing.T) {
	variable := regexp.MustCompile(`(?m)^\t(\w+)\s+= (?:define|internal)\("(\w+)"`)
	table, err := os.ReadFile("reasons.go")
	if err != nil {
		t.Fatal(err)
	}
	unused := map[string]string{}
	for _, found := range variable.FindAllStringSubmatch(string(table), -1) {
		unused[found[1]] = found[2]
	}
	if len(unused) != len(fault.All()) {
		t.Errorf("%d reasons are written down, %d there are", len(unused), len(fault.All()))
	}
	for _, folder := range []string{".", "..", "../../functions", "../../run", "../../local"} {
		err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") || filepath.Base(path) == "reasons.go" {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			if strings.Contains(string(text), "fault.Reason{") {
				t.Errorf("%s makes a reason of its own", path)
			}
			own := filepath.Dir(path) == "." || strings.HasPrefix(path, "../fault/")
			for name := range unused {
				if strings.Contains(string(text), "fault."+name) || own && regexp.MustCompile(`\b`+name+`\.New\(`).Match(text) {
					delete(unused, name)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, reason := range unused {
		t.Errorf("nothing refuses with %s", reason)
	}
}

// differences say how a page isn't what it should be: by reasons, then by its other text.
func differences(got, want []byte) (all []string) {
	told, due := rows(got), rows(want)
	for _, name := range slices.Sorted(maps.Keys(due)) {
		switch told[name] {
		case due[name]:
		case "":
			all = append(all, name+" is not in the page")
		default:
			all = append(all, name+" is otherwise in the page")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(told)) {
		if due[name] == "" {
			all = append(all, name+" is in the page only")
		}
	}
	if len(all) == 0 && !bytes.Equal(got, want) {
		all = append(all, "its text is not testdata/errors.md's")
	}
	return all
}

// rows are the lines of a page's table by reason.
func rows(page []byte) map[string]string {
	found := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([A-Z0-9_]+)` \\|.*$").FindAllStringSubmatch(string(page), -1) {
		found[row[1]] = row[0]
	}
	return found
}

// errorsDoc is testdata/errors.md, which explains, and the reasons by name.
func errorsDoc(t *testing.T, reasons map[string]fault.Reason) []byte {
	t.Helper()
	intro, err := os.ReadFile("testdata/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	page := bytes.NewBuffer(intro)
	page.WriteString("\n| reason | HTTP | gRPC | what happened, and what to do |\n| --- | --- | --- | --- |\n")
	for _, name := range slices.Sorted(maps.Keys(reasons)) {
		r := reasons[name]
		if r.Name != name || r.Help == "" || r.HTTP < 400 {
			t.Errorf("%s has no help or no status", name)
		}
		fmt.Fprintf(page, "| `%s` | %d | `%s` | %s |\n", r.Name, r.HTTP, code.Code(r.Code), r.Help)
	}
	return page.Bytes()
}
