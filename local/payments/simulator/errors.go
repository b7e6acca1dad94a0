package simulator

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// Error types of Stripe's API: https://docs.stripe.com/api/errors
const (
	typeAPI            = "api_error"
	typeCard           = "card_error"
	typeIdempotency    = "idempotency_error"
	typeInvalidRequest = "invalid_request_error"
)

const codeUnexpectedState = "payment_intent_unexpected_state"

// apiError is an answer that is not a success.
type apiError struct {
	status      int
	Type        string          `json:"type"`
	Code        string          `json:"code,omitempty"`
	DeclineCode string          `json:"decline_code,omitempty"`
	Message     string          `json:"message"`
	Param       string          `json:"param,omitempty"`
	Charge      string          `json:"charge,omitempty"`
	DocURL      string          `json:"doc_url,omitempty"`
	Intent      json.RawMessage `json:"payment_intent,omitempty"`
	Method      any             `json:"payment_method,omitempty"`

	// refused tells that the call was not executed, so its idempotency key is not remembered.
	refused bool
}

func (e *apiError) body() json.RawMessage { return mustJSON(map[string]*apiError{"error": e}) }

func docURL(code string) string {
	if code == "" {
		return ""
	}
	return "https://stripe.com/docs/error-codes/" + code
}

func invalid(param, code, format string, args ...any) *apiError {
	return &apiError{
		status: http.StatusBadRequest, Type: typeInvalidRequest, Code: code, Param: param, DocURL: docURL(code),
		Message: fmt.Sprintf(format, args...), refused: true,
	}
}

func missing(param, kind, id string) *apiError {
	e := invalid(param, "resource_missing", "There is no %s with the id %q.", kind, id)
	e.status = http.StatusNotFound
	return e
}

func unexpectedState(in *Intent, verb string) *apiError {
	return &apiError{
		status: http.StatusBadRequest, Type: typeInvalidRequest, Code: codeUnexpectedState, DocURL: docURL(codeUnexpectedState),
		Message: fmt.Sprintf("The payment intent is in status %s, which does not allow %s.", in.Status, verb),
		Intent:  mustJSON(in.wire(nil)),
	}
}

// declined is the answer to a confirmation that the issuer refused.
func declined(in *Intent) *apiError {
	le := in.LastError
	return &apiError{
		status: http.StatusPaymentRequired, Type: le.Type, Code: le.Code, DeclineCode: le.DeclineCode, Message: le.Message,
		Charge: le.Charge, DocURL: docURL(le.Code), Method: methodWire(le.Method), Intent: mustJSON(in.wire(nil)),
	}
}

func internal(message string) *apiError {
	return &apiError{status: http.StatusInternalServerError, Type: typeAPI, Message: message, refused: true}
}

// mustJSON marshals this package's own types, which always can be.
func mustJSON(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(mustJSON(v), '\n'))
}
