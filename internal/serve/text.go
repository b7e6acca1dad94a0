package serve

import (
	"strings"
	"unicode"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protopath"
	"google.golang.org/protobuf/reflect/protorange"

	"larder.dev/internal/fault"
)

// plainText refuses a message with a control character other than tab and line ends in any of its strings. None of our fields has
// a use for them, and PostgreSQL can't keep NUL at all.
func plainText(message proto.Message) error {
	return protorange.Range(message.ProtoReflect(), func(at protopath.Values) error {
		text, ok := at.Index(-1).Value.Interface().(string)
		if !ok || !strings.ContainsFunc(text, control) {
			return nil
		}
		return fault.Invalid(fieldPath(at.Path), "has control characters")
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
