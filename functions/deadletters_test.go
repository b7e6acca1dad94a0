package main

import (
	"maps"
	"slices"
	"testing"

	"larder.dev/internal/deadletter"
	"larder.dev/internal/event"
)

// besides are topics that no function listens to: what puts their messages aside is tested there, and run/deadletters tests the rest.
var besides = map[string]string{event.ProductCDC: "pipelines/productindex"}

// Of every topic, a message that can't be taken in is put aside by who listens, is listed with its reason and source, shown as it came,
// mended and replayed, and then taken in.
func TestDeadLettersOfEveryTopic(t *testing.T) {
	topics, _ := subscriptions(t)
	if !slices.Equal(slices.Sorted(slices.Values(topics)), slices.Sorted(slices.Values(deadletter.Topics))) {
		t.Errorf("local/pubsub.json has the topics %v, deadletter.Topics are %v", topics, deadletter.Topics)
	}
	for _, topic := range topics {
		if besides[topic] != "" {
			continue
		}
		i := slices.IndexFunc(table, func(c takes) bool { return c.topic == topic })
		if i < 0 {
			t.Errorf("no function of the table listens to %s: who puts aside what can't be taken in?", topic)
			continue
		}
		t.Run(topic, func(t *testing.T) { table[i].fromPoisonToReplay(t) })
	}
}

func (c takes) fromPoisonToReplay(t *testing.T) {
	r := running(t, c.function)
	r.topic(event.DeadLetters(c.topic))
	r.keep(event.DeadLetters(c.topic))
	r.deliver(c.topic)
	good := happened(t, "good", c.good)
	if outcomes := r.acknowledged(r.send(c.topic, good.Attributes(), []byte("{"))); len(outcomes) != 1 {
		t.Errorf("the poisoned message was answered %v", outcomes)
	}

	box := deadletter.NewBox(r.client, r.project, c.topic)
	listed, more, err := box.List(t.Context(), 10)
	if err != nil || more || len(listed) != 1 {
		t.Fatalf("listed %v, %v, %v", listed, more, err)
	}
	if l := listed[0]; l.Topic != c.topic || l.Reason != "MALFORMED_EVENT" || l.From != c.function || l.Type != good.Type || l.Detail == "" {
		t.Errorf("listed as %+v", l)
	}
	shown, err := box.Get(t.Context(), listed[0].ID)
	if err != nil || string(shown.Data) != "{" || !maps.Equal(shown.Attributes, good.Attributes()) {
		t.Errorf("shown as %+v, %v", shown, err)
	}
	if calls := r.services.got(""); len(calls) != 0 {
		t.Errorf("services were called for the poisoned message: %v", calls)
	}

	again, err := box.Replay(t.Context(), shown.ID, deadletter.Mend{Data: good.Data})
	if err != nil {
		t.Fatal(err)
	}
	if outcomes := r.acknowledged(again); len(outcomes) != 1 || len(r.services.got("")) != len(c.wants) {
		t.Errorf("the replay was answered %v and led to the calls %v, want %d", outcomes, r.services.got(""), len(c.wants))
	}
	if left, _, err := box.List(t.Context(), 10); err != nil || len(left) != 0 {
		t.Errorf("left is %v, %v", left, err)
	}
}
