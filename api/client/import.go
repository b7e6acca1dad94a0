package client

import (
	"context"
	"fmt"
	"io"
	"os"

	"google.golang.org/protobuf/encoding/protojson"

	productpb "larder.dev/api/product/v1"
)

// ImportProducts is POST /v1/products:import: a file of products, one a line, of the content type application/x-ndjson or text/csv. key
// becomes the import's id. The file is sent once, as it is read; after an error the same call with the same file goes on where the import
// stands. HTTP's Timeout bounds the whole. An *os.File, or a reader with a method Remaining() int64, is sent with its size, so that who watches
// the import sees how much is left.
func (c *Client) ImportProducts(ctx context.Context, key, contentType string, file io.Reader) (*productpb.Import, error) {
	message := message{verb: "POST", path: "/v1/products:import", header: map[string][]string{
		"Accept": {"application/json"}, "Content-Type": {contentType}, "Idempotency-Key": {key},
	}}
	token, err := c.token(ctx, message)
	if err != nil {
		return nil, err
	}
	response, err := c.openWith(ctx, message, token, file, remaining(file))
	if err != nil {
		if ReasonOf(err) == "TOKEN_EXPIRED" {
			c.expire(token) // the next call comes with a new one
		}
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("import: %w", err)
	}
	answer := new(productpb.Import)
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(text, answer); err != nil {
		return nil, fmt.Errorf("import: read the answer: %w", err)
	}
	return answer, nil
}

// remaining is how much there is to read of a file, bytes; 0: it doesn't tell.
func remaining(file io.Reader) int64 {
	switch f := file.(type) {
	case interface{ Remaining() int64 }:
		return f.Remaining()
	case *os.File:
		info, err := f.Stat()
		if err != nil || !info.Mode().IsRegular() {
			return 0
		}
		if at, err := f.Seek(0, io.SeekCurrent); err == nil {
			return max(info.Size()-at, 0)
		}
	}
	return 0
}
