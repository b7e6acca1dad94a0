package cdc_test

import (
	"encoding/json"
	"testing"

	"larder.dev/pipelines/internal/cdc"
)

// Whatever comes from the log is a change that can be written, a message that is none, or a fault with its reason.
func FuzzDecode(f *testing.F) {
	for _, message := range []string{
		`{"op":"u","source":{"table":"catalog_documents","lsn":7,"ts_ms":1763890200000},"after":{"product_id":"bananas","document":"{\"name\":\"Bananas\"}","checksum":"x","revision":3,"deleted":false,"traceparent":""}}`,
		`{"payload":{"op":"c","after":{"product_id":"bananas","document":{},"revision":1,"deleted":true}}}`,
		`{"op":"d"}`, `{"op":"m"}`, `{"ts_ms":1}`, `{"status":"BEGIN"}`, `{"op":"x"}`, `null`, ``, `{`, `[]`, `{"op":"u","after":null}`, `{"op":"u","after":{"revision":-1}}`,
		`{"payload":{"payload":{"payload":null}}}`, `{"op":"u","after":{"product_id":"a\u0000","document":"{","revision":1,"deleted":false}}`,
	} {
		f.Add([]byte(message))
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		change, fault := cdc.Decode(message)
		if change != nil && fault != nil {
			t.Fatalf("a change and a fault: %+v, %v", change, fault)
		}
		if fault != nil && (fault.Reason == "" || fault.Error() == "") {
			t.Fatalf("a fault without a reason: %+v", fault)
		}
		if change == nil {
			return
		}
		if change.ProductID == "" || change.Revision < 1 {
			t.Fatalf("a change of nothing: %+v", change)
		}
		if !json.Valid(change.Document) {
			t.Fatalf("a document that is no JSON: %q", change.Document)
		}
	})
}
