package test

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	accesspb "larder.dev/api/access/v1"
	_ "larder.dev/api/cart/v1"
	_ "larder.dev/api/checkout/v1"
	_ "larder.dev/api/order/v1"
	_ "larder.dev/api/payment/v1"
	_ "larder.dev/api/product/v1"
	_ "larder.dev/api/search/v1"
	_ "larder.dev/api/stock/v1"
	_ "larder.dev/api/user/v1"
)

// row is one bad request and what it is told.
type row struct {
	// rpc is the method of the contract that it tries, without its package: "CartService.GetCart". Empty: none.
	rpc, what string
	// as names a token of the world.
	as string
	// request is method and target: "GET /v1/carts/me".
	request, body string
	// want is the HTTP status, the reason and the violated fields: "400 INVALID_ARGUMENT quantity". A status of 200 alone
	// is for what looks bad and is data.
	want    string
	headers []string
	chunked bool
}

// TestBadInput puts every row to the platform. Whatever is asked, the answer is a coded error in the platform's own form, tells
// nothing internal and nothing of anybody else, and afterwards everything is as it was before.
func TestBadInput(t *testing.T) {
	w := newWorld(t)
	rows := w.rows(t)
	t.Run("every public method is tried", func(t *testing.T) { covered(t, rows) })

	before := w.kept(t, nil)
	var checkouts []string
	for _, r := range rows {
		t.Run(r.rpc+" "+r.what, func(t *testing.T) {
			a := r.send(t, w)
			r.check(t, w, a)
			if id := a.detail("ErrorInfo").word("metadata.checkout_id"); id != "" {
				checkouts = append(checkouts, id)
			}
		})
	}
	if len(checkouts) == 0 {
		t.Error("no refused checkout tells its id")
	}
	t.Run("nothing is lost", func(t *testing.T) {
		after := w.kept(t, checkouts)
		for name, was := range before {
			if after[name] != was {
				t.Errorf("%s was\n%s\nand is\n%s", name, was, after[name])
			}
		}
	})
	t.Logf("%d rows", len(rows))
}

func (r row) send(t *testing.T, w *world) answer {
	t.Helper()
	token, known := w.tokens[r.as]
	if !known {
		t.Fatalf("nobody is called %q", r.as)
	}
	method, target, _ := strings.Cut(r.request, " ")
	return message{method: method, target: target, token: token, headers: r.headers, body: r.body, chunked: r.chunked}.send(t, w.edge)
}

func (r row) check(t *testing.T, w *world, a answer) {
	t.Helper()
	if got := seen(a); got != r.want {
		t.Errorf("%.300s %.300s\ngot  %s\nwant %s\n%s", r.request, r.body, got, r.want, a)
	}
	if a.status >= 500 {
		t.Errorf("a fault of ours: %s", a)
	}
	if a.header.Get("X-Request-Id") == "" {
		t.Error("no X-Request-Id")
	}
	if a.status >= 400 {
		inForm(t, a)
	}
	if inside := internals.FindString(strings.ToLower(opaque.ReplaceAllString(a.text, `""`))); inside != "" && !strings.Contains(strings.ToLower(r.request+r.body), inside) {
		t.Errorf("the answer has %q: %s", inside, a)
	}
	for _, secret := range []string{w.other.id, w.other.email, w.other.order, w.other.address, otherName, "Hidden Mews", "N1 9GU", "442079460123"} {
		// What the caller has said may be said to the caller.
		if r.as != "other" && strings.Contains(a.text, secret) && !strings.Contains(r.request+r.body, secret) {
			t.Errorf("the answer has the other shopper's %q: %s", secret, a)
		}
	}
}

// seen writes an answer the way that a row states what it wants.
func seen(a answer) string {
	text := strconv.Itoa(a.status)
	if reason := a.detail("ErrorInfo").word("reason"); reason != "" {
		text += " " + reason
	}
	var fields []string
	for _, violation := range a.detail("BadRequest").list("field_violations") {
		fields = append(fields, answer{body: violation}.word("field"))
	}
	slices.Sort(fields)
	if fields = slices.Compact(fields); len(fields) > 0 {
		text += " " + strings.Join(fields, ",")
	}
	return text
}

// inForm wants {"error": {"code", "message", "status", "details"}} with one ErrorInfo of ours (AIP-193).
func inForm(t *testing.T, a answer) {
	t.Helper()
	if kind := a.header.Get("Content-Type"); kind != "application/json" {
		t.Errorf("content type %q", kind)
	}
	if a.at("error.code") != float64(a.status) || a.word("error.message") == "" || a.word("error.status") == "" {
		t.Errorf("not the platform's form of an error: %s", a)
	}
	if a.detail("ErrorInfo").word("domain") != "larder.dev" {
		t.Errorf("no ErrorInfo of larder.dev: %s", a)
	}
	if retry := a.header.Get("Retry-After"); a.status == http.StatusTooManyRequests && retry == "" {
		t.Error("no Retry-After")
	}
}

// internals are words that only we use, and addresses.
var internals = regexp.MustCompile(`pq:|sqlstate|pgx|postgres|redis|spanner|elastic|lucene|goroutine|\.go:|panic|runtime error|stack|internal/|` +
	`rpc error|code = |dial tcp|connection refused|\d+\.\d+\.\d+\.\d+:\d+|localhost|grpc|proto:|proto syntax|protobuf`)

// opaque are tokens, whose random letters spell a short word now and then.
var opaque = regexp.MustCompile(`"[a-z_]*token" *: *"[^"]*"`)

// method is a public method of the contract.
type method struct {
	name, verb, template string
	hasBody, anyone      bool
	// roles has those that may call it.
	roles map[string]bool
}

// public walks the contract for the methods that REST has.
func public() []method {
	var found []method
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			for j := range service.Methods().Len() {
				descriptor := service.Methods().Get(j)
				rule, ok := proto.GetExtension(descriptor.Options(), annotations.E_Http).(*annotations.HttpRule)
				if !ok || rule == nil || !strings.HasPrefix(string(descriptor.FullName()), "larder.") {
					continue
				}
				m := method{name: fmt.Sprintf("%s.%s", service.Name(), descriptor.Name()), hasBody: rule.GetBody() != ""}
				access, _ := proto.GetExtension(descriptor.Options(), accesspb.E_Rule).(*accesspb.Rule)
				m.anyone = slices.Contains(access.GetCallers(), accesspb.Caller_CALLER_ANYONE)
				m.roles = map[string]bool{}
				for _, caller := range access.GetCallers() {
					m.roles[strings.ToLower(strings.TrimPrefix(caller.String(), "CALLER_"))] = true
				}
				switch pattern := rule.GetPattern().(type) {
				case *annotations.HttpRule_Get:
					m.verb, m.template = "GET", pattern.Get
				case *annotations.HttpRule_Put:
					m.verb, m.template = "PUT", pattern.Put
				case *annotations.HttpRule_Post:
					m.verb, m.template = "POST", pattern.Post
				case *annotations.HttpRule_Delete:
					m.verb, m.template = "DELETE", pattern.Delete
				case *annotations.HttpRule_Patch:
					m.verb, m.template = "PATCH", pattern.Patch
				}
				found = append(found, m)
			}
		}
		return true
	})
	slices.SortFunc(found, func(a, b method) int { return strings.Compare(a.name, b.name) })
	return found
}

// covered wants at least two rows for each public method, and no row for a method that there isn't.
func covered(t *testing.T, rows []row) {
	t.Helper()
	count := map[string]int{}
	for _, r := range rows {
		count[r.rpc]++
	}
	methods := public()
	for _, m := range methods {
		if count[m.name] < 2 {
			t.Errorf("%s (%s %s) has %d rows: write two at least", m.name, m.verb, m.template, count[m.name])
		}
		delete(count, m.name)
	}
	delete(count, "")
	for name := range count {
		t.Errorf("rows try %s, which isn't in the contract", name)
	}
	if len(methods) < 25 {
		t.Errorf("the contract has %d public methods only: where are the others?", len(methods))
	}
}
