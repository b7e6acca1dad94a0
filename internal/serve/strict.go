package serve

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/grpc-ecosystem/grpc-gateway/v2/utilities"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// strictJSON refuses what stands behind the value of a body. The gateway would pass over it.
type strictJSON struct{ runtime.JSONPb }

// NewDecoder implements runtime.Marshaler.
func (s *strictJSON) NewDecoder(r io.Reader) runtime.Decoder {
	decoder := json.NewDecoder(r)
	return runtime.DecoderFunc(func(v any) error {
		if err := (runtime.DecoderWrapper{Decoder: decoder, UnmarshalOptions: s.UnmarshalOptions}).Decode(v); err != nil {
			return err
		}
		switch _, err := decoder.Token(); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		default:
			return errors.New("more than one value")
		}
	})
}

// strictQuery refuses query parameters that name no field. The gateway would pass over them, and answer another question than
// the caller asked.
type strictQuery struct{ runtime.DefaultQueryParser }

// Parse implements runtime.QueryParameterParser.
func (s *strictQuery) Parse(message proto.Message, values url.Values, filter *utilities.DoubleArray) error {
	for key := range values {
		name, _, _ := strings.Cut(key, "[") // the key of a map's entry
		if !names(message.ProtoReflect().Descriptor(), strings.Split(name, ".")) {
			return fmt.Errorf("no field %q", key)
		}
	}
	return s.DefaultQueryParser.Parse(message, values, filter)
}

// names tells whether a path leads to a field, by names of the proto or of JSON.
func names(message protoreflect.MessageDescriptor, path []string) bool {
	for _, name := range path {
		if message == nil {
			return false
		}
		field := message.Fields().ByTextName(name)
		if field == nil {
			field = message.Fields().ByJSONName(name)
		}
		if field == nil {
			return false
		}
		message = field.Message()
	}
	return true
}
