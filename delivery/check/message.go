package main

import (
	"regexp"
	"slices"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// keepMessage holds a YAML node against the message that Cloud Build reads it as, field by field, the way protojson would. The node has
// lines, which protojson's errors don't.
func keepMessage(node *yaml.Node, message protoreflect.MessageDescriptor, report func(line int, format string, arguments ...any)) {
	if node.Kind != yaml.MappingNode {
		report(node.Line, "this is no %s: fields with values", message.Name())
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		field := message.Fields().ByJSONName(key.Value)
		switch {
		case field == nil:
			report(key.Line, "%s has no field %q", message.Name(), key.Value)
			continue
		case seen[key.Value]:
			report(key.Line, "%q is there twice", key.Value)
		case has(field, annotations.FieldBehavior_OUTPUT_ONLY):
			report(key.Line, "%q is what Cloud Build tells, not what it is told", key.Value)
		}
		seen[key.Value] = true
		keepField(value, field, report)
	}
	for i := range message.Fields().Len() {
		if field := message.Fields().Get(i); has(field, annotations.FieldBehavior_REQUIRED) && !seen[field.JSONName()] {
			report(node.Line, "%s needs %q", message.Name(), field.JSONName())
		}
	}
}

func has(field protoreflect.FieldDescriptor, behaviour annotations.FieldBehavior) bool {
	all, _ := proto.GetExtension(field.Options(), annotations.E_FieldBehavior).([]annotations.FieldBehavior)
	return slices.Contains(all, behaviour)
}

func keepField(node *yaml.Node, field protoreflect.FieldDescriptor, report func(int, string, ...any)) {
	switch {
	case field.IsMap():
		if node.Kind != yaml.MappingNode {
			report(node.Line, "%q is no list and no text: names with values", field.JSONName())
			return
		}
		for i := 1; i < len(node.Content); i += 2 {
			keepValue(node.Content[i], field.MapValue(), report)
		}
	case field.IsList():
		if node.Kind != yaml.SequenceNode {
			report(node.Line, "%q is a list", field.JSONName())
			return
		}
		for _, element := range node.Content {
			keepValue(element, field, report)
		}
	default:
		keepValue(node, field, report)
	}
}

var duration = regexp.MustCompile(`^[0-9]+(\.[0-9]{1,9})?s$`)

// keepValue: a map's value has no name of its own that says anything, so findings quote the value.
func keepValue(node *yaml.Node, field protoreflect.FieldDescriptor, report func(int, string, ...any)) {
	if message := field.Message(); message != nil {
		switch message.FullName() {
		case "google.protobuf.Duration":
			if !duration.MatchString(node.Value) {
				report(node.Line, "%q is no duration: seconds, 600s", node.Value)
			}
		case "google.protobuf.Timestamp":
			if _, err := time.Parse(time.RFC3339, node.Value); err != nil {
				report(node.Line, "%q is no time", node.Value)
			}
		default:
			keepMessage(node, message, report)
		}
		return
	}
	if node.Kind != yaml.ScalarNode {
		report(node.Line, "%q is a single value", field.JSONName())
		return
	}
	switch kind := field.Kind(); {
	case field.Enum() != nil:
		if field.Enum().Values().ByName(protoreflect.Name(node.Value)) == nil {
			report(node.Line, "%s has no %q", field.Enum().Name(), node.Value)
		}
	case kind == protoreflect.StringKind && node.Tag != "!!str":
		report(node.Line, "%s is no text: quote it", node.Value)
	case kind == protoreflect.BoolKind && node.Tag != "!!bool":
		report(node.Line, "%q is neither true nor false", node.Value)
	case kind == protoreflect.Int32Kind || kind == protoreflect.Int64Kind:
		if _, err := strconv.ParseInt(node.Value, 10, 64); err != nil {
			report(node.Line, "%q is no number", node.Value)
		}
	}
}
