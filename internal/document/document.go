// Package document compares documents of the catalogue wherever they lie: in PostgreSQL as jsonb, in Elasticsearch as it was sent.
//
// The canonical form of a document is its JSON without spaces, with the keys of each object sorted bytewise, lists in their order,
// numbers digit by digit as they are written, and without the field "revision" at the top: that is compared by itself, and
// the same content sent twice is the same content. PostgreSQL keeps a jsonb's keys in an order of its own, the pipeline sends its
// text without spaces, and Elasticsearch gives a _source back as it came: so texts differ where documents don't.
package document

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Checksum returns the SHA-256 of a document's canonical form, hexadecimal. Error: the text is not one JSON object.
func Checksum(document []byte) (string, error) {
	canonical, err := canonical(document)
	if err != nil {
		return "", fmt.Errorf("read a document: %w", err)
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:]), nil
}

func canonical(document []byte) ([]byte, error) {
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.UseNumber() // 1, 1.0 and 1e0 stay three, and no digit of an int64 is lost
	var fields map[string]any
	if err := decoder.Decode(&fields); err != nil {
		return nil, err
	}
	if fields == nil {
		return nil, errors.New("null is no object")
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one value")
	}
	delete(fields, "revision")
	var line bytes.Buffer
	encoder := json.NewEncoder(&line) // sorts keys
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(fields); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(line.Bytes(), []byte("\n")), nil
}
