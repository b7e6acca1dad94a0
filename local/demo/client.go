package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// answer is what came back: the status and the decoded body.
type answer struct {
	status int
	body   any
}

// call sends JSON. Headers are pairs of name and value. An error means that there was no answer in JSON.
func (d *demo) call(ctx context.Context, method, path, token string, body any, headers ...string) (answer, error) {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return answer{}, err
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://"+d.config.Edge+path, content)
	if err != nil {
		return answer{}, err
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	return d.send(request)
}

func (d *demo) send(request *http.Request) (answer, error) {
	response, err := d.http.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	a := answer{status: response.StatusCode}
	if err := json.NewDecoder(response.Body).Decode(&a.body); err != nil {
		return a, fmt.Errorf("%s %s: %d, no JSON: %w", request.Method, request.URL.Path, response.StatusCode, err)
	}
	return a, nil
}

// must is call with a status that is expected.
func (d *demo) must(ctx context.Context, want int, method, path, token string, body any, headers ...string) (answer, error) {
	a, err := d.call(ctx, method, path, token, body, headers...)
	if err == nil && a.status != want {
		err = fmt.Errorf("%s %s: %s, want %d", method, path, a, want)
	}
	return a, err
}

func (a answer) String() string {
	text, err := json.Marshal(a.body)
	if err != nil {
		return fmt.Sprint(a.status)
	}
	return fmt.Sprintf("%d %.600s", a.status, text)
}

// at reads a value by its path: "hits.0.name". What isn't there is nil.
func (a answer) at(path string) any { return at(a.body, path) }

func at(value any, path string) any {
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

func (a answer) text(path string) string {
	text, _ := a.at(path).(string)
	return text
}

func (a answer) list(path string) []any {
	list, _ := a.at(path).([]any)
	return list
}

// minor reads an amount of money.
func (a answer) minor(path string) int64 { return number(a.at(path + ".minor_units")) }

// number reads JSON's numbers and protobuf JSON's 64-bit integers, which are strings.
func number(value any) int64 {
	switch v := value.(type) {
	case float64:
		return int64(v)
	case string:
		var n int64
		if _, err := fmt.Sscan(v, &n); err == nil {
			return n
		}
	}
	return -1
}

// reason is the stable reason of an error.
func (a answer) reason() string {
	for _, detail := range a.list("error.details") {
		if reason, ok := at(detail, "reason").(string); ok {
			return reason
		}
	}
	return ""
}

// detail is the typed detail of an error whose type ends with a name.
func (a answer) detail(name string) answer {
	for _, detail := range a.list("error.details") {
		if kind, _ := at(detail, "@type").(string); strings.HasSuffix(kind, "."+name) {
			return answer{status: a.status, body: detail}
		}
	}
	return answer{}
}

// refused wants an error of a status and reason.
func (a answer) refused(status int, reason string) error {
	if a.status != status || a.reason() != reason {
		return fmt.Errorf("%s, want %d %s", a, status, reason)
	}
	return nil
}

// eventually asks until the answer is as wanted, and returns how long that took.
func eventually(ctx context.Context, within time.Duration, ask func() error) (time.Duration, error) {
	began := time.Now()
	for {
		err := ask()
		took := time.Since(began)
		if err == nil {
			return took, nil
		}
		if took > within {
			return took, fmt.Errorf("after %s: %w", took.Round(time.Millisecond), err)
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return took, ctx.Err()
		}
	}
}
