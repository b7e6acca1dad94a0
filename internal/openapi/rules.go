package main

import (
	"slices"
	"strings"

	validatepb "buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"github.com/getkin/kin-openapi/openapi3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// The rules that the services validate by, as JSON Schema. What is an expression (CEL) stays in the field's comment.

// limitMessage limits each property of a message's schema. A field whose rule refuses its zero value is required.
func limitMessage(schema *openapi3.Schema, message protoreflect.MessageDescriptor) {
	for i := range message.Fields().Len() {
		field := message.Fields().Get(i)
		name := field.TextName()
		property, ok := schema.Properties[name]
		if !ok {
			continue
		}
		value := limitable(property)
		rules := rulesOf(field)
		if limit(value, field, rules) && !slices.Contains(schema.Required, name) {
			schema.Required = append(schema.Required, name)
		}
	}
	slices.Sort(schema.Required)
}

// limitParameter limits a parameter by the field of the request that it sets.
func limitParameter(p *openapi3.Parameter, request protoreflect.MessageDescriptor, body string) {
	message := request
	field := message.Fields().ByTextName(p.Name)
	if field == nil && body != "" && body != "*" { // the path's variable is a field of the body's message
		if inner := message.Fields().ByName(protoreflect.Name(body)); inner != nil && inner.Message() != nil {
			field = inner.Message().Fields().ByTextName(p.Name)
		}
	}
	if field == nil {
		return
	}
	if limit(limitable(p.Schema), field, rulesOf(field)) {
		p.Required = true
	}
}

// limitable is a schema that limits may be written into: not one that others refer to.
func limitable(ref *openapi3.SchemaRef) *openapi3.Schema {
	if ref.Ref != "" {
		return &openapi3.Schema{}
	}
	return ref.Value
}

func rulesOf(field protoreflect.FieldDescriptor) *validatepb.FieldRules {
	rules, ok := proto.GetExtension(field.Options(), validatepb.E_Field).(*validatepb.FieldRules)
	if !ok || rules.GetIgnore() == validatepb.Ignore_IGNORE_ALWAYS {
		return nil
	}
	return rules
}

// limit writes a field's rules into its schema, and tells whether the field has to be there.
func limit(schema *openapi3.Schema, field protoreflect.FieldDescriptor, rules *validatepb.FieldRules) (required bool) {
	if schema.Format == "enum" { // gnostic's own; no format of OpenAPI
		schema.Format = ""
	}
	switch {
	case field.IsMap():
		return rules.GetRequired()
	case field.IsList():
		return limitList(schema, field, rules)
	case field.Kind() == protoreflect.StringKind:
		required = limitString(schema, rules.GetString())
	case field.Kind() == protoreflect.EnumKind:
		if slices.Contains(rules.GetEnum().GetNotIn(), 0) && len(schema.Enum) > 0 {
			schema.Enum, required = schema.Enum[1:], true
		}
	case field.Kind() == protoreflect.Int32Kind:
		r := rules.GetInt32()
		required = limitNumber(schema, r, r.HasGte(), int64(r.GetGte()), r.HasLte(), int64(r.GetLte()))
	case field.Kind() == protoreflect.Int64Kind:
		// In JSON a string; its limits are in words, since JSON Schema has none for numbers in strings.
		schema.Pattern = "^-?[0-9]{1,19}$"
		r := rules.GetInt64()
		required = r.HasGte() && r.GetGte() > 0 || r.HasGt() && r.GetGt() >= 0 || slices.Contains(r.GetNotIn(), 0)
	}
	if rules.GetIgnore() == validatepb.Ignore_IGNORE_IF_ZERO_VALUE {
		required = false
		optionalText(schema)
	}
	return required || rules.GetRequired()
}

func limitString(schema *openapi3.Schema, r *validatepb.StringRules) (required bool) {
	if r == nil {
		return false
	}
	if r.HasMinLen() {
		schema.MinLength = r.GetMinLen()
		required = r.GetMinLen() > 0
	}
	if r.HasMaxLen() {
		schema.MaxLength = new(r.GetMaxLen())
	}
	if r.HasLen() {
		schema.MinLength, schema.MaxLength = r.GetLen(), new(r.GetLen())
		required = true
	}
	if r.HasPattern() {
		schema.Pattern = r.GetPattern()
		required = required || !strings.HasSuffix(schema.Pattern, ")?$") // such a pattern takes the empty text
	}
	switch {
	case r.GetUuid():
		schema.Format, required = "uuid", true
	case r.GetEmail():
		schema.Format, required = "email", true
	case r.GetUri():
		schema.Format, required = "uri", true
	}
	for _, value := range r.GetIn() {
		schema.Enum = append(schema.Enum, value)
	}
	return required
}

// optionalText lets a text be empty whatever its other rules say.
func optionalText(schema *openapi3.Schema) {
	schema.MinLength = 0
	if schema.Pattern != "" {
		schema.Pattern = "^$|" + schema.Pattern
	}
	schema.Format = ""
}

func limitNumber(schema *openapi3.Schema, r *validatepb.Int32Rules, from bool, least int64, to bool, most int64) (required bool) {
	if from {
		schema.Min = new(float64(least))
	}
	if to {
		schema.Max = new(float64(most))
	}
	if r.HasGt() {
		schema.Min = new(float64(r.GetGt()) + 1)
		from, least = true, int64(r.GetGt())+1
	}
	return from && least > 0
}

func limitList(schema *openapi3.Schema, field protoreflect.FieldDescriptor, rules *validatepb.FieldRules) (required bool) {
	r := rules.GetRepeated()
	if r.HasMinItems() {
		schema.MinItems = r.GetMinItems()
		required = r.GetMinItems() > 0
	}
	if r.HasMaxItems() {
		schema.MaxItems = new(r.GetMaxItems())
	}
	schema.UniqueItems = r.GetUnique()
	if schema.Items == nil || schema.Items.Ref != "" {
		return required
	}
	switch field.Kind() {
	case protoreflect.StringKind:
		limitString(schema.Items.Value, r.GetItems().GetString())
	case protoreflect.EnumKind:
		schema.Items.Value.Format = ""
	}
	return required
}

// strict says what the JSON form of protobuf means here. A message that is sent may have no unknown field. One that is only answered
// never lacks its numbers, texts and lists: they are written also where they are zero or empty.
func strict(doc *openapi3.T, messages map[string]protoreflect.MessageDescriptor) {
	sent := map[*openapi3.Schema]bool{}
	for _, item := range doc.Paths.Map() {
		for _, op := range item.Operations() {
			if op.RequestBody == nil {
				continue
			}
			for _, content := range op.RequestBody.Value.Content {
				reach(content.Schema, sent)
			}
		}
	}
	for name, ref := range doc.Components.Schemas {
		message, ours := messages[strings.TrimSuffix(name, "Change")]
		if ours && sent[ref.Value] {
			ref.Value.AdditionalProperties = openapi3.BoolSchema{Has: new(false)}
		}
		if !ours || sent[ref.Value] {
			continue
		}
		for i := range message.Fields().Len() {
			field := message.Fields().Get(i)
			_, described := ref.Value.Properties[field.TextName()]
			optional := field.HasPresence() && !field.IsList() && !field.IsMap()
			if described && !optional && !slices.Contains(ref.Value.Required, field.TextName()) {
				ref.Value.Required = append(ref.Value.Required, field.TextName())
			}
		}
		slices.Sort(ref.Value.Required)
	}
}

func reach(ref *openapi3.SchemaRef, reached map[*openapi3.Schema]bool) {
	if ref == nil || ref.Value == nil || reached[ref.Value] {
		return
	}
	reached[ref.Value] = true
	for _, property := range ref.Value.Properties {
		reach(property, reached)
	}
	reach(ref.Value.Items, reached)
	for _, part := range ref.Value.AllOf {
		reach(part, reached)
	}
}
