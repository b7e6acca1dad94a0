package main

import (
	"testing"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"google.golang.org/protobuf/proto"
)

// The same steps stand behind Dataflow's source. Whether Dataflow runs them, only Dataflow shows.
func TestGraphForDataflow(t *testing.T) {
	p, s := beam.NewPipelineWithRoot()
	build(s, readOnDataflow(s, "projects/p/subscriptions/s"), settings{})
	edges, _, err := p.Build()
	if err != nil {
		t.Fatal(err)
	}
	if len(edges) == 0 {
		t.Error("the graph is empty")
	}
	raw, err := proto.Marshal(&pubsubpb.PubsubMessage{MessageId: "1", Data: []byte("d"), Attributes: map[string]string{"a": "b"}})
	if err != nil {
		t.Fatal(err)
	}
	if m, err := unmarshal(raw); err != nil || m.ID != "1" || string(m.Data) != "d" || m.Attributes["a"] != "b" {
		t.Errorf("message = %+v, %v", m, err)
	}
}
