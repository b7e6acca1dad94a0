// Command terraform-provider stands in for Google's Terraform providers where there is no Google: it serves their schemas to the real
// terraform, which then validates, plans and tests the configuration. It contacts nothing.
//
// The schemas, schema/google.json and schema/google-beta.json, have the form of `terraform providers schema -json`, cut down to the types
// that the configuration uses; schema.mjs makes them. They know types, blocks and required arguments. They don't know which values an
// argument takes: that only Google's own providers say.
//
// Where the real providers compute an attribute at the time of the plan, from what is configured, so does this one (computed), because
// the checks look at it: a service account's address.
package main

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"log"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-go/tfprotov5"
	"github.com/hashicorp/terraform-plugin-go/tfprotov5/tf5server"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

//go:embed schema/*.json
var schemas embed.FS

func main() {
	name := "google"
	if strings.Contains(filepath.Base(os.Args[0]), "google-beta") {
		name = "google-beta"
	}
	p, err := load(name)
	if err == nil {
		err = tf5server.Serve("registry.terraform.io/hashicorp/"+name, func() tfprotov5.ProviderServer { return p })
	}
	if err != nil {
		log.Fatal(err)
	}
}

// The schema file's form.
type (
	file struct {
		Providers map[string]struct {
			Provider  object            `json:"provider"`
			Resources map[string]object `json:"resource_schemas"`
			Data      map[string]object `json:"data_source_schemas"`
		} `json:"provider_schemas"`
	}
	object struct {
		Version int64 `json:"version"`
		Block   block `json:"block"`
	}
	block struct {
		Attributes map[string]struct {
			Type                                    json.RawMessage
			Required, Optional, Computed, Sensitive bool
			WriteOnly                               bool `json:"write_only"`
		} `json:"attributes"`
		Blocks map[string]struct {
			Mode  string `json:"nesting_mode"`
			Block block  `json:"block"`
			Min   int64  `json:"min_items"`
			Max   int64  `json:"max_items"`
		} `json:"block_types"`
	}
)

var modes = map[string]tfprotov5.SchemaNestedBlockNestingMode{
	"list": tfprotov5.SchemaNestedBlockNestingModeList, "set": tfprotov5.SchemaNestedBlockNestingModeSet,
	"single": tfprotov5.SchemaNestedBlockNestingModeSingle,
}

// provider serves one file. What it doesn't implement, terraform doesn't ask it for.
type provider struct {
	tfprotov5.ProviderServer
	schema *tfprotov5.GetProviderSchemaResponse
}

func load(name string) (*provider, error) {
	raw, err := schemas.ReadFile("schema/" + name + ".json")
	if err != nil {
		return nil, err
	}
	var f file
	if err := json.Unmarshal(raw, &f); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	schema := &tfprotov5.GetProviderSchemaResponse{
		ResourceSchemas: map[string]*tfprotov5.Schema{}, DataSourceSchemas: map[string]*tfprotov5.Schema{},
		// Terraform asks for write-only attributes only of those who say that they know them.
		ServerCapabilities: &tfprotov5.ServerCapabilities{},
	}
	for _, p := range f.Providers {
		if schema.Provider, err = p.Provider.convert(); err != nil {
			return nil, err
		}
		for kind, o := range p.Resources {
			if schema.ResourceSchemas[kind], err = o.convert(); err != nil {
				return nil, fmt.Errorf("%s: %w", kind, err)
			}
		}
		for kind, o := range p.Data {
			if schema.DataSourceSchemas[kind], err = o.convert(); err != nil {
				return nil, fmt.Errorf("%s: %w", kind, err)
			}
		}
	}
	return &provider{schema: schema}, nil
}

func (o object) convert() (*tfprotov5.Schema, error) {
	b, err := o.Block.convert()
	return &tfprotov5.Schema{Version: o.Version, Block: b}, err
}

func (b block) convert() (*tfprotov5.SchemaBlock, error) {
	converted := &tfprotov5.SchemaBlock{}
	for _, name := range slices.Sorted(maps.Keys(b.Attributes)) {
		a := b.Attributes[name]
		kind, err := tftypes.ParseJSONType(a.Type) //nolint:staticcheck // the only parser there is of this form
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		converted.Attributes = append(converted.Attributes, &tfprotov5.SchemaAttribute{
			Name: name, Type: kind, Required: a.Required, Optional: a.Optional, Computed: a.Computed, Sensitive: a.Sensitive, WriteOnly: a.WriteOnly,
		})
	}
	for _, name := range slices.Sorted(maps.Keys(b.Blocks)) {
		n := b.Blocks[name]
		inner, err := n.Block.convert()
		if err != nil {
			return nil, fmt.Errorf("%s.%w", name, err)
		}
		converted.BlockTypes = append(converted.BlockTypes, &tfprotov5.SchemaNestedBlock{
			TypeName: name, Nesting: modes[n.Mode], MinItems: n.Min, MaxItems: n.Max, Block: inner,
		})
	}
	return converted, nil
}

func (p *provider) GetMetadata(context.Context, *tfprotov5.GetMetadataRequest) (*tfprotov5.GetMetadataResponse, error) {
	answer := &tfprotov5.GetMetadataResponse{}
	for name := range p.schema.ResourceSchemas {
		answer.Resources = append(answer.Resources, tfprotov5.ResourceMetadata{TypeName: name})
	}
	for name := range p.schema.DataSourceSchemas {
		answer.DataSources = append(answer.DataSources, tfprotov5.DataSourceMetadata{TypeName: name})
	}
	return answer, nil
}

func (p *provider) GetProviderSchema(context.Context, *tfprotov5.GetProviderSchemaRequest) (*tfprotov5.GetProviderSchemaResponse, error) {
	return p.schema, nil
}

func (p *provider) GetResourceIdentitySchemas(context.Context, *tfprotov5.GetResourceIdentitySchemasRequest) (*tfprotov5.GetResourceIdentitySchemasResponse, error) {
	return &tfprotov5.GetResourceIdentitySchemasResponse{}, nil
}

func (p *provider) PrepareProviderConfig(_ context.Context, q *tfprotov5.PrepareProviderConfigRequest) (*tfprotov5.PrepareProviderConfigResponse, error) {
	return &tfprotov5.PrepareProviderConfigResponse{PreparedConfig: q.Config}, nil
}

func (p *provider) ConfigureProvider(context.Context, *tfprotov5.ConfigureProviderRequest) (*tfprotov5.ConfigureProviderResponse, error) {
	return &tfprotov5.ConfigureProviderResponse{}, nil
}

func (p *provider) StopProvider(context.Context, *tfprotov5.StopProviderRequest) (*tfprotov5.StopProviderResponse, error) {
	return &tfprotov5.StopProviderResponse{}, nil
}

func (p *provider) ValidateResourceTypeConfig(context.Context, *tfprotov5.ValidateResourceTypeConfigRequest) (*tfprotov5.ValidateResourceTypeConfigResponse, error) {
	return &tfprotov5.ValidateResourceTypeConfigResponse{}, nil
}

func (p *provider) ValidateDataSourceConfig(context.Context, *tfprotov5.ValidateDataSourceConfigRequest) (*tfprotov5.ValidateDataSourceConfigResponse, error) {
	return &tfprotov5.ValidateDataSourceConfigResponse{}, nil
}

// PlanResourceChange leaves what is computed unknown, but for what computed knows.
func (p *provider) PlanResourceChange(_ context.Context, q *tfprotov5.PlanResourceChangeRequest) (*tfprotov5.PlanResourceChangeResponse, error) {
	schema := p.schema.ResourceSchemas[q.TypeName]
	planned, err := transform(schema, q.ProposedNewState, func(a *tfprotov5.SchemaAttribute, v tftypes.Value, all map[string]tftypes.Value) tftypes.Value {
		if !a.Computed || !v.IsNull() {
			return v
		}
		if known, ok := computed(q.TypeName, a.Name, all); ok {
			return known
		}
		return tftypes.NewValue(a.Type, tftypes.UnknownValue)
	})
	return &tfprotov5.PlanResourceChangeResponse{PlannedState: planned, UnsafeToUseLegacyTypeSystem: true}, err
}

// ReadDataSource makes values up, which are like Google's where the configuration depends on it.
func (p *provider) ReadDataSource(_ context.Context, q *tfprotov5.ReadDataSourceRequest) (*tfprotov5.ReadDataSourceResponse, error) {
	schema := p.schema.DataSourceSchemas[q.TypeName]
	state, err := transform(schema, q.Config, func(a *tfprotov5.SchemaAttribute, v tftypes.Value, all map[string]tftypes.Value) tftypes.Value {
		if !a.Computed || !v.IsNull() {
			return v
		}
		if known, ok := computed(q.TypeName, a.Name, all); ok {
			return known
		}
		return tftypes.NewValue(a.Type, nil)
	})
	return &tfprotov5.ReadDataSourceResponse{State: state}, err
}

// computed is what an attribute is, given the others that are set.
func computed(kind, attribute string, all map[string]tftypes.Value) (tftypes.Value, bool) {
	text := func(name string) string {
		var s string
		if v, ok := all[name]; ok && v.IsKnown() && !v.IsNull() {
			_ = v.As(&s) // a value that is no text is none
		}
		return s
	}
	values := map[string]any{
		"google_project.number":                            "123456789012",
		"google_artifact_registry_docker_image.self_link":  fmt.Sprintf("%s-docker.pkg.dev/%s/%s/%s@sha256:%064x", text("location"), text("project"), text("repository_id"), strings.Split(text("image_name"), ":")[0], len(text("image_name"))),
		"google_compute_image.self_link":                   "https://www.googleapis.com/compute/v1/projects/cos-cloud/global/images/cos-stable-121-18867-90-4",
		"google_compute_zones.names":                       zones(text("region")),
		"google_secret_manager_secret_version.secret_data": "secret",
	}
	switch v := values[kind+"."+attribute].(type) {
	case string:
		return tftypes.NewValue(tftypes.String, v), true
	case []tftypes.Value:
		return tftypes.NewValue(tftypes.List{ElementType: tftypes.String}, v), true
	default:
		return tftypes.Value{}, false
	}
}

func zones(region string) []tftypes.Value {
	all := make([]tftypes.Value, 0, 3)
	for _, letter := range []string{"a", "b", "c"} {
		all = append(all, tftypes.NewValue(tftypes.String, region+"-"+letter))
	}
	return all
}

// transform changes an object's attributes one by one, those of nested blocks too. change gets an attribute's value and, of the top, all
// of them.
func transform(schema *tfprotov5.Schema, raw *tfprotov5.DynamicValue,
	change func(*tfprotov5.SchemaAttribute, tftypes.Value, map[string]tftypes.Value) tftypes.Value,
) (*tfprotov5.DynamicValue, error) {
	kind := schema.ValueType()
	value, err := raw.Unmarshal(kind)
	if err != nil || value.IsNull() { // null: it is deleted
		return raw, err
	}
	var all map[string]tftypes.Value
	if err := value.As(&all); err != nil {
		return nil, err
	}
	changed, err := tftypes.Transform(value, func(at *tftypes.AttributePath, v tftypes.Value) (tftypes.Value, error) {
		if a := find(schema.Block, at.Steps()); a != nil {
			return change(a, v, all), nil
		}
		return v, nil
	})
	if err != nil {
		return nil, err
	}
	out, err := tfprotov5.NewDynamicValue(kind, changed)
	return &out, err
}

// find is the attribute at a path, nil for what is a block, an element, or within an attribute.
func find(b *tfprotov5.SchemaBlock, steps []tftypes.AttributePathStep) *tfprotov5.SchemaAttribute {
	for i, step := range steps {
		name, ok := step.(tftypes.AttributeName)
		if !ok {
			continue // an element of a list or a set
		}
		if at := slices.IndexFunc(b.Attributes, func(a *tfprotov5.SchemaAttribute) bool { return a.Name == string(name) }); at >= 0 {
			if i == len(steps)-1 {
				return b.Attributes[at]
			}
			return nil
		}
		at := slices.IndexFunc(b.BlockTypes, func(n *tfprotov5.SchemaNestedBlock) bool { return n.TypeName == string(name) })
		if at < 0 {
			return nil
		}
		b = b.BlockTypes[at].Block
	}
	return nil
}
