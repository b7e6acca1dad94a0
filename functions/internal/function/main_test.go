package function

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A panic ends its call only; readiness is answered whatever the function does.
func TestHandler(t *testing.T) {
	handler := Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("out of order") }))
	for target, want := range map[string]int{"GET /readyz": http.StatusOK, "POST /": http.StatusInternalServerError, "POST /readyz": http.StatusInternalServerError} {
		method, path, _ := strings.Cut(target, " ")
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, httptest.NewRequest(method, path, http.NoBody))
		if answer.Code != want {
			t.Errorf("%s: %d, want %d", target, answer.Code, want)
		}
	}
}
