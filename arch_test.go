// Package larder_test keeps the repository's own rules: which folder may import which, and what no file may contain.
//
//   - A room (internal/user, internal/cart, ...) reaches another room through its api/ package only. The one exception is the
//     saga: its transaction spans stock, order, payment and outbox, so checkout may use their types, and its adapters the
//     reads and mutations of their spanner packages.
//   - The outbox is written by whoever changes something worth telling: every room's adapters may use it and its adapter of their own
//     technology.
//   - Adapters (internal/<room>/<technology>) import their room; the room never imports its adapters. Only run/,
//     functions/, pipelines/, local/ and tests put the two together.
//   - What all rooms share imports no room. api/ imports nothing of ours but api/.
//   - The pages for people (internal/storefront, internal/console, and internal/web, which both stand on) know the platform by its public API:
//     api/ and what its client needs. They could run anywhere.
//   - Nothing but local/, the checks of terraform/ and tests imports local/; nothing imports load/; packages for tests stay out of
//     programs; what is in test/ goes through public interfaces; the prover, and the test of the index's fidelity, share no code with
//     what they test.
//
// Imports are read file by file, not package by package, so that files under build tags count and a violation can name its file.
package larder_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

var (
	rooms  = []string{"user", "product", "search", "cart", "stock", "checkout", "order", "payment", "outbox"}
	shared = []string{"chaos", "money", "pricing", "fault", "identity", "serve", "event", "deadletter", "document", "spannerdb", "pgdb", "redisdb", "openapi", "clientgen", "eventdocs", "contract", "pagetoken", "browser", "telemetry", "progress"}
	faces  = []string{"web", "storefront", "console"}
	saga   = []string{"stock", "order", "payment", "outbox"} // what checkout's transactions compose
)

// maxLines is far above what reads well, so that nobody splits a file for the test's sake.
const maxLines = 700

// place is where a package or file stands.
type place struct {
	folder string // from the repository's root, "internal/cart/redis"
	test   bool   // a _test.go file
}

// room is the room that the folder belongs to, "" outside of rooms.
func (p place) room() string {
	if name := p.internal(); slices.Contains(rooms, name) {
		return name
	}
	return ""
}

// internal is the folder's name below internal/, "" elsewhere.
func (p place) internal() string {
	rest, ok := strings.CutPrefix(p.folder, "internal/")
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(rest, "/")
	return name
}

// adapter: below its room's folder, not the folder itself.
func (p place) adapter() bool { return p.room() != "" && p.folder != "internal/"+p.room() }

func (p place) under(top string) bool { return p.folder == top || strings.HasPrefix(p.folder, top+"/") }

// forTests: serve/servetest, pgdb/pgtest and the like, and the browser.
func (p place) forTests() bool {
	return strings.HasSuffix(path.Base(p.folder), "test") || p.folder == "internal/browser"
}

// composes: the saga's exception. The room checkout may know the others' types; their transactions' parts are for adapters.
func composes(from, to place) bool {
	switch {
	case from.folder == "internal/order/spanner" && to.folder == "internal/payment/spanner",
		from.folder == "internal/payment/spanner" && to.folder == "internal/order/spanner":
		return true // an order is read with its payment: the rows are interleaved
	case from.adapter() && to.room() == "outbox":
		return to.folder == "internal/outbox" || path.Base(to.folder) == path.Base(from.folder)
	case from.room() != "checkout" || !slices.Contains(saga, to.room()):
		return false
	case to.adapter():
		return from.adapter() && path.Base(to.folder) == "spanner"
	default:
		return true
	}
}

// importRules say what an import breaks. Both places are this repository's.
var importRules = []struct {
	name   string
	broken func(from, to place) bool
}{
	{"api/ imports nothing of ours but api/", func(from, to place) bool {
		return from.under("api") && !to.under("api")
	}},
	{"a room reaches another room through its api/ package only", func(from, to place) bool {
		return !from.test && from.room() != "" && to.room() != "" && from.room() != to.room() && !composes(from, to)
	}},
	{"a room never imports its adapters", func(from, to place) bool {
		return !from.test && from.room() != "" && !from.adapter() && to.room() == from.room() && to.adapter()
	}},
	{"what all rooms share imports no room", func(from, to place) bool {
		return !from.test && slices.Contains(shared, from.internal()) && to.room() != ""
	}},
	{"pages for people know the public API only", func(from, to place) bool {
		return !from.test && slices.Contains(faces, from.internal()) && !to.under("api") && to.internal() != from.internal() &&
			to.folder != "internal/web" && to.folder != "internal/serve"
	}},
	{"what isn't a page imports no page", func(from, to place) bool {
		return slices.Contains(faces, to.internal()) && !slices.Contains(faces, from.internal()) && !from.under("run") && !from.under("test")
	}},
	{"nothing but local/, the checks of terraform/ and tests imports local/", func(from, to place) bool {
		return to.under("local") && !from.under("local") && !from.under("terraform") && !from.under("test") && !from.test
	}},
	{"nothing imports load/", func(from, to place) bool {
		return to.under("load") && !from.under("load")
	}},
	{"the prover shares nothing but api/ with what it proves", func(from, to place) bool {
		return from.under("load/prove") && !to.under("load/prove") && !to.under("api")
	}},
	{"the test of the index's fidelity shares nothing but api/ with what it tests", func(from, to place) bool {
		return from.under("load/fidelity") && !to.under("load/fidelity") && !to.under("load/usage") && !to.under("api")
	}},
	{"test/ goes through public interfaces only", func(from, to place) bool {
		return from.under("test") && (to.under("internal") && !to.under("internal/contract") && !to.under("internal/browser") ||
			to.under("run") || to.under("functions") || to.under("pipelines"))
	}},
	{"packages for tests stay out of programs", func(from, to place) bool {
		return to.forTests() && !from.test && !from.forTests() && !from.under("test")
	}},
}

// contentRules say what no file may contain.
var contentRules = []struct {
	name      string
	testsOnly bool // in _test.go files only
	pattern   *regexp.Regexp
}{
	{"no test is skipped: what is missing fails with the command that starts it", true,
		regexp.MustCompile(`\b(t|b|f|tb)\.Skip(f|Now)?\(|\btesting\.Short\(`)},
	{"no test sleeps: poll a condition with a deadline", true, regexp.MustCompile(`\btime\.Sleep\(`)},
	{"nothing is left for later", false, regexp.MustCompile(`\bTO[D]O\b|\bFIX[M]E\b`)},
	{"no path of one machine", false, regexp.MustCompile("(^|[\\s\"'=:(`])/(work|root|home|tmp)/\\w")},
}

var generated = regexp.MustCompile(`(?m)^(//|#) (Code g|G)enerated .*`)

// faults are all violations of one file, "path: rule" with what breaks it.
func faults(name string, text []byte) []string {
	var found []string
	broken := func(rule, detail string) { found = append(found, fmt.Sprintf("%s: %s (%s)", name, rule, detail)) }

	from := place{folder: path.Dir(name), test: strings.HasSuffix(name, "_test.go")}
	if inside := from.internal(); inside != "" && !slices.Contains(rooms, inside) && !slices.Contains(shared, inside) && !slices.Contains(faces, inside) {
		broken("what is in internal/ is a room or shared by all rooms", "arch_test.go knows no internal/"+inside)
	}
	if path.Ext(name) == ".go" {
		file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ImportsOnly)
		if err != nil {
			return append(found, err.Error())
		}
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			folder, ours := strings.CutPrefix(imported, "larder.dev/")
			if err != nil || !ours {
				continue
			}
			for _, rule := range importRules {
				if rule.broken(from, place{folder: folder}) {
					broken(rule.name, "imports "+imported)
				}
			}
		}
	}

	if err := wellFormed(path.Ext(name), text); err != nil {
		broken("JSON and YAML can be read", err.Error())
	}

	if path.Base(name) == "go.sum" || generated.Match(text[:min(len(text), 500)]) {
		return found
	}
	for _, rule := range contentRules {
		if rule.testsOnly && !from.test {
			continue
		}
		for i, line := range bytes.Split(text, []byte("\n")) {
			if hit := rule.pattern.Find(line); hit != nil {
				broken(rule.name, fmt.Sprintf("line %d: %s", i+1, bytes.TrimSpace(hit)))
			}
		}
	}
	if lines := bytes.Count(text, []byte("\n")); lines > maxLines {
		broken(fmt.Sprintf("at most %d lines, split by purpose", maxLines), fmt.Sprintf("%d lines", lines))
	}
	return found
}

// wellFormed reads the text as what its name says it is.
func wellFormed(extension string, text []byte) error {
	var value any
	switch extension {
	case ".json":
		return json.Unmarshal(text, &value)
	case ".yaml", ".yml":
		documents := yaml.NewDecoder(bytes.NewReader(text))
		for {
			if err := documents.Decode(&value); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return err
			}
		}
	}
	return nil
}

func TestRepository(t *testing.T) {
	var files, sources int
	seen := map[string]bool{}
	err := fs.WalkDir(os.DirFS("."), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (name == ".git" || name == ".larder"):
			return fs.SkipDir
		case !entry.Type().IsRegular():
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil || !utf8.Valid(text) {
			return err
		}
		files++
		if path.Ext(name) == ".go" {
			sources++
			seen[place{folder: path.Dir(name)}.room()] = true
		}
		for _, fault := range faults(name, text) {
			t.Error(fault)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	// Rules about folders that don't exist would hold for ever.
	for _, room := range rooms {
		if !seen[room] {
			t.Errorf("there is no room %q", room)
		}
	}
	t.Logf("%d files, %d of them Go", files, sources)
}

func TestRulesCatch(t *testing.T) {
	importing := func(folder string) string { return "package p\n\nimport _ \"larder.dev/" + folder + "\"\n" }
	for _, c := range []struct{ name, text, rule string }{
		{"api/cart/v1/x.go", importing("internal/money"), "api/ imports nothing"},
		{"api/cart/v1/x_test.go", importing("internal/money"), "api/ imports nothing"},
		{"internal/cart/x.go", importing("internal/product"), "through its api/ package only"},
		{"internal/cart/redis/x.go", importing("internal/product"), "through its api/ package only"},
		{"internal/order/x.go", importing("internal/payment"), "through its api/ package only"},
		{"internal/cart/x.go", importing("internal/stock/spanner"), "through its api/ package only"},
		{"internal/checkout/x.go", importing("internal/cart"), "through its api/ package only"},
		{"internal/checkout/x.go", importing("internal/order/spanner"), "through its api/ package only"},
		{"internal/checkout/spanner/x.go", importing("internal/stock/redis"), "through its api/ package only"},
		{"internal/cart/x.go", importing("internal/cart/redis"), "never imports its adapters"},
		{"internal/serve/x.go", importing("internal/user"), "imports no room"},
		{"internal/pgdb/x.go", importing("internal/user/postgres"), "imports no room"},
		{"internal/storefront/x.go", importing("internal/cart"), "public API only"},
		{"internal/console/x.go", importing("internal/order/spanner"), "public API only"},
		{"internal/web/x.go", importing("internal/fault"), "public API only"},
		{"internal/web/x.go", importing("internal/storefront"), "public API only"},
		{"internal/cart/x.go", importing("internal/web"), "imports no page"},
		{"internal/utils/x.go", "package p\n", "a room or shared"},
		{"run/cart/x.go", importing("local/listen"), "imports local/"},
		{"internal/payment/x.go", importing("local/payments/simulator"), "imports local/"},
		{"test/x_test.go", importing("load/prover"), "imports load/"},
		{"load/prove/shop/x.go", importing("internal/money"), "the prover shares nothing"},
		{"load/fidelity/x.go", importing("internal/document"), "the test of the index's fidelity shares nothing"},
		{"load/prove/account/x_test.go", importing("internal/stock/redis"), "the prover shares nothing"},
		{"run/cart/x.go", importing("internal/serve/servetest"), "stay out of programs"},
		{"run/storefront/x.go", importing("internal/browser"), "stay out of programs"},
		{"internal/cart/x_test.go", "package p\n\nfunc f() { t." + "Skip(\"no Redis\") }\n", "no test is skipped"},
		{"internal/cart/x_test.go", "package p\n\nfunc f() { time." + "Sleep(1) }\n", "no test sleeps"},
		{"internal/cart/x.sql", "-- TO" + "DO: index\n", "left for later"},
		{"local/x.sh", "cd /" + "home/ada\n", "no path of one machine"},
		{"internal/cart/x.go", "package p\n" + strings.Repeat("\n", maxLines), "at most 700 lines"},
		{"terraform/x.json", `{"a": 1,}`, "JSON and YAML"},
		{"local/x.yaml", "a: [1\n", "JSON and YAML"},
		{"local/x.yaml", "a: 1\n---\na: 1\na: 2\n", "JSON and YAML"},
		{"test/x_test.go", importing("internal/money"), "public interfaces only"},
		{"internal/cart/x.go", "pakkage p\n", "expected 'package'"},

		{"internal/cart/x.go", importing("api/product/v1"), ""},
		{"internal/cart/x.go", importing("internal/pricing"), ""},
		{"internal/console/x.go", importing("internal/web"), ""},
		{"internal/storefront/x.go", importing("api/client"), ""},
		{"internal/web/x_test.go", importing("internal/fault"), ""},
		{"run/storefront/x.go", importing("internal/storefront"), ""},
		{"internal/cart/redis/x.go", importing("internal/cart"), ""},
		{"internal/cart/x_test.go", importing("internal/cart/redis"), ""},
		{"internal/checkout/x.go", importing("internal/stock"), ""},
		{"internal/checkout/spanner/x.go", importing("internal/outbox/spanner"), ""},
		{"internal/order/spanner/x.go", importing("internal/payment/spanner"), ""},
		{"internal/payment/x_test.go", importing("local/payments/simulator"), ""},
		{"terraform/check/x.go", importing("local"), ""},
		{"internal/serve/servetest/x.go", importing("internal/serve"), ""},
		{"run/cart/x.go", importing("internal/cart/redis"), ""},
		{"local/seed/x.go", importing("internal/user/postgres"), ""},
		{"local/x.yaml", "a: 1\n---\n- 2\n", ""},
		{"test/x_test.go", importing("api/cart/v1"), ""},
		{"test/x_test.go", importing("internal/contract"), ""},
		{"test/x_test.go", importing("internal/browser"), ""},
		{"load/prove/shop/x.go", importing("api/order/v1"), ""},
		{"load/prove/x.go", importing("load/prove/shop"), ""},
		{"local/x.go", "package p\n\nfunc f() { time." + "Sleep(1) }\n", ""},
		{"api/cart/v1/x.pb.go", "// Code generated by protoc-gen-go. DO NOT EDIT.\npackage p\n" + strings.Repeat("\n", maxLines), ""},
	} {
		found := faults(c.name, []byte(c.text))
		switch {
		case c.rule == "" && len(found) > 0:
			t.Errorf("%q is fine, and got %q", c.text, found)
		case c.rule != "" && (len(found) != 1 || !strings.HasPrefix(found[0], c.name) || !strings.Contains(found[0], c.rule)):
			t.Errorf("%s with %.60q: got %q, want the rule %q", c.name, c.text, found, c.rule)
		}
	}
}
