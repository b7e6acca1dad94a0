// Package test drives the running platform by its public ways in only: the edge, and the payment provider's own list. Of the
// rest of the repository it knows the contract in api/.
package test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// setting is a variable of the running profile's environment.
func setting(t *testing.T, name string) string {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		t.Fatalf("%s is not set: run by make test, or after make up PROFILE=test and eval \"$(local/env.sh test)\"", name)
	}
	return value
}

// message is an HTTP request as it goes over the wire: nothing tidies its path, its headers or its body.
type message struct {
	method, target, token string
	// headers are whole lines; {key} becomes a new Idempotency-Key.
	headers []string
	body    string
	// chunked sends the body without telling its length before.
	chunked bool
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	text   string
	body   any
}

func (m message) send(t *testing.T, address string) answer {
	t.Helper()
	connection, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(context.WithoutCancel(t.Context()), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	if err := connection.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	// In the background: a body that is refused before its end is never read to its end.
	go func() { _, _ = connection.Write(m.bytes(address)) }()
	response, err := http.ReadResponse(bufio.NewReader(connection), &http.Request{Method: m.method})
	if err != nil {
		t.Fatalf("%s %.200s: %v", m.method, m.target, err)
	}
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("%s %.200s: %v", m.method, m.target, err)
	}
	a := answer{status: response.StatusCode, header: response.Header, text: string(text)}
	_ = json.Unmarshal(text, &a.body) // what is no JSON leaves nothing to find
	return a
}

func (m message) bytes(address string) []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n", m.method, m.target, address)
	if m.token != "" {
		fmt.Fprintf(&out, "Authorization: Bearer %s\r\n", m.token)
	}
	typed := false
	for _, line := range m.headers {
		typed = typed || strings.HasPrefix(line, "Content-Type:")
		fmt.Fprintf(&out, "%s\r\n", strings.ReplaceAll(line, "{key}", uuid.NewString()))
	}
	if m.body != "" && !typed {
		out.WriteString("Content-Type: application/json\r\n")
	}
	if m.chunked {
		out.WriteString("Transfer-Encoding: chunked\r\n\r\n")
		chunks := httputil.NewChunkedWriter(&out)
		_, _ = chunks.Write([]byte(m.body)) // a buffer takes all
		_ = chunks.Close()
		out.WriteString("\r\n")
		return out.Bytes()
	}
	fmt.Fprintf(&out, "Content-Length: %d\r\n\r\n%s", len(m.body), m.body)
	return out.Bytes()
}

// at reads a value by its path: "orders.0.order_id". What isn't there is nil.
func (a answer) at(path string) any {
	value := a.body
	for key := range strings.SplitSeq(path, ".") {
		switch v := value.(type) {
		case map[string]any:
			value = v[key]
		case []any:
			var i int
			if _, err := fmt.Sscan(key, &i); err != nil || i >= len(v) {
				return nil
			}
			value = v[i]
		default:
			return nil
		}
	}
	return value
}

func (a answer) word(path string) string {
	text, _ := a.at(path).(string)
	return text
}

func (a answer) list(path string) []any {
	list, _ := a.at(path).([]any)
	return list
}

// detail is the first detail of an error whose type ends with a name.
func (a answer) detail(kind string) answer {
	for _, detail := range a.list("error.details") {
		found := answer{body: detail}
		if strings.HasSuffix(found.word("@type"), "."+kind) {
			return found
		}
	}
	return answer{}
}

func (a answer) String() string { return fmt.Sprintf("%d %.1000s", a.status, a.text) }
