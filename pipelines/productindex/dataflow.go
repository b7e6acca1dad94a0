package main

import (
	"reflect"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/typex"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/util/protox"
	pipepb "github.com/apache/beam/sdks/v2/go/pkg/beam/model/pipeline_v1"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/register"
	_ "github.com/apache/beam/sdks/v2/go/pkg/beam/runners/dataflow"
	"google.golang.org/protobuf/proto"

	"larder.dev/pipelines/internal/cdc"
)

func init() {
	register.Function1x2(unmarshal)
}

// readOnDataflow is Dataflow's own Pub/Sub source. Beam's pubsubio, which is the same, doesn't build beside the
// current Pub/Sub client: it imports a package that google.golang.org/genproto has dropped.
func readOnDataflow(s beam.Scope, subscription string) beam.PCollection {
	s = s.Scope("dataflow.Read")
	payload := protox.MustEncode(&pipepb.PubSubReadPayload{Subscription: subscription, WithAttributes: true})
	raw := beam.External(s, "beam:transform:pubsub_read:v1", payload, nil, []beam.FullType{typex.New(reflect.TypeFor[[]byte]())}, false)
	return beam.ParDo(s, unmarshal, raw[0])
}

func unmarshal(raw []byte) (cdc.Message, error) {
	var m pubsubpb.PubsubMessage
	if err := proto.Unmarshal(raw, &m); err != nil {
		return cdc.Message{}, err
	}
	return cdc.Message{ID: m.GetMessageId(), Data: m.GetData(), Attributes: m.GetAttributes()}, nil
}
