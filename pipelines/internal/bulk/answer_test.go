package bulk

import "testing"

func TestOutcome(t *testing.T) {
	for _, c := range []struct {
		status int
		kind   string
		want   outcome
	}{
		{200, "", written},
		{201, "", written},
		{409, "version_conflict_engine_exception", superseded},
		{409, "resource_locked", retry},
		{400, "document_parsing_exception", refused},
		{400, "illegal_argument_exception", refused},
		{413, "", refused},
		{404, "index_not_found_exception", gone},
		{401, "security_exception", retry},
		{403, "cluster_block_exception", retry},
		{408, "", retry},
		{429, "es_rejected_execution_exception", retry},
		{500, "null_pointer_exception", retry},
		{503, "unavailable_shards_exception", retry},
		{0, "", retry},
	} {
		i := item{Status: c.status}
		i.Error.Type = c.kind
		if got := i.outcome(); got != c.want {
			t.Errorf("%d %s: %s, want %s", c.status, c.kind, got, c.want)
		}
	}
}

func TestReadNeedsAStatusForEachDocument(t *testing.T) {
	for name, answer := range map[string]string{
		"too few":      `{"items":[{"index":{"status":200}}]}`,
		"too many":     `{"items":[{"index":{"status":200}},{"index":{"status":200}},{"index":{"status":200}}]}`,
		"other action": `{"items":[{"index":{"status":200}},{"create":{"status":200}}]}`,
		"no answer":    `{}`,
		"no JSON":      `<html>`,
	} {
		if items, err := read([]byte(answer), 2); err == nil {
			t.Errorf("%s: %v, want an error", name, items)
		}
	}
	items, err := read([]byte(`{"items":[{"index":{"status":201}},{"index":{"status":400,"error":{"type":"t","reason":"r"}}}]}`), 2)
	if err != nil || items[0].outcome() != written || items[1].outcome() != refused || items[1].detail() != "400 t: r" {
		t.Errorf("items = %+v, %v", items, err)
	}
}
