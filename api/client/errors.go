package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Error is a refusal by the API.
type Error struct {
	// Status is the HTTP status, Code the gRPC code: 409, FAILED_PRECONDITION.
	Status int
	Code   string
	// Reason is one of docs/errors.md, and what to decide by. It is empty where something else than the API has answered.
	Reason   string
	Metadata map[string]string
	// Message is for people who look for a fault; it may change.
	Message string
	// Violations are the fields that are at fault, of INVALID_ARGUMENT.
	Violations []Violation
	// Details are all details as they came, protobuf's JSON form with "@type": PRICE_CHANGED has the new breakdown there.
	Details []json.RawMessage
	// RetryAfter is when it makes sense to try again; 0: not told.
	RetryAfter time.Duration
	// RequestID finds the request in the platform's logs.
	RequestID string

	method, path string
}

// Violation is a field and what it must be.
type Violation struct {
	Field       string `json:"field"`
	Description string `json:"description"`
}

// Error implements error. It holds nothing of the request but its path.
func (e *Error) Error() string {
	text := fmt.Sprintf("%s %s: %d %s: %s", e.method, e.path, e.Status, e.Reason, e.Message)
	for _, v := range e.Violations {
		text += fmt.Sprintf("; %s %s", v.Field, v.Description)
	}
	return text
}

// ReasonOf is the reason of the refusal in err, or "" for any other error and for none.
func ReasonOf(err error) string {
	if refusal := new(Error); errors.As(err, &refusal) {
		return refusal.Reason
	}
	return ""
}

// errorOf reads an answer that isn't 2xx. What isn't the API's form, from a proxy for example, is an Error without a reason.
func errorOf(message message, response *http.Response, text []byte) *Error {
	e := &Error{
		Status: response.StatusCode, Message: http.StatusText(response.StatusCode), RequestID: response.Header.Get("X-Request-Id"),
		method: message.verb, path: message.path[:strings.IndexByte(message.path+"?", '?')],
	}
	if seconds, err := strconv.ParseUint(response.Header.Get("Retry-After"), 10, 31); err == nil {
		e.RetryAfter = time.Duration(seconds) * time.Second //nolint:gosec // 31 bits
	}
	var body struct {
		Error struct {
			Status  string            `json:"status"`
			Message string            `json:"message"`
			Details []json.RawMessage `json:"details"`
		} `json:"error"`
	}
	if err := json.Unmarshal(text, &body); err != nil || body.Error.Status == "" {
		return e
	}
	e.Code, e.Message, e.Details = body.Error.Status, body.Error.Message, body.Error.Details
	for _, detail := range e.Details {
		var known struct {
			Type       string            `json:"@type"`
			Reason     string            `json:"reason"`
			Metadata   map[string]string `json:"metadata"`
			Violations []Violation       `json:"field_violations"`
		}
		if json.Unmarshal(detail, &known) != nil {
			continue // a detail of another form; it is in Details
		}
		switch {
		case strings.HasSuffix(known.Type, "/google.rpc.ErrorInfo"):
			e.Reason, e.Metadata = known.Reason, known.Metadata
		case strings.HasSuffix(known.Type, "/google.rpc.BadRequest"):
			e.Violations = known.Violations
		}
	}
	return e
}
