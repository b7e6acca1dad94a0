package eventdocs

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"text/template"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

//go:embed pages.tmpl
var pages string

// page is what the templates see.
type page struct {
	*Type
	Name, Short, About string
	Fields             []field
	// Text is the example's data, indented.
	Text       string
	Attributes [][2]string
}

// field is a row of a message's table.
type field struct{ Name, JSON, About string }

// kind is a message that fields of events have.
type kind struct {
	Name, About string
	Fields      []field
}

// Pages writes every page, by its file's name. image is what buf build gives of api/, with the comments. An event type that the
// catalogue lacks, or has though no proto does, is an error.
func (c *Catalogue) Pages(image []byte) (map[string][]byte, error) {
	var set descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(image, &set); err != nil {
		return nil, fmt.Errorf("read the image: %w", err)
	}
	files, err := protodesc.NewFiles(&set)
	if err != nil {
		return nil, fmt.Errorf("read the image: %w", err)
	}
	var events []protoreflect.MessageDescriptor
	files.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		events = append(events, Events(file)...)
		return true
	})
	slices.SortFunc(events, func(a, b protoreflect.MessageDescriptor) int {
		return strings.Compare(string(a.FullName()), string(b.FullName()))
	})

	templates, err := template.New("").Parse(pages)
	if err != nil {
		return nil, err
	}
	written := map[string][]byte{}
	write := func(name, form string, data any) error {
		var text bytes.Buffer
		if err := templates.ExecuteTemplate(&text, form, data); err != nil {
			return err
		}
		written[name] = append(bytes.TrimSpace(text.Bytes()), '\n')
		return nil
	}
	var all []page
	kinds := map[protoreflect.FullName]kind{}
	rest := maps.Clone(c.Types)
	for _, e := range events {
		name := string(e.FullName())
		said := c.Types[name]
		if said == nil {
			return nil, fmt.Errorf("events.yaml lacks %s", name)
		}
		delete(rest, name)
		p := page{Type: said, Name: name, Short: string(e.Name()), About: comment(e), Fields: fields(e, kinds)}
		for _, attribute := range slices.Sorted(maps.Keys(said.Example.Attributes)) {
			p.Attributes = append(p.Attributes, [2]string{attribute, said.Example.Attributes[attribute]})
		}
		var text bytes.Buffer
		if err := json.Indent(&text, said.Example.Data, "", "  "); err != nil {
			return nil, err
		}
		p.Text = text.String()
		if err := write(name+".md", "event", p); err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	for name := range rest {
		return nil, fmt.Errorf("events.yaml has %s, which is no event of the protos", name)
	}
	var sorted []kind
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		sorted = append(sorted, kinds[name])
	}
	if err := write("types.md", "types", sorted); err != nil {
		return nil, err
	}
	return written, write("README.md", "index", map[string]any{"Topics": c.Topics, "Events": all})
}

// Events are the messages of an events.proto that are events: those that no other message there has as a field.
func Events(file protoreflect.FileDescriptor) []protoreflect.MessageDescriptor {
	if path.Base(file.Path()) != "events.proto" {
		return nil
	}
	parts := map[protoreflect.FullName]bool{}
	messages := file.Messages()
	for i := range messages.Len() {
		for j := range messages.Get(i).Fields().Len() {
			if part := messages.Get(i).Fields().Get(j).Message(); part != nil {
				parts[part.FullName()] = true
			}
		}
	}
	var events []protoreflect.MessageDescriptor
	for i := range messages.Len() {
		if m := messages.Get(i); !parts[m.FullName()] {
			events = append(events, m)
		}
	}
	return events
}

// fields describes a message's fields, and notes the messages that they hold in kinds.
func fields(m protoreflect.MessageDescriptor, kinds map[protoreflect.FullName]kind) []field {
	var rows []field
	for i := range m.Fields().Len() {
		f := m.Fields().Get(i)
		about := comment(f)
		if limits := limits(f); limits != "" {
			about = strings.TrimSpace(about + " (" + limits + ")")
		}
		rows = append(rows, field{string(f.Name()), form(f), strings.ReplaceAll(about, "|", `\|`)})
		part := f.Message()
		if part == nil || wellKnown(part) {
			continue
		}
		if _, known := kinds[part.FullName()]; !known {
			kinds[part.FullName()] = kind{} // so that a message that holds itself ends
			kinds[part.FullName()] = kind{Name: string(part.FullName()), About: comment(part), Fields: fields(part, kinds)}
		}
	}
	return rows
}

func wellKnown(m protoreflect.MessageDescriptor) bool {
	return m.ParentFile().Package() == "google.protobuf"
}

// form is what a field is in JSON.
func form(f protoreflect.FieldDescriptor) string {
	text := f.Kind().String()
	switch f.Kind() {
	case protoreflect.MessageKind:
		text = fmt.Sprintf("[%s](types.md#%s)", f.Message().Name(), strings.ToLower(strings.ReplaceAll(string(f.Message().FullName()), ".", "")))
		if f.Message().FullName() == "google.protobuf.Timestamp" {
			text = "string, RFC 3339 time"
		}
	case protoreflect.Int64Kind, protoreflect.Uint64Kind:
		text = "string, whole number of 64 bits"
	case protoreflect.Int32Kind, protoreflect.Uint32Kind:
		text = "number, whole"
	case protoreflect.BytesKind:
		text = "string, base64"
	case protoreflect.EnumKind:
		var names []string
		for i := range f.Enum().Values().Len() {
			if value := f.Enum().Values().Get(i); value.Number() != 0 {
				names = append(names, "`"+string(value.Name())+"`")
			}
		}
		text = "string: " + strings.Join(names, ", ")
	}
	if f.IsList() {
		text = "list of " + text
	}
	return text
}

// limits are a field's rules: "min_len 1, max_len 100".
func limits(f protoreflect.FieldDescriptor) string {
	rules, ok := proto.GetExtension(f.Options(), validate.E_Field).(*validate.FieldRules)
	if !ok || rules == nil {
		return ""
	}
	var said []string
	var walk func(m protoreflect.Message)
	walk = func(m protoreflect.Message) {
		for i := range m.Descriptor().Fields().Len() {
			rule := m.Descriptor().Fields().Get(i)
			switch value := m.Get(rule); {
			case !m.Has(rule), rule.IsList() && rule.Message() != nil: // an expression stays in the comment
			case rule.IsList():
				for j := range value.List().Len() {
					said = append(said, fmt.Sprintf("%s %v", rule.Name(), value.List().Get(j)))
				}
			case rule.Message() != nil:
				walk(value.Message())
			case rule.Kind() == protoreflect.BoolKind:
				said = append(said, string(rule.Name()))
			default:
				said = append(said, fmt.Sprintf("%s `%v`", rule.Name(), value))
			}
		}
	}
	walk(rules.ProtoReflect())
	return strings.Join(said, ", ")
}

// comment is what stands before something in its proto, in one line.
func comment(d protoreflect.Descriptor) string {
	return strings.Join(strings.Fields(d.ParentFile().SourceLocations().ByDescriptor(d).LeadingComments), " ")
}
