// Package eventdocs writes docs/events/ for those outside who send or listen: a page an event type. What a page says comes from the
// protos and their comments; from api/events.yaml, which has what protos can't say; and from api/events/, an example a type. The tests
// of the functions send the examples on their way.
package eventdocs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"buf.build/go/protovalidate"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	_ "larder.dev/api/order/v1" // the messages of examples
	_ "larder.dev/api/payment/v1"
	_ "larder.dev/api/stock/v1"
	_ "larder.dev/api/user/v1"
	"larder.dev/internal/deadletter"
	"larder.dev/internal/event"
)

// Catalogue is api/events.yaml with its examples.
type Catalogue struct {
	// Topics says what each topic is for.
	Topics map[string]string `yaml:"topics"`
	// Types are the event types by their ce-type.
	Types map[string]*Type `yaml:"types"`
}

// Type is what the proto of an event type doesn't say.
type Type struct {
	Topic string `yaml:"topic"`
	// Source, Subject and ID are the forms of ce-source, ce-subject and ce-id: "orders/<order_id>".
	Source  string `yaml:"source"`
	Subject string `yaml:"subject"`
	ID      string `yaml:"id"`
	// Sender is who publishes it, and when.
	Sender string `yaml:"sender"`
	// Listeners are the functions that take it in.
	Listeners []string `yaml:"listeners"`
	// Order is how a listener tells which of two events is the later word.
	Order string `yaml:"order"`

	Example Example `yaml:"-"`
}

// Example is a message as it lies in Pub/Sub.
type Example struct {
	Attributes map[string]string `json:"attributes"`
	Data       json.RawMessage   `json:"data"`
}

// Load reads the catalogue of the folder api. Its error names every type whose example isn't what its producer would publish.
func Load(api string) (*Catalogue, error) {
	text, err := os.ReadFile(filepath.Join(api, "events.yaml"))
	if err != nil {
		return nil, err
	}
	c := &Catalogue{}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(c); err != nil {
		return nil, fmt.Errorf("read events.yaml: %w", err)
	}
	var faults []error
	for _, topic := range deadletter.Topics {
		if c.Topics[topic] == "" {
			faults = append(faults, fmt.Errorf("events.yaml doesn't say what the topic %s is for", topic))
		}
	}
	for name, t := range c.Types {
		if err := t.load(filepath.Join(api, "events"), name); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", name, err))
		}
	}
	return c, errors.Join(faults...)
}

func (t *Type) load(folder, name string) error {
	if !slices.Contains(deadletter.Topics, t.Topic) {
		return fmt.Errorf("there is no topic %q", t.Topic)
	}
	if t.Source == "" || t.Subject == "" || t.ID == "" || t.Sender == "" || t.Order == "" {
		return errors.New("source, subject, id, sender and order have to be said")
	}
	text, err := os.ReadFile(filepath.Join(folder, name+".json"))
	if err != nil {
		return fmt.Errorf("read the example: %w", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&t.Example); err != nil {
		return fmt.Errorf("read the example: %w", err)
	}
	e, err := event.FromMessage(t.Example.Attributes, t.Example.Data)
	if err != nil {
		return err
	}
	if e.Type != name {
		return fmt.Errorf("the example is a %s", e.Type)
	}
	for _, said := range []struct{ attribute, value, form string }{
		{"ce-source", e.Source, t.Source}, {"ce-subject", e.Subject, t.Subject}, {"ce-id", e.ID, t.ID},
	} {
		if !follows(said.value, said.form) {
			return fmt.Errorf("%s of the example is %q, which isn't of the form %q", said.attribute, said.value, said.form)
		}
	}
	return Check(e)
}

// Check tells what an event's data has that its message doesn't, or against the rules of its proto, or that our producers would write
// otherwise.
func Check(e event.Event) error {
	kind, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(e.Type))
	if err != nil {
		return err
	}
	message := kind.New().Interface()
	if err := protojson.Unmarshal(e.Data, message); err != nil { // unlike a listener, which passes over what it doesn't know
		return err
	}
	if err := protovalidate.Validate(message); err != nil {
		return err
	}
	written, err := event.Encode(message)
	if err != nil {
		return err
	}
	var said, wanted any
	if err := errors.Join(json.Unmarshal(e.Data, &said), json.Unmarshal(written, &wanted)); err != nil {
		return err
	}
	if !reflect.DeepEqual(said, wanted) {
		return fmt.Errorf("the example's data isn't as it is published: %s", written)
	}
	return nil
}

var variable = regexp.MustCompile(`<[^>]*>`)

// follows tells whether a value is of a form, where <...> stands for anything.
func follows(value, form string) bool {
	parts := variable.Split(form, -1)
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	return regexp.MustCompile("^" + strings.Join(parts, ".+") + "$").MatchString(value)
}
