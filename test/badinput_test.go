package test

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	accesspb "larder.dev/api/access/v1"
	"larder.dev/internal/contract"
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
	// general is what any method is tried with, whatever it takes.
	general bool
	// page is a page's refusal, in words.
	page bool
}

// TestBadInput puts every row to the platform. Whatever is asked, the answer is a coded error in the platform's own form, tells
// nothing internal and nothing of anybody else, and afterwards everything is as it was before.
func TestBadInput(t *testing.T) {
	w := newWorld(t)
	rows := w.rows(t)
	t.Run("everything that is described is tried", func(t *testing.T) {
		for _, gap := range gaps(rows, described(t)) {
			t.Error(gap)
		}
	})

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
	switch {
	case r.page:
		if kind, policy := a.header.Get("Content-Type"), a.header.Get("Content-Security-Policy"); !strings.HasPrefix(kind, "text/html") || !strings.Contains(policy, "default-src 'none'") {
			t.Errorf("a page of type %q with the policy %q", kind, policy)
		}
	case a.status >= 400:
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
	// body is the field that the body sets, "*" for all, "" without one.
	body   string
	anyone bool
	// roles has those that may call it.
	roles map[string]bool
}

// public are the methods that REST has.
func public() (found []method) {
	for _, described := range contract.Public() {
		m := method{
			name: fmt.Sprintf("%s.%s", described.Parent().Name(), described.Name()), body: described.HTTP.GetBody(),
			anyone: slices.Contains(described.Rule.GetCallers(), accesspb.Caller_CALLER_ANYONE), roles: map[string]bool{},
		}
		m.verb, m.template = described.Route()
		for _, caller := range described.Rule.GetCallers() {
			m.roles[strings.ToLower(strings.TrimPrefix(caller.String(), "CALLER_"))] = true
		}
		found = append(found, m)
	}
	return found
}
