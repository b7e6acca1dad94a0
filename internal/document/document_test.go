package document_test

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"larder.dev/internal/document"
)

func sum(t *testing.T, text string) string {
	t.Helper()
	got, err := document.Checksum([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return got
}

// Two services compare checksums, and may be of two releases: the form is written out here, so that a change is seen.
func TestCanonicalForm(t *testing.T) {
	form := sha256.Sum256([]byte(`{"10":1,"9":2,"a":[2,1,{"b":0.10,"c":null}],"name":"Crème & <Jam>"}`))
	for _, text := range []string{
		`{"10":1,"9":2,"a":[2,1,{"b":0.10,"c":null}],"name":"Crème & <Jam>"}`,
		`{"name": "Cr\u00e8me \u0026 <Jam>", "revision": 7, "a": [2, 1, {"c": null, "b": 0.10}], "9": 2, "10": 1}`,
		"\n{\"revision\":9223372036854775807,\n\"a\":[2,1,{\"b\":0.10,\"c\":null}],\"name\":\"Crème & <Jam>\",\"9\":2,\"10\":1}\n",
	} {
		if got, want := sum(t, text), hex.EncodeToString(form[:]); got != want {
			t.Errorf("%s has the checksum %s, want %s", text, got, want)
		}
	}
}

func TestOtherContentIsAnotherSum(t *testing.T) {
	seen := map[string]string{}
	for _, text := range []string{
		`{}`, `{"price":1}`, `{"price":1.0}`, `{"price":"1"}`, `{"price":null}`, `{"price":9007199254740993}`, `{"price":9007199254740992}`,
		`{"prices":{"revision":1}}`, `{"prices":{"revision":2}}`, `{"tags":["a","b"]}`, `{"tags":["b","a"]}`, `{"deleted":true}`, `{"deleted":false}`,
	} {
		got := sum(t, text)
		if seen[got] != "" {
			t.Errorf("%s and %s have the same checksum", text, seen[got])
		}
		seen[got] = text
	}
}

func TestWhatIsNoDocument(t *testing.T) {
	for _, text := range []string{``, `null`, `[]`, `"{}"`, `{`, `{}{}`, `{} x`, `{"a":01}`} {
		if got, err := document.Checksum([]byte(text)); err == nil {
			t.Errorf("%s has the checksum %s", text, got)
		}
	}
}
