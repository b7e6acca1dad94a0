package main

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"larder.dev/internal/event"
	"larder.dev/internal/eventdocs"
	"larder.dev/local"
)

// subscriptions are the topics of local/pubsub.json, which the cloud has too, and the functions that they are pushed to, with the types of
// events that pass their filters; none: all.
func subscriptions(t *testing.T) (topics []string, push map[string]map[string][]string) {
	t.Helper()
	said, err := local.ReadPubSub()
	if err != nil {
		t.Fatal(err)
	}
	push = map[string]map[string][]string{}
	for name := range all {
		if topics, ok := said.Push[strings.ToLower(name)]; ok {
			push[name] = topics
		}
	}
	if len(push) != len(said.Push) || len(push) == 0 || len(said.Topics) == 0 {
		t.Fatalf("local/pubsub.json pushes to %v; there are only %v", said.Push, push)
	}
	return said.Topics, push
}

func examples(t *testing.T) *eventdocs.Catalogue {
	t.Helper()
	catalogue, err := eventdocs.Load("../api")
	if err != nil {
		t.Fatal(err)
	}
	return catalogue
}

// The examples of docs/events go through Pub/Sub, and are then still what the contract says.
func TestExamplesTravel(t *testing.T) {
	catalogue, r := examples(t), newRig(t)
	topics, _ := subscriptions(t)
	for _, topic := range topics {
		r.topic(topic)
		r.collect(topic)
	}
	for name, told := range catalogue.Types {
		message := r.send(told.Topic, told.Example.Attributes, told.Example.Data)
		var got letter
		r.await("the example of "+name, func() bool {
			for _, m := range r.collected() {
				if m.ID == message {
					got = m
				}
			}
			return got.Message != nil
		})
		e, err := event.FromMessage(got.Attributes, got.Data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := eventdocs.Check(e); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if e.Type != name || got.topic != told.Topic || string(got.Data) != string(told.Example.Data) {
			t.Errorf("%s came from %s as a %s with %s", name, got.topic, e.Type, got.Data)
		}
	}
}

// Every function is pushed the examples of its topics. It takes in those that docs/events says it does and that pass its subscription's
// filter, acknowledges the others, and puts none aside.
func TestExamplesAreTakenIn(t *testing.T) {
	catalogue := examples(t)
	_, push := subscriptions(t)
	listeners := map[string][]string{}
	for _, function := range slices.Sorted(maps.Keys(push)) {
		t.Run(function, func(t *testing.T) {
			r := running(t, function)
			for topic := range push[function] {
				r.push(topic)
			}
			sent := 0
			for name, told := range catalogue.Types {
				types, pushed := push[function][told.Topic]
				if !pushed {
					continue
				}
				sent++
				passes := slices.Contains(types, name)
				message := r.send(told.Topic, told.Example.Attributes, told.Example.Data)
				if outcomes := r.acknowledged(message); len(outcomes) != 1 {
					t.Errorf("%s was answered %v", name, outcomes)
				}
				said := r.saidOf(told.Example.Attributes["ce-id"])
				switch said {
				case "event taken in":
					listeners[name] = append(listeners[name], function)
				case "event is for others":
				default:
					t.Errorf("%s: %s\n%s", name, said, r.logs())
				}
				if wanted := said == "event taken in"; len(types) > 0 && passes != wanted {
					t.Errorf("%s passes the filter of %s: %t; it is wanted: %t", name, told.Topic, passes, wanted)
				}
			}
			if sent == 0 {
				t.Errorf("there is no example on %v", push[function])
			}
		})
	}
	for name, told := range catalogue.Types {
		if got, want := listeners[name], slices.Sorted(slices.Values(told.Listeners)); !slices.Equal(got, want) {
			t.Errorf("%s is taken in by %v; api/events.yaml says by %v", name, got, want)
		}
	}
}

// What passes no filter, as it names no type, still reaches a function of each topic, which puts it aside. Pub/Sub takes filters of 256 bytes
// at most.
func TestNothingIsFilteredOutForAll(t *testing.T) {
	_, push := subscriptions(t)
	unfiltered := map[string]bool{}
	for function, topics := range push {
		for topic, types := range topics {
			unfiltered[topic] = unfiltered[topic] || len(types) == 0
			if filter := local.Filter(types); len(filter) > 256 {
				t.Errorf("the filter of %s for %s has %d bytes", topic, function, len(filter))
			}
		}
	}
	for topic, all := range unfiltered {
		if !all {
			t.Errorf("every subscription of %s has a filter", topic)
		}
	}
}

// saidOf is what the function's log says last of an event.
func (r *rig) saidOf(id string) (message string) {
	for line := range strings.Lines(r.logs()) {
		var entry struct{ Event, Message string }
		// The log has the message's id in a field of the same name as the text: the first is the text.
		text, _, _ := strings.Cut(line, `","event":`)
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Event == id {
			message = text[strings.LastIndex(text, `"`)+1:]
		}
	}
	return message
}
