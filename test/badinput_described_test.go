package test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// The table is held against the description of the API that readers have: each operation that takes something is tried with each parameter
// and each member of its body over the limits that the description gives them.

// operation is one of api/openapi.yaml.
type operation struct {
	name, verb, path string
	// limits are what is limited of it: by "query page_size", "path cart_id", "body quantity", its schema.
	limits map[string]*openapi3.Schema
	takes  bool // a parameter or a body
}

// described reads the description's operations, by their rpc.
func described(t *testing.T) map[string]operation {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromFile("../api/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]operation{}
	for path, item := range doc.Paths.Map() {
		for verb, op := range item.Operations() {
			o := operation{name: strings.Replace(op.OperationID, "_", ".", 1), verb: verb, path: path, limits: map[string]*openapi3.Schema{}}
			o.takes = op.RequestBody != nil || len(op.Parameters) > 0
			for _, p := range op.Parameters {
				if p.Value.In != openapi3.ParameterInHeader {
					o.limit(p.Value.In+" "+p.Value.Name, p.Value.Schema)
				}
			}
			if op.RequestBody != nil {
				if body := op.RequestBody.Value.Content.Get("application/json"); body != nil {
					for name, property := range body.Schema.Value.Properties {
						if !untouched(verb, path, name) {
							o.limit("body "+name, property)
						}
					}
				}
			}
			found[o.name] = o
		}
	}
	return found
}

// untouched tells of a body's member that an update leaves as it is, whatever it says: the path names what is updated, the label of a brand is the
// brand's, and an etag that no version has is another version's.
func untouched(verb, path, name string) bool {
	return verb == http.MethodPatch && (name == "etag" || name == "brand" || strings.Contains(path, "{"+name+"}") || strings.Contains(path, "."+name+"}"))
}

// limit keeps the schema of what can be broken without being of another kind.
func (o operation) limit(name string, ref *openapi3.SchemaRef) {
	if _, ok := breaking(ref.Value); ok && !ref.Value.ReadOnly {
		o.limits[name] = ref.Value
	}
}

// breaking is a value just over a schema's limits.
func breaking(s *openapi3.Schema) (value any, ok bool) {
	switch {
	case s.Type.Is("integer") && s.Max != nil:
		return int64(*s.Max) + 1, true
	case s.Type.Is("integer") && s.Min != nil:
		return int64(*s.Min) - 1, true
	case s.Type.Is("string") && len(s.Enum) > 0:
		return "NONSENSE", true
	case s.Type.Is("string") && s.MaxLength != nil && s.Pattern == "":
		return strings.Repeat("x", int(*s.MaxLength)+1), true
	case s.Type.Is("string") && s.Pattern != "" && !strings.HasPrefix(s.Pattern, "^-?[0-9]"): // those are numbers
		return "' or 1=1", true
	case s.Type.Is("string") && (s.Format == "uuid" || s.Format == "email"):
		return "nonsense", true
	default:
		return nil, false
	}
}

// beyond are rows that go over each limit of an operation, one at a time, of a good request.
func beyond(m method, o operation, good call) (rows []row) {
	verb, target, _ := strings.Cut(good.request, " ")
	path, query, _ := strings.Cut(target, "?")
	for _, name := range slices.Sorted(maps.Keys(o.limits)) {
		value, _ := breaking(o.limits[name])
		in, field, _ := strings.Cut(name, " ")
		r := row{
			rpc: m.name, what: "over the limit of " + name, as: good.as, request: good.request, body: good.body, headers: []string{"Idempotency-Key: {key}"},
			want: "400 INVALID_ARGUMENT " + field,
		}
		escaped := escape(fmt.Sprint(value))
		switch in {
		case "query":
			r.request = verb + " " + path + "?" + strings.TrimSuffix(field+"="+escaped+"&"+without(query, field), "&")
		case "path":
			r.request = verb + " " + filled(o.path, path, field, escaped)
			if query != "" {
				r.request += "?" + query
			}
		case "body":
			body := map[string]any{}
			if json.Unmarshal([]byte(good.body), &body) != nil {
				continue // a file
			}
			if m.body != "*" && len(o.limits[name].Enum) == 0 { // a word that no enum has is found while the body is read
				r.want = "400 INVALID_ARGUMENT " + m.body + "." + field
			}
			body[field] = value
			text, _ := json.Marshal(body) // of what was JSON
			r.body = string(text)
		}
		rows = append(rows, r)
	}
	return rows
}

// filled is a path with another value of one variable of its template.
func filled(template, path, name, value string) string {
	pattern := "^" + variable.ReplaceAllString(template, "([^/:]+)") + "$"
	values := regexp.MustCompile(pattern).FindStringSubmatch(path)
	n := 0
	return variable.ReplaceAllStringFunc(template, func(v string) string {
		n++
		if v == "{"+name+"}" {
			return value
		}
		return values[n]
	})
}

func without(query, name string) string {
	return strings.Join(slices.DeleteFunc(strings.Split(query, "&"), func(p string) bool { return p == "" || strings.HasPrefix(p, name+"=") }), "&")
}

func escape(text string) string {
	return strings.NewReplacer(" ", "%20", "'", "%27", "=", "%3D").Replace(text)
}

// gaps tell what of the described operations the rows leave out, and which rows try what isn't described. An operation that takes something
// has rows of its own, one that is refused for each of its limits among them; any has two rows at least.
func gaps(rows []row, operations map[string]operation) (all []string) {
	count, own, tried := map[string]int{}, map[string]int{}, map[string]map[string]bool{}
	for _, r := range rows {
		count[r.rpc]++
		if !r.general {
			own[r.rpc]++
		}
		if tried[r.rpc] == nil {
			tried[r.rpc] = map[string]bool{}
		}
		for _, word := range strings.FieldsFunc(r.want, func(c rune) bool { return strings.ContainsRune(" ,.[]", c) }) {
			tried[r.rpc][word] = true
		}
		if _, ok := operations[r.rpc]; !ok && r.rpc != "" {
			all = append(all, r.rpc+" has rows, and isn't described")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(operations)) {
		o := operations[name]
		if count[name] < 2 {
			all = append(all, fmt.Sprintf("%s (%s %s) has %d rows: write two at least", name, o.verb, o.path, count[name]))
		}
		if o.takes && own[name] == 0 {
			all = append(all, fmt.Sprintf("%s (%s %s) takes something, and has no rows of its own", name, o.verb, o.path))
		}
		for _, limit := range slices.Sorted(maps.Keys(o.limits)) {
			if _, field, _ := strings.Cut(limit, " "); !tried[name][field] {
				all = append(all, fmt.Sprintf("%s: no row is refused for %s", name, limit))
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// TestDescribedIsTried plants operations that no row tries, and rows that try nothing.
func TestDescribedIsTried(t *testing.T) {
	operations := described(t)
	methods := public()
	if len(operations) != len(methods) || len(methods) < 60 {
		t.Errorf("%d operations are described, of %d methods", len(operations), len(methods))
	}
	limits := 0
	for _, o := range operations {
		limits += len(o.limits)
	}
	if limits < 100 {
		t.Errorf("%d limits are described: where are the others?", limits)
	}
	put := map[string]operation{"CartService.PutItem": operations["CartService.PutItem"]}
	refused := func(fields ...string) (rows []row) {
		for n, field := range fields {
			rows = append(rows, row{rpc: "CartService.PutItem", what: strconv.Itoa(n), want: "400 INVALID_ARGUMENT " + field})
		}
		return rows
	}
	whole := slices.Sorted(maps.Keys(put["CartService.PutItem"].limits))
	for i, name := range whole {
		_, whole[i], _ = strings.Cut(name, " ")
	}
	if got := gaps(refused(whole...), put); len(got) != 0 {
		t.Errorf("a whole table has gaps: %q", got)
	}
	for name, rows := range map[string][]row{
		"no row is refused for body quantity": refused(slices.DeleteFunc(slices.Clone(whole), func(f string) bool { return f == "quantity" })...),
		"has 0 rows":                          nil,
		"has no rows of its own": {
			{rpc: "CartService.PutItem", what: "any method's", general: true}, {rpc: "CartService.PutItem", what: "any method's too", general: true},
		},
		"CartService.Burn has rows, and isn't": append(refused(whole...), row{rpc: "CartService.Burn"}),
	} {
		if got := strings.Join(gaps(rows, put), "; "); !strings.Contains(got, name) {
			t.Errorf("found %q, want %q", got, name)
		}
	}
}
