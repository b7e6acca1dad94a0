package cdc

import (
	"strings"
	"testing"
)

const good = `{"before":null,"after":{"product_id":"bananas-loose","document":"{\"product_id\": \"bananas-loose\",\n \"revision\": 12, \"deleted\": false, \"name\": \"Bananas\"}",` +
	`"checksum":"ab12","revision":12,"deleted":false,"traceparent":"00-1-2-01"},` +
	`"source":{"schema":"products","table":"catalog_documents","lsn":4711,"ts_ms":1790000000000},"transaction":null,"op":"u","ts_ms":1790000000100}`

func TestDecode(t *testing.T) {
	for _, data := range []string{good, `{"schema":{},"payload":` + good + `}`, strings.Replace(good, `"op":"u"`, `"op":"r"`, 1), strings.Replace(good, `"op":"u"`, `"op":"c"`, 1)} {
		got, fault := Decode([]byte(data))
		if fault != nil {
			t.Fatalf("%s: %v", data, fault)
		}
		if got.ProductID != "bananas-loose" || got.Revision != 12 || got.Traceparent != "00-1-2-01" || got.Position != (Position{4711, 1790000000000}) {
			t.Errorf("change = %+v", got)
		}
		if want := `{"product_id":"bananas-loose","revision":12,"deleted":false,"name":"Bananas"}`; string(got.Document) != want {
			t.Errorf("document = %s, want %s in one line", got.Document, want)
		}
	}
}

func TestDecodeDeleted(t *testing.T) {
	got, fault := Decode([]byte(strings.NewReplacer(`\"deleted\": false`, `\"deleted\": true`, `"deleted":false`, `"deleted":true`).Replace(good)))
	if fault != nil || !strings.Contains(string(got.Document), `"deleted":true`) {
		t.Errorf("change = %+v, fault %v, want the marked document", got, fault)
	}
}

func TestDecodePassesOver(t *testing.T) {
	for name, data := range map[string]string{
		"tombstone":       ``,
		"null":            ` null `,
		"heartbeat":       `{"ts_ms":1790000000000}`,
		"begin":           `{"status":"BEGIN","id":"571:53195832","event_count":null,"ts_ms":1}`,
		"schema change":   `{"source":{"lsn":1},"databaseName":"larder","ddl":null,"tableChanges":[{}]}`,
		"row deleted":     `{"before":{"product_id":"a"},"after":null,"source":{"table":"catalog_documents"},"op":"d"}`,
		"truncated":       `{"before":null,"after":null,"source":{"table":"catalog_documents"},"op":"t"}`,
		"logical message": `{"op":"m","message":{"prefix":"heartbeat"},"source":{"table":""}}`,
		"other table":     `{"after":{"id":1},"source":{"table":"heartbeats"},"op":"u"}`,
		"wrapped null":    `{"schema":{},"payload":null}`,
	} {
		if got, fault := Decode([]byte(data)); got != nil || fault != nil {
			t.Errorf("%s: change %+v, fault %v, want neither", name, got, fault)
		}
	}
}

func TestDecodeFaults(t *testing.T) {
	replace := func(old, with string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("%q is not in the message", old)
		}
		return strings.Replace(good, old, with, 1)
	}
	for name, c := range map[string]struct{ data, reason string }{
		"no JSON":              {`{"op":`, Malformed},
		"JSON, no object":      {`[1]`, Malformed},
		"a stranger's":         {`{"hello":"world"}`, UnknownMessage},
		"no op":                {replace(`"op":"u",`, ``), UnknownMessage},
		"unknown op":           {replace(`"op":"u"`, `"op":"x"`), UnknownMessage},
		"no row":               {`{"after":null,"op":"u","source":{"table":"catalog_documents"}}`, InvalidRow},
		"no product":           {replace(`"product_id":"bananas-loose"`, `"product_id":""`), InvalidRow},
		"no checksum":          {replace(`"checksum":"ab12"`, `"checksum":""`), InvalidRow},
		"no deleted":           {replace(`"deleted":false`, `"deleted":null`), InvalidRow},
		"no document":          {`{"after":{"product_id":"a","document":null,"checksum":"c","revision":1,"deleted":false},"op":"c"}`, InvalidRow},
		"revision zero":        {replace(`"revision":12`, `"revision":0`), InvalidRow},
		"revision a fraction":  {replace(`"revision":12`, `"revision":1.5`), Malformed},
		"document unavailable": {`{"after":{"product_id":"a","document":"__debezium_unavailable_value","checksum":"c","revision":1,"deleted":false},"op":"u","source":{"lsn":7}}`, UnavailableValue},
		"document no JSON":     {`{"after":{"product_id":"a","document":"{","checksum":"c","revision":1,"deleted":false},"op":"u"}`, Malformed},
		"document no object":   {`{"after":{"product_id":"a","document":"[]","checksum":"c","revision":1,"deleted":false},"op":"u"}`, Malformed},
		"other product":        {replace(`\"product_id\": \"bananas-loose\"`, `\"product_id\": \"apples\"`), Mismatch},
		"other revision":       {replace(`\"revision\": 12`, `\"revision\": 11`), Mismatch},
		"revision missing":     {replace(`\"revision\": 12,`, ``), Mismatch},
		"deleted in the row":   {replace(`"deleted":false`, `"deleted":true`), Mismatch},
	} {
		got, fault := Decode([]byte(c.data))
		if got != nil || fault == nil || fault.Reason != c.reason {
			t.Errorf("%s: change %+v, fault %v, want %s", name, got, fault, c.reason)
		}
	}
	_, fault := Decode([]byte(replace(`\"revision\": 12`, `\"revision\": 11`)))
	if fault.ProductID != "bananas-loose" || fault.Revision != 12 || fault.Position != (Position{4711, 1790000000000}) {
		t.Errorf("fault = %+v, want product, revision and position", fault)
	}
}
