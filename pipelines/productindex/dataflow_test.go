package main

import (
	"encoding/json"
	"flag"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/runtime/graphx"
	pipepb "github.com/apache/beam/sdks/v2/go/pkg/beam/model/pipeline_v1"
	"google.golang.org/protobuf/proto"

	"larder.dev/pipelines/internal/process"
)

// The same steps stand behind Dataflow's source, one after the other: whatever hands its output to another worker would end the stage, and
// what Dataflow acknowledges at its end wouldn't have been written. Whether Dataflow fuses them, only Dataflow shows.
func TestGraphForDataflow(t *testing.T) {
	p, s := beam.NewPipelineWithRoot()
	build(s, readOnDataflow(s, "projects/p/subscriptions/s"), settings{Elasticsearch: "projects/p/secrets/s/versions/1"})
	edges, _, err := p.Build()
	if err != nil {
		t.Fatal(err)
	}
	graph, err := graphx.Marshal(edges, &graphx.Options{Environment: &pipepb.Environment{Urn: "beam:env:test:v1"}})
	if err != nil {
		t.Fatal(err)
	}
	var steps []string
	for _, step := range graph.GetComponents().GetTransforms() {
		if len(step.GetSubtransforms()) > 0 {
			continue
		}
		steps = append(steps, step.GetSpec().GetUrn())
		if len(step.GetInputs()) > 1 && step.GetSpec().GetUrn() != "beam:transform:flatten:v1" {
			t.Errorf("%s has %d inputs", step.GetUniqueName(), len(step.GetInputs()))
		}
	}
	slices.Sort(steps)
	const do = "beam:transform:pardo:v1"
	if want := []string{"beam:transform:flatten:v1", do, do, do, do, do, "beam:transform:pubsub_read:v1"}; !slices.Equal(steps, want) {
		t.Errorf("steps = %v, want %v", steps, want)
	}
}

func TestUnmarshal(t *testing.T) {
	raw, err := proto.Marshal(&pubsubpb.PubsubMessage{MessageId: "1", Data: []byte("d"), Attributes: map[string]string{"a": "b"}})
	if err != nil {
		t.Fatal(err)
	}
	if m, err := unmarshal(raw); err != nil || m.ID != "1" || string(m.Data) != "d" || m.Attributes["a"] != "b" {
		t.Errorf("message = %+v, %v", m, err)
	}
}

// A URL has a password in it, and everybody who sees a job sees its settings.
func TestDataflowRefusesAURL(t *testing.T) {
	err := config{Project: "p", Elasticsearch: "https://user:hush@es:9200"}.submit(t.Context())
	if err == nil || !strings.Contains(err.Error(), "ELASTICSEARCH_URL has to name a secret") || strings.Contains(err.Error(), "hush") {
		t.Errorf("error = %v", err)
	}
}

// The flex template's parameters are flags that the program has, and those that it needs aren't optional.
func TestTemplate(t *testing.T) {
	raw, err := os.ReadFile("metadata.json")
	if err != nil {
		t.Fatal(err)
	}
	var template struct {
		Parameters []struct {
			Name       string `json:"name"`
			IsOptional bool   `json:"isOptional"`
		} `json:"parameters"`
	}
	if err := json.Unmarshal(raw, &template); err != nil {
		t.Fatal(err)
	}
	flags := flag.NewFlagSet("productindex", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	process.Parameters(flags, config{})
	needed := map[string]bool{"google_cloud_project": true, "elasticsearch_url": true}
	for _, parameter := range template.Parameters {
		if flags.Lookup(parameter.Name) == nil {
			t.Errorf("the program has no flag --%s", parameter.Name)
		}
		if needed[parameter.Name] && parameter.IsOptional {
			t.Errorf("%s is needed", parameter.Name)
		}
		delete(needed, parameter.Name)
	}
	for name := range needed {
		t.Errorf("the template lacks %s", name)
	}
	t.Setenv("INDEX", "")
	if err := flags.Parse([]string{"--index=products-7"}); err != nil || os.Getenv("INDEX") != "products-7" {
		t.Errorf("INDEX = %q, %v", os.Getenv("INDEX"), err)
	}
}
