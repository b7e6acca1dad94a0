package serve

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protopath"
	"google.golang.org/protobuf/reflect/protorange"

	"larder.dev/internal/fault"
)

// plainText refuses a message with text that is no UTF-8, or a control character other than tab and line ends, in any of its
// strings. None of our fields has a use for them, and PostgreSQL can't keep NUL at all.
func plainText(message proto.Message) error {
	return protorange.Range(message.ProtoReflect(), func(at protopath.Values) error {
		text, ok := at.Index(-1).Value.Interface().(string)
		switch {
		case !ok:
			return nil
		case !utf8.ValidString(text): // from a path or a query; JSON and gRPC refuse it themselves
			return fault.Invalid(fieldPath(at.Path), "is not UTF-8")
		case strings.ContainsFunc(text, control):
			return fault.Invalid(fieldPath(at.Path), "has control characters")
		default:
			return nil
		}
	})
}

func control(r rune) bool { return unicode.IsControl(r) && r != '\t' && r != '\n' && r != '\r' }

// fieldPath writes a path as violations do: lines[2].name.
func fieldPath(path protopath.Path) string {
	var text strings.Builder
	for _, step := range path[1:] { // after the root
		text.WriteString(step.String())
	}
	return strings.TrimPrefix(text.String(), ".")
}
