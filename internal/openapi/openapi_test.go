package main

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// committed is the description as it is served. That it is what the protos give today, make check tests.
func committed(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromFile("../../api/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return doc
}

// Every operation says what it answers: each status by itself, and every refusal in the errors' form with its reasons.
func TestEveryAnswerIsDescribed(t *testing.T) {
	operations := 0
	for path, item := range committed(t).Paths.Map() {
		for verb, op := range item.Operations() {
			operations++
			name := verb + " " + path
			for _, status := range []string{"200", "400", "429", "500", "503", "504"} {
				if op.Responses.Value(status) == nil {
					t.Errorf("%s: %s isn't described", name, status)
				}
			}
			if op.Responses.Default() != nil {
				t.Errorf("%s: whatever isn't described is described", name)
			}
			if op.RequestBody != nil && (op.Responses.Value("413") == nil || op.Responses.Value("415") == nil) {
				t.Errorf("%s takes a body, and 413 or 415 isn't described", name)
			}
			if anonymous := slices.ContainsFunc(*op.Security, func(r openapi3.SecurityRequirement) bool { return len(r) == 0 }); !anonymous && op.Responses.Value("401") == nil {
				t.Errorf("%s needs a token, and 401 isn't described", name)
			}
			for status, response := range op.Responses.Map() {
				if status == "200" {
					continue
				}
				content := response.Value.Content.Get("application/json")
				reasons, _ := response.Value.Extensions["x-reasons"].([]any)
				if content == nil || content.Schema.Ref != errorRef || len(reasons) == 0 {
					t.Errorf("%s: %s has no reasons, or another form", name, status)
				}
				if waiting := status == "429" || status == "503"; waiting && response.Value.Headers["Retry-After"] == nil {
					t.Errorf("%s: %s without Retry-After", name, status)
				}
			}
		}
	}
	if operations < 60 {
		t.Errorf("%d operations only", operations)
	}
}

// The limits are those that the services validate by.
func TestLimits(t *testing.T) {
	doc := committed(t)
	put := doc.Paths.Value("/v1/carts/{cart_id}/items/{product_id}").Put
	body := put.RequestBody.Value.Content.Get("application/json").Schema.Value
	if quantity := body.Properties["quantity"].Value; *quantity.Min != 1 || *quantity.Max != 99 || !slices.Contains(body.Required, "quantity") {
		t.Errorf("quantity is %+v, required %v", quantity, body.Required)
	}
	if etag := body.Properties["etag"].Value; *etag.MaxLength != 100 || slices.Contains(body.Required, "etag") {
		t.Errorf("etag is %+v", etag)
	}
	if body.Properties["cart_id"] != nil || *body.AdditionalProperties.Has {
		t.Errorf("the body takes what its path says, or what nobody knows: %v", body.Properties)
	}
	if product := put.Parameters.GetByInAndName("path", "product_id"); product.Schema.Value.Pattern != "^[a-z0-9][a-z0-9-]{1,62}$" {
		t.Errorf("product_id is %+v", product.Schema.Value)
	}
	list := doc.Paths.Value("/v1/orders").Get.Parameters
	if size := list.GetByInAndName("query", "page_size").Schema.Value; *size.Min != 0 || *size.Max != 100 {
		t.Errorf("page_size is %+v", size)
	}
	if address := doc.Paths.Value("/v1/users/me/addresses/{address_id}").Get.Parameters[0].Value; address.Schema.Value.Format != "uuid" {
		t.Errorf("address_id is %+v", address.Schema.Value)
	}
	// A part of a resource is enough to change it; a new one has to be whole.
	if patch := doc.Paths.Value("/v1/brands/{brand_id}").Patch.RequestBody.Value.Content.Get("application/json").Schema.Value; len(patch.Required) > 0 {
		t.Errorf("PATCH requires %v", patch.Required)
	}
	if brand := doc.Components.Schemas["Brand"].Value; !slices.Contains(brand.Required, "name") {
		t.Errorf("POST requires %v only", brand.Required)
	}
}

func TestIdempotencyKey(t *testing.T) {
	doc := committed(t)
	for _, path := range []string{"/v1/checkouts", "/v1/orders/{order_id}:refund", "/v1/products:import", "/v1/stores/{store_id}/stock:adjust"} {
		op := doc.Paths.Value(path).Post
		if key := op.Parameters.GetByInAndName("header", "Idempotency-Key"); key == nil || !key.Required || op.Responses.Value("422") == nil {
			t.Errorf("%s: the key is %+v", path, key)
		}
	}
}

func TestWrongOperations(t *testing.T) {
	generated, err := os.ReadFile("testdata/generated.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, operations, want string }{
		{"right", "CartService_GetCart: {refuses: [CART_NOT_FOUND]}", ""},
		{"an unknown reason", "CartService_GetCart: {refuses: [CART_ON_FIRE]}", "there is no reason CART_ON_FIRE"},
		{"an unknown operation", "CartService_BurnCart: {refuses: [CART_NOT_FOUND]}", "CartService_BurnCart, which isn't in the protos"},
		{"an example that the service would refuse", "CartService_PutItem: {example: {quantity: 100}}", "isn't valid"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Complete(generated, []byte(test.operations))
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
