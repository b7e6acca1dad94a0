package test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"larder.dev/internal/contract"
)

const page = "../docs/api.md"

// example is a block of commands on the page, and the answer that is shown behind it, of its last command; "" is none.
type example struct{ commands, answer string }

var fence = regexp.MustCompile("(?s)(?:\\A|\n)```(sh|json)\n(.*?\n)```")

// examples reads a page's. An answer that follows no commands has nothing that it could be held against.
func examples(text string) (all []example, err error) {
	open := false // the last commands have no answer yet
	for _, block := range fence.FindAllStringSubmatch(text, -1) {
		switch {
		case block[1] == "sh":
			all, open = append(all, example{commands: block[2]}), true
		case open:
			all[len(all)-1].answer, open = block[2], false
		default:
			return nil, fmt.Errorf("no command leads to the answer %.80s", block[2])
		}
	}
	return all, nil
}

// TestPage runs the examples of docs/api.md one after the other in a shell, as somebody does who copies them, and holds the answers that the
// page shows against what is answered. A command whose answer isn't shown has to succeed.
func TestPage(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{edge: setting(t, "EDGE_ADDR"), tokens: map[string]string{"": ""}}
	run := strings.ReplaceAll(uuid.NewString(), "-", "")[:8]
	changes := []string{"http://127.0.0.1:18080", "http://" + w.edge} // what a second run would meet has a name of its own
	for _, name := range []string{"ada@shopper", "quince-paste", "medlar-jelly", "autumn-range", "delivery-4711"} {
		before, after, _ := strings.Cut(name, "@")
		changes = append(changes, name, strings.TrimSuffix(before+"-"+run+"@"+after, "@"))
	}
	all, err := examples(strings.NewReplacer(changes...).Replace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	w.tokens["merchandiser"] = w.signIn(t, "merchandiser@larder.example", password).word("access_token")
	t.Cleanup(func() {
		for _, product := range []string{"quince-paste-", "medlar-jelly-"} {
			message{method: "DELETE", target: "/v1/products/" + product + run, token: w.tokens["merchandiser"]}.send(t, w.edge)
		}
	})

	r := reader{folder: t.TempDir()}
	shown := 0
	for _, e := range all {
		answers, err := r.run(t, e.commands)
		if err != nil {
			t.Fatalf("%s%v", e.commands, err)
		}
		for n, text := range answers {
			if last := n == len(answers)-1; last && e.answer != "" {
				shown++
				for _, wrong := range differences(t, e.answer, text) {
					t.Errorf("%sthe page shows %s\n%s", e.commands, wrong, text)
				}
			} else if strings.Contains(text, `"error":`) || text == "" {
				t.Errorf("%scommand %d is answered %q", e.commands, n+1, text)
			}
		}
		if e.answer != "" && len(answers) == 0 {
			t.Errorf("%sasks nothing", e.commands)
		}
	}
	if len(all) < 15 || shown < 10 {
		t.Errorf("%d examples with %d answers: where are the others?", len(all), shown)
	}
}

// reader is somebody at a shell with the page.
type reader struct {
	folder string
	set    []string // variables that they have set
	last   any      // the last answer
}

var (
	assignment  = regexp.MustCompile(`(?m)^[A-Za-z]+=.*$`)
	placeholder = regexp.MustCompile(`(?m)^([A-Za-z]+)=\.\.\. +# the (\w+).*$`)
)

// run runs commands, and returns what each curl of them answered.
func (r *reader) run(t *testing.T, commands string) (answers []string, err error) {
	t.Helper()
	commands = placeholder.ReplaceAllStringFunc(commands, func(line string) string {
		parts := placeholder.FindStringSubmatch(line)
		value, ok := find(r.last, parts[2])
		if !ok {
			t.Errorf("%s: the answer before has none", line)
		}
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%s='%s'", parts[1], strings.Trim(string(text[1:len(text)-1]), "'")) // as it stands in JSON
	})
	const asking = `set -u; curl() { command curl --max-time 60 "$@"; local code=$?; printf '\036'; return $code; }` + "\n"
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	shell := exec.CommandContext(ctx, "bash", "-e", "-c", asking+strings.Join(r.set, "\n")+"\n"+commands)
	shell.Dir = r.folder
	out, err := shell.Output()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	r.set = append(r.set, assignment.FindAllString(commands, -1)...)
	answers = strings.Split(string(out), "\x1e")
	answers = answers[:len(answers)-1]
	if len(answers) > 0 {
		r.last = nil
		_ = json.Unmarshal([]byte(answers[len(answers)-1]), &r.last) // a stream's is none
	}
	return answers, nil
}

// find is the member of that name, the outermost.
func find(in any, name string) (any, bool) {
	switch value := in.(type) {
	case map[string]any:
		if found, ok := value[name]; ok {
			return found, true
		}
		for _, key := range slices.Sorted(maps.Keys(value)) {
			if found, ok := find(value[key], name); ok {
				return found, true
			}
		}
	case []any:
		for _, element := range value {
			if found, ok := find(element, name); ok {
				return found, true
			}
		}
	}
	return nil, false
}

const uuidForm = `[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`

// other are members whose value is another at each run, by their form.
var other = map[string]*regexp.Regexp{
	"user_id": regexp.MustCompile("^" + uuidForm + "$"), "cart_id": regexp.MustCompile("^" + uuidForm + "$"),
	"checkout_id": regexp.MustCompile("^" + uuidForm + "$"), "order_id": regexp.MustCompile("^" + uuidForm + "$"),
	"changed_by":   regexp.MustCompile("^merchandiser:" + uuidForm + "$"),
	"access_token": regexp.MustCompile(`^eyJ[\w-]+\.[\w-]+\.[\w-]+$`), "refresh_token": regexp.MustCompile(`^[\w-]{43}$`),
	"next_page_token": regexp.MustCompile(`^[\w.=-]*$`), "etag": regexp.MustCompile(`^"?[0-9a-f-]+"?$`),
	"available": regexp.MustCompile(`^\d+$`), "total_size": regexp.MustCompile(`^\d+$`), "count": regexp.MustCompile(`^\d+$`), "change_id": regexp.MustCompile(`^\d+$`),
}

var moment = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)$`)

// form is that of a member whose value is another at each run, or nil.
func form(name string) *regexp.Regexp {
	if name == "time" || name == "valid_from" || strings.HasSuffix(name, "_time") {
		return moment
	}
	return other[name]
}

// differences tell how an answer isn't as it is shown: in its members, their kinds and values. What is shown may leave members, elements and
// the end of texts out by "...", and nothing else.
func differences(t *testing.T, shown, answered string) []string {
	t.Helper()
	var want, got any
	if err := json.Unmarshal([]byte(spelt(shown)), &want); err != nil {
		return []string{fmt.Sprintf("what is no JSON: %v", err)}
	}
	if err := json.Unmarshal([]byte(answered), &got); err != nil {
		return []string{fmt.Sprintf("JSON: %v", err)}
	}
	return unlike("", "", want, got)
}

const left = "..."

// spelt makes JSON of what is shown: in an object, a left out member is one by that name, in a list it is an element.
func spelt(shown string) string {
	var out strings.Builder
	var within []byte
	quoted := false
	for i := 0; i < len(shown); i++ {
		switch c := shown[i]; {
		case quoted && c == '\\':
			out.WriteByte(c)
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			within = append(within, c)
		case (c == '}' || c == ']') && len(within) > 0:
			within = within[:len(within)-1]
		case strings.HasPrefix(shown[i:], left):
			if len(within) > 0 && within[len(within)-1] == '{' {
				out.WriteString(`"...":true`)
			} else {
				out.WriteString(`"..."`)
			}
			i += len(left) - 1
			continue
		}
		out.WriteByte(shown[i])
	}
	return out.String()
}

func unlike(path, name string, want, got any) (all []string) {
	differs := func() []string { return []string{fmt.Sprintf("%s: %v, and it is %v", path, want, got)} }
	switch want := want.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok {
			return differs()
		}
		for _, member := range slices.Sorted(maps.Keys(want)) {
			if value, there := object[member]; there {
				all = append(all, unlike(path+"."+member, member, want[member], value)...)
			} else if member != left {
				all = append(all, fmt.Sprintf("%s.%s, which isn't answered", path, member))
			}
		}
		for _, member := range slices.Sorted(maps.Keys(object)) {
			if _, told := want[member]; !told && want[left] == nil {
				all = append(all, fmt.Sprintf("nothing of %s.%s", path, member))
			}
		}
		return all
	case []any:
		list, ok := got.([]any)
		more := len(want) > 0 && want[len(want)-1] == left
		if more {
			want = want[:len(want)-1]
		}
		if !ok || len(list) < len(want) || len(list) > len(want) && !more {
			return differs()
		}
		for i := range want {
			all = append(all, unlike(fmt.Sprintf("%s[%d]", path, i), name, want[i], list[i])...)
		}
		return all
	case string:
		text, ok := got.(string)
		start, cut := strings.CutSuffix(want, left)
		switch f := form(name); {
		case !ok:
			return differs()
		case f != nil && (!f.MatchString(text) || !cut && !f.MatchString(want)):
			return differs()
		case f == nil && text != want && (!cut || !strings.HasPrefix(text, start)):
			return differs()
		}
		return nil
	default:
		if want != got {
			return differs()
		}
		return nil
	}
}

// TestPageCatches plants what TestPage is there to find.
func TestPageCatches(t *testing.T) {
	const answered = `{"order_id":"e4d02033-4c66-5ee0-ae80-21d85cabdfeb","state":"CONFIRMED","lines":[{"quantity":2},{"quantity":1}],` +
		`"create_time":"2026-11-23T10:42:09.433124Z","note":"a \"b\"...","reason":null}`
	for shown, want := range map[string]string{
		answered: "",
		`{"order_id":"2691c703-0f7a-4e69-b5d3-bf905de7c187","state":"CONFIRMED",...}`: "",
		`{"lines":[{"quantity":2},...],"note":"a \"...",...}`:                         "",
		`{"lines":[...],...}`:                  "",
		`{...}`:                                "",
		`{"state":"CONFIRMED"}`:                "nothing of .create_time; nothing of .lines; nothing of .note; nothing of .order_id; nothing of .reason",
		`{"state":"PICKING",...}`:              ".state: PICKING, and it is CONFIRMED",
		`{"status":"CONFIRMED",...}`:           ".status, which isn't answered",
		`{"lines":[{"quantity":"2"},...],...}`: ".lines[0].quantity: 2, and it is 2",
		`{"lines":[{"quantity":2}],...}`:       ".lines: [map[quantity:2]], and it is [map[quantity:2] map[quantity:1]]",
		`{"order_id":"4711",...}`:              ".order_id: 4711, and it is e4d02033-4c66-5ee0-ae80-21d85cabdfeb",
		`{"create_time":"yesterday",...}`:      ".create_time: yesterday, and it is 2026-11-23T10:42:09.433124Z",
		`{"reason":"none",...}`:                ".reason: none, and it is <nil>",
		`{"note":"b...",...}`:                  `.note: b..., and it is a "b"...`,
	} {
		if got := strings.Join(differences(t, shown, answered), "; "); got != want {
			t.Errorf("%s: %s, want %s", shown, got, want)
		}
	}
	if _, err := examples("```sh\ntrue\n```\n```json\n{}\n```\nand\n```json\n[]\n```\n"); err == nil {
		t.Error("an answer without a command passes")
	}
}

var (
	route    = regexp.MustCompile("`(GET|POST|PUT|PATCH|DELETE)\\s+(/(?:\\{[^}]*\\}|[^\\s`?{])*)")
	variable = regexp.MustCompile(`\{[^}]*\}`)
)

// TestPageNamesRoutes: each method and path that the page's text names is one of the contract's.
func TestPageNamesRoutes(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, method := range contract.Public() {
		verb, path := method.Route()
		known[verb+" "+variable.ReplaceAllString(path, "{}")] = true
	}
	named := 0
	for _, found := range route.FindAllStringSubmatch(string(text), -1) {
		named++
		if !known[found[1]+" "+variable.ReplaceAllString(found[2], "{}")] {
			t.Errorf("there is no %s %s", found[1], found[2])
		}
	}
	if named < 30 {
		t.Errorf("the page names %d routes only", named)
	}
}
