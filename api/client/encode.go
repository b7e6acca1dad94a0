package client

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// message is a request as it is sent, as often as it takes.
type message struct {
	verb, path string // with its query
	header     http.Header
	body       []byte
	signsIn    bool // makes a session, and is sent without one
}

// signsIn are the paths that make a session.
var signsIn = map[string]bool{"/v1/sessions": true, "/v1/sessions:refresh": true, "/v1/users:verifyEmail": true}

var written = protojson.MarshalOptions{UseProtoNames: true}

// encode makes the message of a method's request by the method's google.api.http: fields that the path names go into it, the field that
// is the body, or all others, into the body, and what is left into the query.
func encode(method string, request proto.Message) (message, error) {
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(method))
	if err != nil {
		return message{}, fmt.Errorf("%s: %w", method, err)
	}
	rule, _ := proto.GetExtension(found.Options(), annotations.E_Http).(*annotations.HttpRule)
	m := message{header: http.Header{"Accept": {"application/json"}}}
	var template string
	m.verb, template = verbAndPath(rule)

	rest := proto.Clone(request).ProtoReflect() // what isn't said yet
	if m.path, err = fill(template, rest); err != nil {
		return message{}, fmt.Errorf("%s: %w", method, err)
	}
	m.signsIn = m.verb == http.MethodPost && signsIn[m.path]
	var body protoreflect.ProtoMessage
	switch name := rule.GetBody(); name {
	case "":
	case "*":
		body, rest = rest.Interface(), rest.New()
	default:
		field := rest.Descriptor().Fields().ByName(protoreflect.Name(name))
		body = rest.Get(field).Message().Interface()
		rest.Clear(field)
	}
	if body != nil {
		m.header.Set("Content-Type", "application/json")
		if m.body, err = written.Marshal(body); err != nil {
			return message{}, fmt.Errorf("%s: %w", method, err)
		}
	}
	query := url.Values{}
	if err := collect(query, "", rest); err != nil {
		return message{}, fmt.Errorf("%s: %w", method, err)
	}
	if len(query) > 0 {
		m.path += "?" + query.Encode()
	}
	return m, nil
}

func verbAndPath(rule *annotations.HttpRule) (verb, path string) {
	switch {
	case rule.GetGet() != "":
		return http.MethodGet, rule.GetGet()
	case rule.GetPut() != "":
		return http.MethodPut, rule.GetPut()
	case rule.GetPatch() != "":
		return http.MethodPatch, rule.GetPatch()
	case rule.GetDelete() != "":
		return http.MethodDelete, rule.GetDelete()
	}
	return http.MethodPost, rule.GetPost()
}

// fill puts fields into a path's template, and takes them out of the request. An empty one would make another path.
func fill(template string, request protoreflect.Message) (string, error) {
	var path strings.Builder
	for {
		before, rest, more := strings.Cut(template, "{")
		path.WriteString(before)
		if !more {
			return path.String(), nil
		}
		name, after, _ := strings.Cut(rest, "}")
		holder, field := request, protoreflect.FieldDescriptor(nil)
		for part := range strings.SplitSeq(name, ".") {
			if field != nil {
				holder = holder.Mutable(field).Message()
			}
			field = holder.Descriptor().Fields().ByName(protoreflect.Name(part))
		}
		value := holder.Get(field).String()
		if value == "" {
			return "", fmt.Errorf("%s is empty", name)
		}
		path.WriteString(url.PathEscape(value))
		holder.Clear(field)
		template = after
	}
}

// collect adds the fields of a request to a query: those of messages as a.b, repeated ones repeatedly.
func collect(query url.Values, prefix string, request protoreflect.Message) error {
	var fault error
	request.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		name := prefix + string(field.Name())
		switch {
		case field.IsMap():
			fault = fmt.Errorf("%s can't be a parameter", name)
		case field.IsList():
			for i := range value.List().Len() {
				var text string
				if text, fault = parameter(field, value.List().Get(i)); fault != nil {
					break
				}
				query.Add(name, text)
			}
		case field.Message() != nil && !strings.HasPrefix(string(field.Message().FullName()), "google.protobuf."):
			fault = collect(query, name+".", value.Message())
		default:
			var text string
			text, fault = parameter(field, value)
			query.Set(name, text)
		}
		return fault == nil
	})
	return fault
}

// parameter is a value as a parameter: as in JSON, without its quotation marks.
func parameter(field protoreflect.FieldDescriptor, value protoreflect.Value) (string, error) {
	switch field.Kind() {
	case protoreflect.EnumKind:
		if known := field.Enum().Values().ByNumber(value.Enum()); known != nil {
			return string(known.Name()), nil
		}
		return strconv.Itoa(int(value.Enum())), nil
	case protoreflect.BytesKind:
		return base64.URLEncoding.EncodeToString(value.Bytes()), nil
	case protoreflect.MessageKind: // a time, a field mask
		text, err := written.Marshal(value.Message().Interface())
		if err != nil {
			return "", err
		}
		var plain any
		if err := json.Unmarshal(text, &plain); err != nil {
			return "", err
		}
		return fmt.Sprint(plain), nil
	}
	return value.String(), nil
}
