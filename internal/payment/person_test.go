package payment_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"larder.dev/internal/payment"
)

// Of a frozen checkout everything stays but the address, and of that the country.
func TestWithoutPerson(t *testing.T) {
	for before, want := range map[string]string{
		`{"user_id":"u","lines":[{"ProductID":"milk"}],"address":{"recipient":"Ada","postcode":"SW1Y 4JH","country":"GB"},"later":1}`: `{"user_id":"u","lines":[{"ProductID":"milk"}],"address":{"country":"GB"},"later":1}`,
		`{"user_id":"u","address":{"country":"GB"}}`: `{"user_id":"u","address":{"country":"GB"}}`,
		`{"user_id":"u","address":null}`:             `{"user_id":"u","address":{}}`,
		`{"user_id":"u"}`:                            `{"user_id":"u"}`,
	} {
		after, err := payment.Record{Request: []byte(before)}.WithoutPerson()
		var got, expected any
		if err != nil || json.Unmarshal(after, &got) != nil || json.Unmarshal([]byte(want), &expected) != nil || !reflect.DeepEqual(got, expected) {
			t.Errorf("%s became %s, %v", before, after, err)
		}
	}
	for _, broken := range []string{``, `[]`, `{"address":1}`} {
		if _, err := (payment.Record{Request: []byte(broken)}).WithoutPerson(); err == nil {
			t.Errorf("%q is taken for a checkout", broken)
		}
	}
}

// A payment that was voided keeps no address.
func TestVoidingForgetsTheAddress(t *testing.T) {
	b := open(t, nil)
	id, _ := b.sell()
	if record, err := b.store.Read(t.Context(), id); err != nil || !reflect.DeepEqual(addressOf(t, record), map[string]any{"country": "GB", "recipient": "Ada"}) {
		t.Fatalf("before: %v, %v", addressOf(t, record), err)
	}
	b.cancel(id, payment.Authorized)
	if _, err := b.Void(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	record, err := b.store.Read(t.Context(), id)
	if err != nil || !reflect.DeepEqual(addressOf(t, record), map[string]any{"country": "GB"}) {
		t.Errorf("afterwards: %v, %v", addressOf(t, record), err)
	}
}

func addressOf(t *testing.T, record payment.Record) any {
	t.Helper()
	var frozen map[string]any
	if err := json.Unmarshal(record.Request, &frozen); err != nil {
		t.Fatal(err)
	}
	return frozen["address"]
}
