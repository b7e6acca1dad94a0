package serve

import (
	"context"
	"net/http"
	"regexp"

	"larder.dev/internal/fault"
)

var idempotencyKeyForm = regexp.MustCompile(`^[A-Za-z0-9_-]{8,100}$`)

// IdempotencyKey returns the request's header Idempotency-Key: 8 to 100 letters, digits, - and _, chosen by the caller for
// one intention. Errors: IDEMPOTENCY_KEY_REQUIRED for a missing, malformed or repeated one.
func IdempotencyKey(ctx context.Context) (string, error) {
	return idempotencyKey(headers(ctx, "idempotency-key"))
}

// IdempotencyKeyOf is IdempotencyKey for a handler of plain HTTP.
func IdempotencyKeyOf(r *http.Request) (string, error) {
	return idempotencyKey(r.Header.Values("Idempotency-Key"))
}

func idempotencyKey(keys []string) (string, error) {
	if len(keys) != 1 || !idempotencyKeyForm.MatchString(keys[0]) {
		return "", fault.IdempotencyKeyRequired.New("this method needs one Idempotency-Key of 8 to 100 letters, digits, - and _")
	}
	return keys[0], nil
}
